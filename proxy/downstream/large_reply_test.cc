// A large reply on a connection that sessions share: who waits for its end, and who need not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include "proxy/base/strings.h"
#include "tests/support/resp.h"
#include "tests/support/session_harness.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr size_t kHuge = 5'000'000;
constexpr std::string_view kHeader = "$5000000\r\n";

std::string Rest() { return std::string(kHuge, 'x') + "\r\n"; }

void TimesOutSoon(PoolConfig& pool) {
  pool.timeout = absl::Milliseconds(100);
  pool.shard_silence_limit = absl::Seconds(1);
}

// The second client's SET of a2, while the first one's large reply comes.
void ASetExpiresBehindALargeReply(SessionHarness& h) {
  h.client(0).Sends("GET a1");
  h.client(1).Sends("SET a2 old");
  h.shard("a").Sends(kHeader);
  h.Advance(milliseconds(100));
}

TEST(LargeReplyTest, WhoAsksWhileALargeReplyComesNeedNotWaitForItsEnd) {
  SessionHarness h;
  h.client(0).Sends("GET a1");
  h.shard("a").Sends(kHeader);
  h.client(1).Sends("GET a2");
  h.shard("a").SendsOn(1, EncodeBulk("small"));
  EXPECT_THAT(h.client(1).Received(), ElementsAre("small"));
  EXPECT_EQ(h.stats().set_aside_total.Get(), 1u);
  EXPECT_EQ(h.stats().set_aside.Get(), 1);
  h.shard("a").SendsOn(0, Rest());
  EXPECT_THAT(h.client(0).Received(), ElementsAre(SizeIs(kHuge)));
  EXPECT_EQ(h.stats().leases.Get(), 0);
  h.Advance(milliseconds(10));
  EXPECT_EQ(h.stats().set_aside.Get(), 0);
}

TEST(LargeReplyTest, TheSameForALargeReplyOfManySmallParts) {
  SessionHarness h;
  h.client(0).Sends("LRANGE a1 0 -1");
  std::string list = "*1000000\r\n";
  for (int i = 0; i < 300'000; ++i) list += "$1\r\nx\r\n";
  h.shard("a").Sends(list);
  h.client(1).Sends("GET a2");
  h.shard("a").SendsOn(1, EncodeBulk("small"));
  EXPECT_THAT(h.client(1).Received(), ElementsAre("small"));
}

TEST(LargeReplyTest, TheSameWhenWhoAskedForTheLargeReplyHasLeft) {
  SessionHarness h;
  h.client(0).Sends("GET a1");
  h.client(0).Leaves();
  h.shard("a").Sends(kHeader);
  h.client(1).Sends("GET a2");
  h.shard("a").SendsOn(1, EncodeBulk("small"));
  EXPECT_THAT(h.client(1).Received(), ElementsAre("small"));
}

TEST(LargeReplyTest, ASessionNeverOvertakesWhatItHasBehindALargeReply) {
  SessionHarness h;
  h.client(0).Sends("GET a1");
  h.client(1).Sends("SET a2 old");
  h.shard("a").Received();
  h.shard("a").Sends(kHeader);
  h.client(2).Sends("GET a4");
  h.client(1).Sends("GET a2", "GET a3");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(),
              UnorderedElementsAre(Pair(0, "GET a2"), Pair(1, "GET a4")));
  h.shard("a").SendsOn(0, Rest() + "+OK\r\n" + EncodeBulk("old"));
  EXPECT_THAT(h.client(1).Received(), ElementsAre("OK", "old"));
  // With all of it answered there is no need to keep to that connection.
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(1, "GET a3")));
}

