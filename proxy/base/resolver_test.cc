#include "proxy/base/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "proxy/base/log.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Answer = absl::StatusOr<std::vector<std::string>>;

// A name server: gives its scripted answers in turn, then the last one for ever. Shared with the
// resolver's thread, which may outlive the test's Resolver.
class FakeDns {
 public:
  explicit FakeDns(std::vector<Answer> script) : script_(script.begin(), script.end()) {}

  absl::StatusOr<Addresses> Lookup(const std::string& host, uint16_t port) {
    std::lock_guard lock(mutex_);
    asked_.push_back(StrCat(host, ":", port));
    const Answer answer = script_.front();
    if (script_.size() > 1) script_.pop_front();
    if (!answer.ok()) return answer.status();
    Addresses addresses;
    for (const std::string& ip : *answer) addresses.push_back(*LiteralAddress(ip, port));
    return addresses;
  }
  void Replaces(Answer answer) {
    std::lock_guard lock(mutex_);
    script_ = {answer};
  }
  std::vector<std::string> asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::deque<Answer> script_;
  std::vector<std::string> asked_;
};

// A name server of which hosts called "slow…" hear nothing until Answers. Every host is 10.0.0.1.
// Shared as the other one.
class SlowDns {
 public:
  absl::StatusOr<Addresses> Lookup(const std::string& host, uint16_t port) {
    std::unique_lock lock(mutex_);
    asked_.push_back(host);
    most_at_once_ = std::max(most_at_once_, ++under_way_);
    changed_.notify_all();
    if (host.starts_with("slow")) changed_.wait(lock, [&] { return answers_; });
    --under_way_;
    changed_.notify_all();
    return Addresses{*LiteralAddress("10.0.0.1", port)};
  }
  void Answers() {
    std::lock_guard lock(mutex_);
    answers_ = true;
    changed_.notify_all();
  }
  void UntilUnderWay(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return under_way_ == count; });
  }
  size_t most_at_once() {
    std::lock_guard lock(mutex_);
    return most_at_once_;
  }
  std::vector<std::string> asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool answers_ = false;
  size_t under_way_ = 0;
  size_t most_at_once_ = 0;
  std::vector<std::string> asked_;
};

