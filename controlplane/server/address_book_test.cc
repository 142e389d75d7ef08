#include "controlplane/server/address_book.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// A pool whose slots have these endpoints, named "0", "1"...
v1::PoolRecord PoolOf(const std::string& name, std::vector<std::string> endpoints,
                      uint32_t resolve_interval_ms = 0) {
  v1::PoolRecord record;
  record.set_name(name);
  record.mutable_spec()->mutable_policy()->set_resolve_interval(resolve_interval_ms);
  for (std::string& endpoint : endpoints) {
    v1::Slot& slot = *record.mutable_shard_map()->add_slots();
    slot.set_name(std::to_string(record.shard_map().slots_size() - 1));
    slot.set_endpoint(std::move(endpoint));
  }
  return record;
}

TEST(AddressBookTest, LiteralAddressesStandForThemselves) {
  AddressBook book;
  const v1::PoolRecord pool = PoolOf("alpha", {"127.0.0.1:1", "[::1]:2", "/run/redis"});
  book.SetPool(pool);
  EXPECT_THAT(book.Names(), IsEmpty());
  EXPECT_THAT(book.Of(pool),
              ElementsAre(Pair("0", ElementsAre("127.0.0.1:1")), Pair("1", ElementsAre("[::1]:2")),
                          Pair("2", ElementsAre("/run/redis"))));
}

TEST(AddressBookTest, NamesStandForWhatWasFoundAndEachPoolThatNeedsThemIsTold) {
  AddressBook book;
  const v1::PoolRecord alpha = PoolOf("alpha", {"redis:1"});
  book.SetPool(alpha);
  book.SetPool(PoolOf("beta", {"redis:1", "other:2"}));
  book.SetPool(PoolOf("gamma", {"127.0.0.1:1"}));
  EXPECT_THAT(book.Of(alpha), IsEmpty());
  EXPECT_THAT(book.SetAddresses("redis:1", {"10.0.0.1:1", "10.0.0.2:1"}),
              ElementsAre("alpha", "beta"));
  EXPECT_THAT(book.SetAddresses("redis:1", {"10.0.0.1:1", "10.0.0.2:1"}), IsEmpty());
  EXPECT_THAT(book.Of(alpha), ElementsAre(Pair("0", ElementsAre("10.0.0.1:1", "10.0.0.2:1"))));
}

TEST(AddressBookTest, TheShortestIntervalCountsAndHalfAMinuteWithoutOne) {
  AddressBook book;
  book.SetPool(PoolOf("alpha", {"redis:1"}));
  EXPECT_THAT(book.Names(), ElementsAre(Pair("redis:1", absl::Seconds(30))));
  book.SetPool(PoolOf("beta", {"redis:1"}, 5000));
  book.SetPool(PoolOf("gamma", {"redis:1"}, 9000));
  EXPECT_THAT(book.Names(), ElementsAre(Pair("redis:1", absl::Seconds(5))));
}

TEST(AddressBookTest, WhatNoPoolNeedsIsForgotten) {
  AddressBook book;
  const v1::PoolRecord alpha = PoolOf("alpha", {"redis:1"});
  book.SetPool(alpha);
  book.SetAddresses("redis:1", {"10.0.0.1:1"});
  book.RemovePool("alpha");
  EXPECT_THAT(book.Names(), IsEmpty());
  EXPECT_THAT(book.SetAddresses("redis:1", {"10.0.0.9:1"}), IsEmpty());  // it came too late
  book.Forget(book.Names());
  book.SetPool(alpha);
  EXPECT_THAT(book.Of(alpha), IsEmpty());
}

class HostNamesTest : public ::testing::Test {
 protected:
  std::vector<std::string> AddressesAt(const std::string& endpoint) {
    return book_.Of(PoolOf("alpha", {endpoint}))["0"];
  }
  // What the resolver's owner does now and then.
  void Tick() { book_.Forget(book_.Names()); }

  AddressBook book_;
};

TEST_F(HostNamesTest, AfterARestartANameHasTheAddressesThatItHadBefore) {
  book_.Remember(
      {.resolved = {{"one.example:1", {"192.0.2.1:1"}}, {"gone.example:1", {"192.0.2.9:1"}}}});
  book_.SetPool(PoolOf("alpha", {"one.example:1"}));
  EXPECT_THAT(AddressesAt("one.example:1"), ElementsAre("192.0.2.1:1"));
  Tick();
  EXPECT_THAT(book_.Resolved().resolved,
              ElementsAre(Pair("one.example:1", ElementsAre("192.0.2.1:1"))));
}

TEST_F(HostNamesTest, AShardThatIsRemovedAndAddedAgainBetweenTwoLooksKeepsItsAddresses) {
  book_.SetPool(PoolOf("alpha", {"one.example:1"}));
  book_.SetAddresses("one.example:1", {"192.0.2.1:1"});
  Tick();
  book_.RemovePool("alpha");
  book_.SetPool(PoolOf(
      "alpha", {"one.example:1"}));  // the resolver, which saw none of it, tells nothing again
  EXPECT_THAT(AddressesAt("one.example:1"), ElementsAre("192.0.2.1:1"));
  book_.RemovePool("alpha");
  Tick();
  EXPECT_THAT(book_.Resolved().resolved, IsEmpty());
}