TEST(LargeReplyTest, NeitherDoesOneWhoseRequestTimedOutThere) {
  SessionHarness h(TimesOutSoon);
  ASetExpiresBehindALargeReply(h);
  h.shard("a").Received();
  EXPECT_THAT(h.client(1).Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  // Another session's request on the way of now has expired as well.
  h.client(2).Sends("GET a4");
  h.Advance(milliseconds(100));
  h.shard("a").Received();
  h.client(1).Sends("SET a2 new");
  h.client(2).Sends("GET a4");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(),
              UnorderedElementsAre(Pair(0, "SET a2 new"), Pair(1, "GET a4")));
}

TEST(LargeReplyTest, InAnotherVariantNothingOvertakesWhatExpiredBehindALargeReply) {
  SessionHarness h(TimesOutSoon);
  ASetExpiresBehindALargeReply(h);
  EXPECT_THAT(h.client(1).Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  h.shard("a").Received();
  h.client(1).Sends("HELLO 3", "SET a2 new", "GET b1");
  // Not by a connection in RESP3, and on the other one its reply would be of no use.
  EXPECT_THAT(h.shard("a").Received(), IsEmpty());
  h.shard("b").Sends("%0\r\n");
  h.shard("b").Replies("b");
  EXPECT_THAT(h.client(1).Received(),
              ElementsAre(StartsWith("{"), StartsWith("-ERR an earlier request"), "b"));
  h.shard("a").SendsOn(0, Rest() + "+late\r\n");
  h.client(1).Sends("SET a2 new");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(1, "HELLO 3")));
  h.shard("a").SendsOn(1, "%0\r\n");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(1, "SET a2 new")));
  h.shard("a").SendsOn(1, "+OK\r\n");
  EXPECT_THAT(h.client(1).Received(), ElementsAre("OK"));
}

TEST(LargeReplyTest, BackInItsFirstVariantASessionFollowsWhatExpiredBehindALargeReply) {
  SessionHarness h(TimesOutSoon);
  ASetExpiresBehindALargeReply(h);
  h.client(1).Sends("HELLO 3", "GET a2", "HELLO 2");
  EXPECT_THAT(h.client(1).Received(),
              ElementsAre(StartsWith("-ERR Connection timed out"), StartsWith("{"),
                          StartsWith("-ERR an earlier request"), StartsWith("[")));
  h.shard("a").Received();
  h.client(1).Sends("SET a2 new");
  EXPECT_THAT(h.shard("a").ReceivedByConnection(), ElementsAre(Pair(0, "SET a2 new")));
  h.shard("a").SendsOn(0, Rest() + "+late\r\n+OK\r\n");
  EXPECT_THAT(h.client(1).Received(), ElementsAre("OK"));
}

TEST(LargeReplyTest, WhatWasSetAsideIsUsedAgainOnceItHasAnswered) {
  SessionHarness h;
  for (int i = 0; i < 3; ++i) {
    h.client(0).Sends("GET a1");
    h.shard("a").Sends(StrCat(kHeader, Rest()));
    h.Advance(milliseconds(10));
    EXPECT_THAT(h.client(0).Received(), ElementsAre(SizeIs(kHuge)));
    h.client(1).Sends("GET a2");
    h.shard("a").SendsOn(0, EncodeBulk("small"));
    EXPECT_THAT(h.client(1).Received(), ElementsAre("small"));
  }
}

// Asks for a1 over a connection that others use, and gets a large reply.
void ALargeReplyComes(SessionHarness& h, size_t client) {
  h.client(client).Sends("GET a1");
  h.shard("a").SendsOn(0, StrCat(kHeader, Rest()));
  EXPECT_THAT(h.client(client).Received(), ElementsAre(SizeIs(kHuge)));
  h.Advance(milliseconds(10));
}

