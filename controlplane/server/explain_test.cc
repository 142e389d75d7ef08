#include "controlplane/server/explain.h"

#include <string>
#include <utility>
#include <vector>

#include "controlplane/server/error_details.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::ElementsAre;

class ExplainTest : public ::testing::Test {
 protected:
  ExplainTest() {
    v1::PoolRecord& record = pool_.stored.record;
    record.set_name("alpha");
    policy().set_distribution("modula");
    policy().set_hash("fnv1a_64");
    for (const char* name : {"a", "b", "c"}) {
      v1::Slot& slot = *record.mutable_shard_map()->add_slots();
      slot.set_name(name);
      slot.set_weight(1);
      slot.set_state(v1::SLOT_ACTIVE);
      slot.set_endpoint(StrCat("host-", name, ":6379"));
    }
    request_.set_pool("alpha");
  }

  v1::PoolPolicy& policy() { return *pool_.stored.record.mutable_spec()->mutable_policy(); }
  v1::Slot& slot(int index) {
    return *pool_.stored.record.mutable_shard_map()->mutable_slots(index);
  }

  v1::ExplainKeyResponse Explain(const std::string& key) {
    request_.set_key(key);
    pool_.resources = ResourcesOf(pool_.stored.record, {{"a", {"10.0.0.1:1"}}});
    const auto response = ExplainKey(pool_, request_);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : v1::ExplainKeyResponse();
  }
  // The field that is wrong with the request.
  std::string Refusal() {
    pool_.resources = ResourcesOf(pool_.stored.record, {});
    const auto response = ExplainKey(pool_, request_);
    const google::rpc::BadRequest details = BadRequestOf(response.status());
    return details.field_violations().empty() ? StrCat(response.status().ToString())
                                              : details.field_violations(0).field();
  }
  void Proposes(const std::string& name, uint32_t weight = 1) {
    v1::RingSlot& slot = *request_.add_proposed_slots();
    slot.set_name(name);
    slot.set_weight(weight);
  }

  PoolState pool_;
  v1::ExplainKeyRequest request_;
};

// fnv1a_64 of "apple" is 1488911807 (twemproxy's test_all.c), which is 2 modulo 3.
TEST_F(ExplainTest, TellsHashPointAndShard) {
  const v1::ExplainKeyResponse response = Explain("apple");
  EXPECT_EQ(response.hash_input(), "apple");
  EXPECT_EQ(response.hash(), 1488911807u);
  EXPECT_EQ(response.now().ring_point(), 2u);
  EXPECT_EQ(response.now().shard(), "c");
  EXPECT_EQ(response.now().endpoint(), "host-c:6379");
  EXPECT_EQ(response.now().state(), v1::SLOT_ACTIVE);
  EXPECT_FALSE(response.has_proposed());
}

TEST_F(ExplainTest, HashesTheTaggedPartAndShowsBytesThatAreNoText) {
  policy().set_hash_tag("{}");
  EXPECT_EQ(Explain("user:{apple}:1").hash(), 1488911807u);
  EXPECT_EQ(Explain("user:{apple}:1").hash_input(), "apple");
  EXPECT_EQ(Explain(std::string("\xff\n", 2)).hash_input(), "\\377\\n");
}

TEST_F(ExplainTest, ShowsTheAddressesOfTheShard) {
  slot(1).set_state(v1::SLOT_DRAINING);
  slot(2).set_state(v1::SLOT_DRAINING);
  const v1::ExplainKeyResponse response = Explain("apple");
  EXPECT_EQ(response.now().shard(), "a");
  EXPECT_THAT(response.now().addresses(), ElementsAre("10.0.0.1:1"));
}

TEST_F(ExplainTest, AnEmptyRingIsNoPlace) {
  for (int i = 0; i < 3; ++i) slot(i).set_state(v1::SLOT_DRAINING);
  Proposes("z");
  const v1::ExplainKeyResponse response = Explain("apple");
  EXPECT_FALSE(response.has_now());
  EXPECT_EQ(response.proposed().shard(), "z");
  EXPECT_EQ(response.proposed().endpoint(), "");  // it does not exist yet
}

TEST_F(ExplainTest, ComparesWithProposedShardsInAnyOrder) {
  Proposes("b");
  Proposes("a");
  EXPECT_EQ(Explain("apple").proposed().shard(), "b");  // odd: the second by name
  EXPECT_EQ(Explain("apple").proposed().endpoint(), "host-b:6379");
}

TEST_F(ExplainTest, RefusesShardsThatMakeNoRing) {
  Proposes("a");
  Proposes("a");
  EXPECT_EQ(Refusal(), "proposed_slots[1].name");
  request_.clear_proposed_slots();
  Proposes("");
  EXPECT_EQ(Refusal(), "proposed_slots[0].name");
  request_.clear_proposed_slots();
  Proposes("a", 0x80000000u);
  EXPECT_EQ(Refusal(), "proposed_slots[0].weight");
  request_.clear_proposed_slots();
  for (int i = 0; i <= 10'000; ++i) Proposes(std::to_string(i));
  EXPECT_EQ(Refusal(), "proposed_slots");
}

TEST_F(ExplainTest, NoKeyHasAPlaceUnderRandom) {
  policy().set_distribution("random");
  EXPECT_TRUE(absl::IsFailedPrecondition(ExplainKey(pool_, request_).status()));
}

}  // namespace
}  // namespace weir
