// The stats port's promise: what watches twemproxy's statistics reads Weir's without noticing.
//
// twemproxy runs with idle pools, and our JSON for the same pools must equal its own, byte for
// byte: names, order, separators, newline. What differs from run to run (time, host, sockets) is
// taken from its answer.
#include "proxy/stats/stats_json.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "proxy/base/strings.h"
#include "tests/support/proxy_under_test.h"
#include "tests/support/sockets.h"

namespace weir {
namespace {

// Two pools in an order that twemproxy changes: both pools and shards are sorted by length, then
// bytes.
std::string Configuration() {
  return StrCat("second_pool:\n  listen: 127.0.0.1:", FreePort(),
                "\n  redis: true\n  servers:\n"
                "   - 127.0.0.1:6379:1 server1-1\n"
                "   - 127.0.0.1:6380:1 a\n"
                "first:\n  listen: 127.0.0.1:",
                FreePort(),
                "\n  servers:\n"
                "   - 127.0.0.1:11211:1\n"
                "   - 127.0.0.1:11212:1\n");
}

std::shared_ptr<const StatsLayout> SameLayout() {
  return std::make_shared<const StatsLayout>(StatsLayout{
      {{"first", {"127.0.0.1", "127.0.0.1:11212"}}, {"second_pool", {"a", "server1-1"}}}});
}

// All that is sent to whoever connects to the stats port, until it closes.
std::string ReadStats(const RunningProxy& proxy) {
  OwnedFd socket;
  Eventually([&] {
    socket = Connect(StrCat("127.0.0.1:", proxy.stats_port()));
    return static_cast<bool>(socket);
  });
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = recv(socket.get(), buffer, sizeof(buffer), 0)) > 0;) {
    text.append(buffer, static_cast<size_t>(size));
  }
  return text;
}

TEST(StatsJsonConformanceTest, AnIdleTwemproxysJsonIsOursByteForByte) {
  const RunningProxy proxy(ProxyPrograms().front(), Configuration());
  const std::string theirs = ReadStats(proxy);
  const auto json = nlohmann::ordered_json::parse(theirs, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(json.is_object()) << theirs << proxy.Log();

  const StatsFacts facts = {.source = json.value("source", ""),
                            .version = json.value("version", ""),
                            .uptime = json.value("uptime", int64_t{-1}),
                            .timestamp = json.value("timestamp", int64_t{-1})};
  auto table = std::make_shared<StatsTable>(SameLayout());
  table->process().total_connections.Add(json.value("total_connections", uint64_t{0}));
  table->process().curr_connections.Set(json.value("curr_connections", int64_t{0}));
  const std::vector<std::shared_ptr<const StatsTable>> tables = {table};
  EXPECT_EQ(StatsJson(facts, tables), theirs);
}

}  // namespace
}  // namespace weir