TEST(LargeReplyTest, WhoAsksForWhatWasLargeForOthersHasAConnectionForItAlone) {
  SessionHarness h;
  ALargeReplyComes(h, 0);
  ALargeReplyComes(h, 1);
  EXPECT_EQ(h.stats().leases_total.Get(), 0u);
  h.shard("a").Received();
  h.client(2).Sends("GET a1");
  h.client(3).Sends("GET a2");
  EXPECT_EQ(h.stats().leases.Get(), 1);
  EXPECT_THAT(h.shard("a").ReceivedByConnection(),
              ElementsAre(Pair(1, "GET a1"), Pair(0, "GET a2")));
  h.shard("a").SendsOn(0, EncodeBulk("small"));
  EXPECT_THAT(h.client(3).Received(), ElementsAre("small"));
  h.shard("a").SendsOn(1, StrCat(kHeader, Rest()));
  EXPECT_THAT(h.client(2).Received(), ElementsAre(SizeIs(kHuge)));
  EXPECT_EQ(h.stats().leases.Get(), 0);
}

TEST(LargeReplyTest, ARequestWhoseReplyHasBecomeSmallIsSharedAgain) {
  SessionHarness h;
  ALargeReplyComes(h, 0);
  ALargeReplyComes(h, 1);
  h.client(2).Sends("GET a1");
  h.shard("a").SendsOn(1, EncodeBulk("small"));
  h.client(2).Sends("GET a1");
  EXPECT_THAT(h.client(2).Received(), ElementsAre("small"));
  EXPECT_EQ(h.stats().leases.Get(), 0);
  EXPECT_EQ(h.stats().leases_total.Get(), 1u);
}

TEST(LargeReplyTest, ARequestThatFailedIsStillKnownByItsLargeReply) {
  SessionHarness h([](PoolConfig& pool) { pool.timeout = absl::Milliseconds(100); });
  ALargeReplyComes(h, 0);
  ALargeReplyComes(h, 1);
  h.client(2).Sends("GET a1");
  h.Advance(milliseconds(100));
  EXPECT_THAT(h.client(2).Received(), ElementsAre(StartsWith("-ERR Connection timed out")));
  h.client(3).Sends("GET a1");
  EXPECT_EQ(h.stats().leases.Get(), 2);
}

TEST(LargeReplyTest, WhatWasSetAsideIsTakenBackWhenNoOtherConnectionIsToBeHad) {
  SessionHarness h;
  h.client(0).Sends("GET a1");
  h.shard("a").Sends(kHeader);
  h.shard("a").StopsListening();
  h.client(1).Sends("GET a2");
  EXPECT_THAT(h.client(1).Received(), ElementsAre(StartsWith("-ERR")));
  h.Advance(milliseconds(10));
  h.client(1).Sends("GET a3");
  h.shard("a").SendsOn(0, StrCat(Rest(), EncodeBulk("small")));
  EXPECT_THAT(h.client(0).Received(), ElementsAre(SizeIs(kHuge)));
  EXPECT_THAT(h.client(1).Received(), ElementsAre("small"));
}

TEST(LargeReplyTest, ManyLargeRepliesInARowNeedFewConnections) {
  SessionHarness h;
  for (size_t i = 0; i < 20; ++i) {
    h.client(i).Sends(StrCat("GET a", i));
    h.shard("a").Sends(StrCat(kHeader, Rest()));
    h.Advance(milliseconds(9));
  }
  EXPECT_EQ(h.shard("a").connections(), 1u);
}

TEST(LargeReplyTest, NoMoreAreSetAsideThanMayBeLent) {
  SessionHarness h([](PoolConfig& pool) { pool.max_leases = 2; });
  for (size_t i = 0; i < 4; ++i) {
    h.client(i).Sends(StrCat("GET a", i));
    h.shard("a").SendsOn(std::min<size_t>(i, 2), i < 3 ? kHeader : "");
  }
  EXPECT_EQ(h.shard("a").connections(), 3u);
  EXPECT_EQ(h.stats().set_aside_total.Get(), 2u);
  EXPECT_EQ(h.stats().set_aside.Get(), 2);
  h.EndsPool();
  EXPECT_EQ(h.stats().set_aside.Get(), 0);
}

}  // namespace
}  // namespace weir
