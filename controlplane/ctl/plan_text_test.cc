#include "controlplane/ctl/plan_text.h"

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

template <typename Message>
Message Read(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

TEST(PlanTextTest, ShowsWhatChangesWhatMovesAndWhyItIsHeld) {
  EXPECT_EQ(FormatPlan(Read<v1::Plan>(
                "id: '3f2a' pool: 'alpha' base_generation: 12 changes: \"shard 'c': added\" "
                "shards_before: 2 shards_after: 3 moved_fraction: 0.3334 method: PLAN_EXACT "
                "moves { from_shard: 'a' to_shard: 'c' fraction: 0.1667 } "
                "moves { from_shard: 'long-name' to_shard: 'c' fraction: 0.1667 } "
                "held_because: 'moves 33.34 % of the keys, 10 % are permitted'")),
            "plan 3f2a of pool 'alpha', from generation 12\n"
            "  shard 'c': added\n"
            "shards on the ring: 2 -> 3\n"
            "keys that move: 33.34 %\n"
            "  FROM       TO  KEYS\n"
            "  a          c   16.67 %\n"
            "  long-name  c   16.67 %\n"
            "held by the guard: moves 33.34 % of the keys, 10 % are permitted\n");
}

TEST(PlanTextTest, SumsTheMovesThatItDoesNotList) {
  v1::Plan plan;
  for (int i = 0; i < 30; ++i) plan.add_moves()->set_fraction(0.01);
  plan.set_moved_fraction(0.3);
  EXPECT_THAT(FormatPlan(plan), HasSubstr("  (others)  -         10.00 %\n"));
}

TEST(PlanTextTest, SaysHowSureItIs) {
  EXPECT_THAT(
      FormatPlan(Read<v1::Plan>(
          "method: PLAN_ESTIMATED moved_fraction: 0.5 estimated_because: 'crc16 is uneven'")),
      HasSubstr("about 50.00 % (estimated: crc16 is uneven)"));
  EXPECT_THAT(FormatPlan(Read<v1::Plan>("method: PLAN_NOT_APPLICABLE")),
              HasSubstr("not applicable"));
}

TEST(PlanTextTest, NamesTheProxiesThatHaveNotAcknowledged) {
  const auto response = Read<v1::ChangeResponse>(
      "proxies { node_id: 'p1' outcome: PROXY_ACKED } "
      "proxies { node_id: 'p2' outcome: PROXY_NACKED reason: 'policy.listen: in use' } "
      "proxies { node_id: 'p3' outcome: PROXY_TIMEOUT }");
  EXPECT_FALSE(AllAcked(response));
  EXPECT_EQ(FormatProxyResults(response),
            "1 of 3 proxies have acknowledged\n"
            "  PROXY  OUTCOME            REASON\n"
            "  p2     refused            policy.listen: in use\n"
            "  p3     no answer in time  -\n");
  EXPECT_TRUE(AllAcked(v1::ChangeResponse()));
}

}  // namespace
}  // namespace weir
