#include "controlplane/store/endpoint_resolver.h"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

// A name server: "name: address…" for every name; and what it was asked. Outlives the resolver.
struct FakeDns {
  std::mutex mutex;
  std::map<std::string, std::deque<std::vector<std::string>>> answers;  // the last one stays

  absl::StatusOr<Addresses> Lookup(const std::string& host, uint16_t port) {
    const std::lock_guard lock(mutex);
    auto& script = answers[host];
    if (script.empty() || script.front().empty()) {
      if (script.size() > 1) script.pop_front();
      return Unavailable("no such name");
    }
    Addresses addresses;
    for (const std::string& ip : script.front()) addresses.push_back(*LiteralAddress(ip, port));
    if (script.size() > 1) script.pop_front();
    return addresses;
  }
};

class EndpointResolverTest : public ::testing::Test {
 protected:
  EndpointResolver::Callback Record() {
    return [this](const std::string& endpoint, const std::vector<std::string>& addresses) {
      std::string line = StrCat(endpoint, " =");
      for (const std::string& address : addresses) StrAppend(&line, " ", address);
      const std::lock_guard lock(mutex_);
      lines_.push_back(line);
      more_.notify_one();
    };
  }
  Resolver::Options Options() {
    return {.lookup = [dns = dns_](const std::string& host,
                                   uint16_t port) { return dns->Lookup(host, port); },
            .retry_after = absl::Milliseconds(1)};
  }
  std::string Next() {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [this] { return !lines_.empty(); });
    std::string line = lines_.front();
    lines_.pop_front();
    return line;
  }

  std::shared_ptr<FakeDns> dns_ = std::make_shared<FakeDns>();
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::string> lines_;
};

TEST_F(EndpointResolverTest, TellsEveryAddressInAnOrderThatStays) {
  dns_->answers["redis"] = {
      {"10.0.0.2", "10.0.0.1", "::1"}, {"::1", "10.0.0.1", "10.0.0.2"}, {"10.0.0.3"}};
  EndpointResolver resolver(Record(), Options());
  resolver.SetEndpoints({{"redis:6379", absl::Milliseconds(1)}});
  EXPECT_EQ(Next(), "redis:6379 = 10.0.0.1:6379 10.0.0.2:6379 [::1]:6379");
  EXPECT_EQ(Next(), "redis:6379 = 10.0.0.3:6379");  // the other order was no change
}

TEST_F(EndpointResolverTest, KeepsTheAddressesWhenALookupFails) {
  dns_->answers["redis"] = {{}, {"10.0.0.1"}, {}, {"10.0.0.1"}, {}, {"10.0.0.2"}};
  EndpointResolver resolver(Record(), Options());
  resolver.SetEndpoints({{"redis:1", absl::Milliseconds(1)}});
  EXPECT_EQ(Next(), "redis:1 = 10.0.0.1:1");
  EXPECT_EQ(Next(), "redis:1 = 10.0.0.2:1");
}

TEST_F(EndpointResolverTest, ResolvesTheEndpointsOfTheLatestSet) {
  dns_->answers["a"] = {{"10.0.0.1"}};
  dns_->answers["b"] = {{"10.0.0.2"}};
  EndpointResolver resolver(Record(), Options());
  resolver.SetEndpoints({{"a:1", absl::ZeroDuration()}});
  EXPECT_EQ(Next(), "a:1 = 10.0.0.1:1");
  // Neither what stays nor what needs no name server is told of.
  resolver.SetEndpoints({{"a:1", absl::ZeroDuration()},
                         {"10.0.0.9:1", absl::ZeroDuration()},
                         {"/run/redis.sock", absl::ZeroDuration()},
                         {"b:2", absl::ZeroDuration()}});
  EXPECT_EQ(Next(), "b:2 = 10.0.0.2:2");
  resolver.SetEndpoints({});
  resolver.SetEndpoints({{"a:1", absl::ZeroDuration()}});
  EXPECT_EQ(Next(), "a:1 = 10.0.0.1:1");
}

TEST_F(EndpointResolverTest, TheFirstLookupsAreOverAlsoWhenTheyFailOrAreTakenBack) {
  dns_->answers["a"] = {{"10.0.0.1"}};
  EndpointResolver resolver(Record(), Options());
  EXPECT_TRUE(resolver.WaitForFirstLookups(absl::ZeroDuration()));
  const std::map<std::string, absl::Duration> endpoints = {
      {"a:1", absl::Minutes(1)}, {"unknown:1", absl::Minutes(1)}, {"10.0.0.9:1", absl::Minutes(1)}};
  resolver.SetEndpoints(endpoints);
  EXPECT_TRUE(resolver.WaitForFirstLookups(absl::Minutes(1)));
  EXPECT_EQ(Next(), "a:1 = 10.0.0.1:1");
  resolver.SetEndpoints({});
  EXPECT_TRUE(resolver.WaitForFirstLookups(absl::ZeroDuration()));
}

TEST_F(EndpointResolverTest, KnowsWhichEndpointsNeedNoNameServer) {
  EXPECT_EQ(LiteralAddressOf("10.0.0.1:6379"), "10.0.0.1:6379");
  EXPECT_EQ(LiteralAddressOf("::1:6379"), "[::1]:6379");
  EXPECT_EQ(LiteralAddressOf("/run/redis.sock"), "/run/redis.sock");
  EXPECT_EQ(LiteralAddressOf("redis:6379"), "");
  EXPECT_EQ(LiteralAddressOf("nonsense"), "");
}

}  // namespace
}  // namespace weir