// A plan looks a name up and gives it up; the change that follows asks for it again.
TEST_F(HostNamesTest, AnAddressThatComesBetweenTwoExpectationsIsNotLost) {
  book_.Expect({"one.example:1"});
  Tick();  // the resolver begins to look for it
  book_.StopExpecting({"one.example:1"});
  EXPECT_THAT(book_.SetAddresses("one.example:1", {"192.0.2.1:1"}), IsEmpty());
  book_.Expect({"one.example:1"});
  EXPECT_TRUE(book_.Knows("one.example:1"));
  book_.StopExpecting({"one.example:1"});
  Tick();
  EXPECT_FALSE(book_.Knows("one.example:1"));
  EXPECT_THAT(book_.SetAddresses("one.example:1", {"192.0.2.1:1"}), IsEmpty());
  EXPECT_FALSE(book_.Knows("one.example:1"));  // the resolver has let go of it
}

TEST_F(HostNamesTest, ASlotKeepsItsAddressesUntilItsNewNameIsResolved) {
  book_.SetPool(PoolOf("alpha", {"127.0.0.1:1"}));
  EXPECT_THAT(AddressesAt("one.example:1"), ElementsAre("127.0.0.1:1"));  // as it would be
  book_.SetPool(PoolOf("alpha", {"one.example:1"}));
  book_.SetPool(PoolOf("alpha", {"two.example:1"}));
  Tick();
  EXPECT_THAT(AddressesAt("two.example:1"), ElementsAre("127.0.0.1:1"));
  EXPECT_THAT(book_.SetAddresses("two.example:1", {"192.0.2.2:1"}), ElementsAre("alpha"));
  EXPECT_THAT(AddressesAt("two.example:1"), ElementsAre("192.0.2.2:1"));
}

TEST_F(HostNamesTest, ASlotKeepsItsAddressesOverARestartUntilItsNewNameIsResolved) {
  book_.SetPool(PoolOf("alpha", {"127.0.0.1:1"}));
  const uint64_t before = book_.Changes();
  book_.SetPool(PoolOf("alpha", {"one.example:1"}));
  EXPECT_NE(book_.Changes(), before);
  KnownAddresses kept = book_.Resolved();
  EXPECT_EQ(kept.kept, (KeptAddresses{{"alpha", {{"0", {"127.0.0.1:1"}}}}}));

  for (int restart = 0; restart < 2; ++restart) {
    AddressBook next;
    next.Remember(kept);
    next.SetPool(PoolOf("alpha", {"one.example:1"}));
    next.SetPool(PoolOf("beta", {"one.example:1"}));
    next.Forget(next.Names());
    EXPECT_FALSE(next.Knows("one.example:1")) << "it is alpha's alone";
    EXPECT_THAT(next.Of(PoolOf("beta", {"one.example:1"})), IsEmpty());
    EXPECT_THAT(next.Of(PoolOf("alpha", {"one.example:1"})),
                ElementsAre(Pair("0", ElementsAre("127.0.0.1:1"))));
    kept = next.Resolved();
    next.SetAddresses("one.example:1", {"192.0.2.1:1"});
    EXPECT_THAT(next.Resolved().kept, IsEmpty());
  }
}

TEST_F(HostNamesTest, WhatServedAPoolThatIsGoneIsForgotten) {
  book_.Remember({.kept = {{"gone", {{"0", {"127.0.0.1:1"}}}}}});
  const uint64_t before = book_.Changes();
  Tick();
  EXPECT_NE(book_.Changes(), before);
  book_.SetPool(PoolOf("gone", {"one.example:1"}));
  EXPECT_THAT(book_.Of(PoolOf("gone", {"one.example:1"})), IsEmpty());
}

TEST_F(HostNamesTest, ANameIsNotLookedUpMoreThanOnceASecond) {
  book_.SetPool(PoolOf("alpha", {"one.example:1"}, 1));
  EXPECT_THAT(book_.Names(), ElementsAre(Pair("one.example:1", absl::Seconds(1))));
  book_.SetPool(PoolOf("alpha", {"one.example:1"}, 5000));
  EXPECT_THAT(book_.Names(), ElementsAre(Pair("one.example:1", absl::Seconds(5))));
  book_.SetPool(PoolOf("alpha", {"127.0.0.1:1"}));
  EXPECT_THAT(book_.Names(), IsEmpty());
}

TEST_F(HostNamesTest, EveryChangeOfWhatIsResolvedIsSeen) {
  book_.SetPool(PoolOf("alpha", {"one.example:1"}));
  const uint64_t before = book_.Changes();
  book_.SetAddresses("one.example:1", {"192.0.2.1:1"});
  const uint64_t resolved = book_.Changes();
  EXPECT_NE(resolved, before);
  EXPECT_THAT(book_.SetAddresses("one.example:1", {"192.0.2.1:1"}), IsEmpty());
  EXPECT_EQ(book_.Changes(), resolved);
  book_.RemovePool("alpha");
  Tick();
  EXPECT_NE(book_.Changes(), resolved);
}

TEST(AddressBookTest, ANameIsResolvedForAChangeThatIsYetToBringIt) {
  AddressBook book;
  book.Expect({"redis:1", "other:2"});
  book.Expect({"redis:1"});
  EXPECT_THAT(book.Names(), ElementsAre(Pair("other:2", _), Pair("redis:1", _)));
  EXPECT_FALSE(book.Knows("redis:1"));
  EXPECT_THAT(book.SetAddresses("redis:1", {"10.0.0.1:1"}), IsEmpty()) << "no pool has it";
  EXPECT_TRUE(book.Knows("redis:1"));
  EXPECT_TRUE(book.Knows("10.0.0.1:1"));
  book.AwaitKnown({"redis:1"}, std::chrono::hours(1));

  book.StopExpecting({"redis:1", "other:2"});
  EXPECT_THAT(book.Names(), ElementsAre(Pair("redis:1", _))) << "the second change goes on";
  book.StopExpecting({"redis:1"});
  book.Forget(book.Names());
  EXPECT_FALSE(book.Knows("redis:1"));
}

}  // namespace
}  // namespace weir