// What callbacks were told, as text; to be waited for.
class Told {
 public:
  Resolver::Callback Callback() {
    return [this](const absl::StatusOr<Addresses>& result) {
      std::lock_guard lock(mutex_);
      said_.push_back(result.ok() ? Text(*result) : std::string(result.status().message()));
      changed_.notify_all();
    };
  }
  // All that was said, once `text` has been.
  std::vector<std::string> Until(const std::string& text) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::find(said_.begin(), said_.end(), text) != said_.end(); });
    return said_;
  }
  std::vector<std::string> Now() {
    std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  static std::string Text(const Addresses& addresses) {
    std::string text;
    for (const ResolvedAddress& address : addresses) {
      StrAppend(&text, text.empty() ? "" : " ", address.ToString());
    }
    return text;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> said_;
};

template <typename Dns>
Resolver::Options Asking(const std::shared_ptr<Dns>& dns) {
  return {
      .lookup = [dns](const std::string& host, uint16_t port) { return dns->Lookup(host, port); },
      .retry_after = absl::Milliseconds(1),
      .min_refresh_gap = absl::ZeroDuration()};
}

const Endpoint kRedis = TcpEndpoint("redis-0", 6379);
const absl::Duration kOften = absl::Milliseconds(1);
const absl::Duration kOnlyOnRefresh = absl::ZeroDuration();
const Answer kFails = Unavailable("no such host");

Answer Ips(std::vector<std::string> ips) { return ips; }

TEST(ResolverTest, ANameIsResolvedToAllItsAddressesInOrder) {
  const auto dns = std::make_shared<FakeDns>(std::vector{Ips({"10.0.0.2", "::1", "10.0.0.1"})});
  Told told;
  Resolver resolver(Asking(dns));
  resolver.Resolve(kRedis, told.Callback());
  told.Until("10.0.0.2:6379 [::1]:6379 10.0.0.1:6379");
  EXPECT_THAT(dns->asked(), ElementsAre("redis-0:6379"));
}

TEST(ResolverTest, LiteralsAndPathsAreAnsweredAtOnceWithoutAQuery) {
  const auto dns = std::make_shared<FakeDns>(std::vector{kFails});
  Told told;
  Resolver resolver(Asking(dns));
  resolver.Resolve(TcpEndpoint("127.0.0.1", 1), told.Callback());
  resolver.Resolve(TcpEndpoint("::1", 2), told.Callback());
  resolver.Resolve(UnixEndpoint("/run/redis.sock"), told.Callback());
  Resolver::Watch watch =
      resolver.WatchEndpoint(TcpEndpoint("127.0.0.1", 3), kOften, told.Callback());
  watch.Refresh();
  EXPECT_THAT(told.Now(), ElementsAre("127.0.0.1:1", "[::1]:2", "/run/redis.sock", "127.0.0.1:3"));
  EXPECT_THAT(dns->asked(), IsEmpty());
}

TEST(ResolverTest, APathThatNoSocketCanHaveIsAnError) {
  Told told;
  Resolver resolver(Asking(std::make_shared<FakeDns>(std::vector{kFails})));
  resolver.Resolve(UnixEndpoint("/" + std::string(200, 'x')), told.Callback());
  EXPECT_THAT(told.Now(), ElementsAre(testing::HasSubstr("too long")));
}

TEST(ResolverTest, AFailedLookupIsAnErrorToWhoAskedOnce) {
  Told told;
  Resolver resolver(Asking(std::make_shared<FakeDns>(std::vector{kFails, Ips({"10.0.0.1"})})));
  resolver.Resolve(kRedis, told.Callback());
  EXPECT_THAT(told.Until("no such host"), ElementsAre("no such host"));
  resolver.Resolve(kRedis, told.Callback());
  told.Until("10.0.0.1:6379");
}

// A line a second for each name, for ever, drowned the log.
TEST(ResolverTest, ANameThatGoesOnFailingIsLoggedOnceAMinuteOrWithAnotherError) {
  static std::atomic<int64_t> seconds = 1'000'000'000;
  Log::SetClockForTest([] { return absl::FromUnixSeconds(seconds.load()); });
  const std::string file = testing::TempDir() + "/resolver.log";
  ASSERT_TRUE(Log::Open(file).ok());
  const absl::Status other = absl::UnavailableError("server failure");
  const auto dns = std::make_shared<FakeDns>(
      std::vector<Answer>{kFails, kFails, kFails, other, other, Ips({"10.0.0.1"}), kFails, kFails,
                          Ips({"10.0.0.2"}), kFails});
  Told told;
  {
    Resolver resolver(Asking(dns));
    const Resolver::Watch watch =
        resolver.WatchEndpoint(kRedis, kOften, told.Callback(), "cache/one");
    told.Until("10.0.0.2:6379");
    const auto asks = [&dns](size_t times) {
      while (dns->asked().size() < times) std::this_thread::yield();
    };
    asks(11);  // what became of the last answer is logged
    seconds += 61;
    asks(dns->asked().size() + 3);
  }
  ASSERT_TRUE(Log::Open("").ok());
  Log::SetClockForTest(nullptr);
  std::ifstream log(file);
  std::vector<std::string> errors;
  for (std::string line; std::getline(log, line);) {
    EXPECT_THAT(line, testing::HasSubstr("resolve_failed host=redis-0 for=cache/one"));
    errors.push_back(line.substr(line.find("error=")));
  }
  EXPECT_THAT(errors,
              ElementsAre(testing::HasSubstr("no such host"), testing::HasSubstr("server failure"),
                          testing::HasSubstr("no such host"), testing::HasSubstr("no such host"),
                          testing::HasSubstr("no such host")));
}

TEST(ResolverTest, AWatchTellsTheFirstAddressesAndThenOnlyChanges) {
  const auto dns = std::make_shared<FakeDns>(std::vector{
      Ips({"10.0.0.1"}), Ips({"10.0.0.1"}), Ips({"10.0.0.2", "10.0.0.1"}),
      Ips({"10.0.0.1", "10.0.0.2"}), kFails, Ips({"10.0.0.2", "10.0.0.1"}), Ips({"10.0.0.3"})});
  Told told;
  Resolver resolver(Asking(dns));
  const Resolver::Watch watch = resolver.WatchEndpoint(kRedis, kOften, told.Callback());
  EXPECT_THAT(told.Until("10.0.0.3:6379"),
              ElementsAre("10.0.0.1:6379", "10.0.0.2:6379 10.0.0.1:6379", "10.0.0.3:6379"));
}

TEST(ResolverTest, AWatchTellsErrorsUntilItHasAnAddressAndKeepsTrying) {
  const auto dns = std::make_shared<FakeDns>(
      std::vector{kFails, kFails, Ips({"10.0.0.1"}), kFails, Ips({"10.0.0.2"})});
  Told told;
  Resolver resolver(Asking(dns));
  Resolver::Watch watch = resolver.WatchEndpoint(kRedis, kOnlyOnRefresh, told.Callback());
  told.Until("10.0.0.1:6379");
  // The third answer needed no Refresh; the fourth and fifth do.
  while (dns->asked().size() < 5) watch.Refresh();
  EXPECT_THAT(told.Until("10.0.0.2:6379"),
              ElementsAre("no such host", "no such host", "10.0.0.1:6379", "10.0.0.2:6379"));
}

TEST(ResolverTest, RefreshAsksAgainBeforeTheInterval) {
  const auto dns = std::make_shared<FakeDns>(std::vector{Ips({"10.0.0.1"})});
  Told told;
  Resolver resolver(Asking(dns));
  Resolver::Watch watch = resolver.WatchEndpoint(kRedis, absl::Hours(1), told.Callback());
  told.Until("10.0.0.1:6379");
  dns->Replaces(Ips({"10.0.0.9"}));
  watch.Refresh();
  told.Until("10.0.0.9:6379");
}

TEST(ResolverTest, RefreshesWithinTheGapAreMergedIntoOneLookup) {
  const auto dns = std::make_shared<FakeDns>(std::vector{Ips({"10.0.0.1"})});
  Told told;
  Resolver::Options options = Asking(dns);
  options.min_refresh_gap = absl::Hours(1);
  Resolver resolver(options);
  Resolver::Watch watch = resolver.WatchEndpoint(kRedis, absl::Hours(2), told.Callback());
  told.Until("10.0.0.1:6379");
  for (int i = 0; i < 100; ++i) watch.Refresh();
  resolver.Resolve(TcpEndpoint("other", 1), told.Callback());
  told.Until("10.0.0.1:1");
  EXPECT_THAT(dns->asked(), ElementsAre("redis-0:6379", "other:1"));
}

TEST(ResolverTest, AnEndedWatchIsSilentAndAsksNoMore) {
  const auto dns = std::make_shared<FakeDns>(std::vector{Ips({"10.0.0.1"})});
  Told told;
  Resolver::Options options = Asking(dns);
  options.max_threads = 1;
  Resolver resolver(options);
  Resolver::Watch watch = resolver.WatchEndpoint(kRedis, kOften, told.Callback());
  told.Until("10.0.0.1:6379");
  watch = Resolver::Watch();
  const size_t said = told.Now().size();
  dns->Replaces(Ips({"10.0.0.2"}));
  // Answered in order: were the watch still alive, it would have been told by the second of these.
  Told other;
  for (uint16_t port : {1, 2}) {
    resolver.Resolve(TcpEndpoint("other", port), other.Callback());
    other.Until(StrCat("10.0.0.2:", port));
  }
  EXPECT_EQ(told.Now().size(), said);
}

TEST(ResolverTest, ACallbackMayEndItsOwnWatch) {
  Resolver resolver(Asking(std::make_shared<FakeDns>(std::vector{Ips({"10.0.0.1"})})));
  std::promise<void> ended;
  std::mutex mutex;
  Resolver::Watch watch;
  {
    std::lock_guard lock(mutex);
    watch = resolver.WatchEndpoint(kRedis, kOften, [&](const absl::StatusOr<Addresses>&) {
      std::lock_guard lock(mutex);
      watch = Resolver::Watch();
      ended.set_value();  // a second call would throw
    });
  }
  ended.get_future().wait();
}

TEST(ResolverTest, EndsAlthoughALookupHangsAndNobodyIsTold) {
  auto entered = std::make_shared<std::promise<void>>();
  auto release = std::make_shared<std::promise<void>>();
  auto left = std::make_shared<std::promise<void>>();
  auto owned = std::make_shared<int>(0);
  bool told = false;
  Resolver::Watch watch;
  {
    Resolver resolver({.lookup = [=](const std::string&, uint16_t) -> absl::StatusOr<Addresses> {
      entered->set_value();
      release->get_future().wait();
      left->set_value();
      return absl::NotFoundError("too late");  // kFails may be gone by then
    }});
    resolver.Resolve(kRedis, [&told, owned](const absl::StatusOr<Addresses>&) { told = true; });
    entered->get_future().wait();
    watch = resolver.WatchEndpoint(
        kRedis, kOften, [&told, owned](const absl::StatusOr<Addresses>&) { told = true; });
  }
  // What the callbacks captured is gone with the resolver, although its thread is not.
  EXPECT_EQ(owned.use_count(), 1);
  watch.Refresh();
  release->set_value();
  left->get_future().wait();
  EXPECT_FALSE(told);
}

// A thread asked for one name after the other.
TEST(ResolverTest, ANameWhoseServerDoesNotAnswerHoldsUpNoOther) {
  const auto dns = std::make_shared<SlowDns>();
  Told told;
  Resolver resolver(Asking(dns));
  resolver.Resolve(TcpEndpoint("slow", 1), told.Callback());
  dns->UntilUnderWay(1);
  const Resolver::Watch watch =
      resolver.WatchEndpoint(TcpEndpoint("watched", 2), kOften, told.Callback());
  EXPECT_THAT(told.Until("10.0.0.1:2"), ElementsAre("10.0.0.1:2"));
  for (uint16_t port = 3; port < 10; ++port) {
    resolver.Resolve(TcpEndpoint("other", port), told.Callback());
    told.Until(StrCat("10.0.0.1:", port));
  }
  EXPECT_THAT(told.Now(), testing::Not(testing::Contains("10.0.0.1:1")));
  dns->Answers();
  told.Until("10.0.0.1:1");
}

TEST(ResolverTest, WhoWaitsForAHostSharesItsNextLookup) {
  const auto dns = std::make_shared<SlowDns>();
  Told told;
  Resolver resolver(Asking(dns));
  resolver.Resolve(TcpEndpoint("slow", 1), told.Callback());
  dns->UntilUnderWay(1);
  const Resolver::Watch watch =
      resolver.WatchEndpoint(TcpEndpoint("slow", 2), kOnlyOnRefresh, told.Callback());
  resolver.Resolve(TcpEndpoint("slow", 3), told.Callback());
  resolver.Resolve(TcpEndpoint("other", 4), told.Callback());
  told.Until("10.0.0.1:4");
  EXPECT_THAT(dns->asked(), ElementsAre("slow", "other"));
  dns->Answers();
  EXPECT_THAT(told.Until("10.0.0.1:3"),
              ElementsAre("10.0.0.1:4", "10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3"));
  EXPECT_THAT(dns->asked(), ElementsAre("slow", "other", "slow"));
}

TEST(ResolverTest, AsksForNoMoreHostsAtOnceThanItHasThreads) {
  const auto dns = std::make_shared<SlowDns>();
  Told told;
  Resolver::Options options = Asking(dns);
  options.max_threads = 2;
  Resolver resolver(options);
  for (uint16_t port = 1; port <= 5; ++port) {
    resolver.Resolve(TcpEndpoint(StrCat("slow-", port), port), told.Callback());
  }
  dns->UntilUnderWay(2);
  EXPECT_THAT(told.Now(), IsEmpty());
  dns->Answers();
  for (uint16_t port = 1; port <= 5; ++port) told.Until(StrCat("10.0.0.1:", port));
  EXPECT_EQ(dns->most_at_once(), 2u);
  EXPECT_THAT(dns->asked(),
              testing::UnorderedElementsAre("slow-1", "slow-2", "slow-3", "slow-4", "slow-5"));
}

TEST(ResolverTest, RunsOneCallbackAtATime) {
  const auto dns = std::make_shared<SlowDns>();
  std::atomic<bool> running = false;
  std::atomic<int> left = 200;
  std::promise<void> all;
  Resolver resolver(Asking(dns));
  for (int i = 0; i < 200; ++i) {
    resolver.Resolve(TcpEndpoint(StrCat("host-", i % 20), 1),
                     [&](const absl::StatusOr<Addresses>&) {
                       EXPECT_FALSE(running.exchange(true));
                       std::this_thread::yield();
                       running = false;
                       if (--left == 0) all.set_value();
                     });
  }
  all.get_future().wait();
}

TEST(ResolverTest, EndsAlthoughEveryThreadHangs) {
  const auto dns = std::make_shared<SlowDns>();
  auto owned = std::make_shared<int>(0);
  bool told = false;
  {
    Resolver resolver(Asking(dns));
    for (uint16_t port = 1; port <= 6; ++port) {
      resolver.Resolve(TcpEndpoint(StrCat("slow-", port), port),
                       [&told, owned](const absl::StatusOr<Addresses>&) { told = true; });
    }
    dns->UntilUnderWay(4);
  }
  EXPECT_EQ(owned.use_count(), 1);
  dns->Answers();
  dns->UntilUnderWay(0);
  EXPECT_FALSE(told);
}

TEST(ResolverTest, TheSystemKnowsLocalhost) {
  const absl::StatusOr<Addresses> addresses = SystemLookup("localhost", 6379);
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  std::vector<std::string> texts;
  for (const ResolvedAddress& address : *addresses) texts.push_back(address.ToString());
  EXPECT_THAT(texts, testing::Contains("127.0.0.1:6379"));
}

}  // namespace
}  // namespace weir
