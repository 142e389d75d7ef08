#include "proxy/server/listen_names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/base/strings.h"

namespace weir {
namespace {

// A name server that answers when it is told to, and counts who asks.
class NameServer {
 public:
  Resolver::Options Options() {
    return {.lookup = [this](const std::string&, uint16_t port) { return Lookup(port); }};
  }
  void Answer(const std::string& address) {
    const std::lock_guard lock(mutex_);
    address_ = address;
    changed_.notify_all();
  }
  size_t asked_by_this_thread() {
    const std::lock_guard lock(mutex_);
    return static_cast<size_t>(std::ranges::count(askers_, std::this_thread::get_id()));
  }

 private:
  absl::StatusOr<Addresses> Lookup(uint16_t port) {
    std::unique_lock lock(mutex_);
    askers_.push_back(std::this_thread::get_id());
    changed_.wait(lock, [this] { return !address_.empty(); });
    const auto address = LiteralAddress(address_, port);
    if (!address.has_value()) return Unavailable(address_);
    return Addresses{*address};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string address_;
  std::vector<std::thread::id> askers_;
};

class ListenNamesTest : public testing::Test {
 protected:
  static std::string Text(const absl::StatusOr<ResolvedAddress>& address) {
    return address.ok() ? address->ToString() : std::string(FromAbsl(address.status().message()));
  }
  // Looks until there is another answer than `before`.
  std::string PeekUntilNot(const std::string& before) {
    std::string text = Text(names_.Peek(name_));
    while (text == before) {
      std::this_thread::yield();
      text = Text(names_.Peek(name_));
    }
    return text;
  }

  NameServer server_;
  ListenNames names_{server_.Options()};
  const Endpoint name_ = TcpEndpoint("front.example", 6379);
};

TEST_F(ListenNamesTest, WhoOpensAListenerWaitsForItsName) {
  server_.Answer("10.0.0.5");
  EXPECT_EQ(Text(names_.Find(name_)), "10.0.0.5:6379");
  EXPECT_EQ(Text(names_.Find(TcpEndpoint("::1", 1))), "[::1]:1");
  EXPECT_EQ(server_.asked_by_this_thread(), 1u);
}

// Each attempt to serve it asked on the main thread.
TEST_F(ListenNamesTest, ANameOfARefusedPoolIsLookedUpOnAnotherThread) {
  EXPECT_EQ(Text(names_.Peek(name_)), "cannot resolve front.example: no answer yet");
  // While it is being looked up nobody waits for it.
  EXPECT_EQ(Text(names_.Find(name_)), "cannot resolve front.example: no answer yet");
  server_.Answer("no such name");
  EXPECT_EQ(PeekUntilNot("cannot resolve front.example: no answer yet"), "no such name");
  EXPECT_EQ(Text(names_.Find(name_)), "no such name");
  server_.Answer("10.0.0.5");
  EXPECT_EQ(PeekUntilNot("no such name"), "10.0.0.5:6379");
  EXPECT_EQ(Text(names_.Find(name_)), "10.0.0.5:6379");
  EXPECT_EQ(server_.asked_by_this_thread(), 0u);
}

TEST_F(ListenNamesTest, AnAddressIsThereAtOnce) {
  EXPECT_EQ(Text(names_.Peek(TcpEndpoint("127.0.0.1", 1))), "127.0.0.1:1");
  EXPECT_EQ(Text(names_.Peek(UnixEndpoint("/run/weir.sock"))), "/run/weir.sock");
}

}  // namespace
}  // namespace weir
