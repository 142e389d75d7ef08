#include "proxy/stats/stats_json.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Tables = std::vector<std::shared_ptr<const StatsTable>>;

const StatsFacts kFacts = {
    .source = "vm", .version = "0.5.0", .uptime = 1, .timestamp = 1795385942};

std::shared_ptr<StatsTable> Table(std::vector<StatsLayout::Pool> pools) {
  return std::make_shared<StatsTable>(
      std::make_shared<const StatsLayout>(StatsLayout{std::move(pools)}));
}

// What twemproxy 0.5.0 printed for two idle pools (its two listeners are its two connections).
constexpr std::string_view kTwemproxys =
    R"({"service":"nutcracker", "source":"vm", "version":"0.5.0", "uptime":1, )"
    R"("timestamp":1795385942, "total_connections":2, "curr_connections":2, )"
    R"("beta": {"client_eof":0, "client_err":0, "client_connections":0, "server_ejects":0, )"
    R"("forward_error":0, "fragments":0, )"
    R"("s1": {"server_eof":0, "server_err":0, "server_timedout":0, "server_connections":0, )"
    R"("server_ejected_at":0, "requests":0, "request_bytes":0, "responses":0, )"
    R"("response_bytes":0, "in_queue":0, "in_queue_bytes":0, "out_queue":0, "out_queue_bytes":0},)"
    R"("s-two": {"server_eof":0, "server_err":0, "server_timedout":0, "server_connections":0, )"
    R"("server_ejected_at":0, "requests":0, "request_bytes":0, "responses":0, )"
    R"("response_bytes":0, "in_queue":0, "in_queue_bytes":0, "out_queue":0, "out_queue_bytes":0}},)"
    R"("alphabet": {"client_eof":0, "client_err":0, "client_connections":0, "server_ejects":0, )"
    R"("forward_error":0, "fragments":0, )"
    R"("127.0.0.1:23405": {"server_eof":0, "server_err":0, "server_timedout":0, )"
    R"("server_connections":0, "server_ejected_at":0, "requests":0, "request_bytes":0, )"
    R"("responses":0, "response_bytes":0, "in_queue":0, "in_queue_bytes":0, "out_queue":0, )"
    R"("out_queue_bytes":0}}})"
    "\n";

TEST(StatsJsonTest, IsTwemproxysByteForByte) {
  std::shared_ptr<StatsTable> table =
      Table({{"beta", {"s1", "s-two"}}, {"alphabet", {"127.0.0.1:23405"}}});
  table->process().total_connections.Add(2);
  table->process().curr_connections.Set(2);
  EXPECT_EQ(StatsJson(kFacts, Tables{table}), kTwemproxys);
}

TEST(StatsJsonTest, AddsUpTheWritersAndTakesTheLatestEjection) {
  std::shared_ptr<StatsTable> a = Table({{"p", {"s"}}});
  std::shared_ptr<StatsTable> b = Table({{"p", {"s"}}});
  a->pool(0).client_eof.Add(1);
  b->pool(0).client_eof.Add(2);
  a->pool(0).client_connections.Add(5);
  b->pool(0).client_connections.Subtract(1);
  a->shard(0, 0).server_ejected_at.Set(1795385942000001);
  b->shard(0, 0).server_ejected_at.Set(1795385942000000);
  b->shard(0, 0).out_queue_bytes.Add(77);
  const std::string json = StatsJson(kFacts, Tables{a, b});
  EXPECT_NE(json.find(R"("p": {"client_eof":3, "client_err":0, "client_connections":4,)"),
            std::string::npos);
  EXPECT_NE(json.find(R"("server_ejected_at":1795385942000001,)"), std::string::npos);
  EXPECT_NE(json.find(R"("out_queue_bytes":77}}})"), std::string::npos);
}

TEST(StatsJsonTest, DuringAReloadNumbersAreMatchedByName) {
  std::shared_ptr<StatsTable> next = Table({{"p", {"new", "s"}}});
  std::shared_ptr<StatsTable> old = Table({{"gone", {"x"}}, {"p", {"s"}}});
  old->pool(1).client_err.Add(4);
  old->shard(1, 0).server_eof.Add(8);
  const std::string json = StatsJson(kFacts, Tables{next, old});
  EXPECT_NE(json.find(R"("p": {"client_eof":0, "client_err":4,)"), std::string::npos);
  EXPECT_NE(json.find(R"("new": {"server_eof":0,)"), std::string::npos);
  EXPECT_NE(json.find(R"("s": {"server_eof":8,)"), std::string::npos);
  EXPECT_EQ(json.find("gone"), std::string::npos);
}

TEST(StatsJsonTest, ANameWithQuotesStaysValidJson) {
  const std::string json = StatsJson(kFacts, Tables{Table({{"a\"b\\c\n", {}}})});
  EXPECT_NE(json.find(R"("a\"b\\c\u000a": {)"), std::string::npos);
}

}  // namespace
}  // namespace weir
