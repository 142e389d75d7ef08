#include "controlplane/model/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "proxy/base/strings.h"

namespace weir {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Shards as "name*weight@endpoint", apart by spaces; weight and endpoint may be left out. In force
// also "!" for draining and "+" for added live, at the end.
ShardSpecs Declared(const std::string& text) {
  ShardSpecs shards;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    v1::ShardSpec& shard = *shards.Add();
    shard.set_name(word.substr(0, word.find_first_of("*@")));
    size_t weight = word.find('*');
    shard.set_weight(weight == std::string::npos ? 1
                                                 : static_cast<uint32_t>(word[weight + 1] - '0'));
    size_t endpoint = word.find('@');
    shard.set_endpoint(endpoint == std::string::npos ? "h" : word.substr(endpoint + 1));
  }
  return shards;
}

Slots InForce(const std::string& text) {
  Slots slots;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    v1::Slot& slot = *slots.Add();
    slot.set_state(v1::SLOT_ACTIVE);
    slot.set_source(v1::SLOT_FROM_SPEC);
    if (word.ends_with('!')) slot.set_state(v1::SLOT_DRAINING);
    if (word.ends_with('+')) slot.set_source(v1::SLOT_FROM_API);
    word.erase(std::min(word.find_first_of("!+"), word.size()));
    v1::ShardSpec shard = Declared(word)[0];
    slot.set_name(shard.name());
    slot.set_weight(shard.weight());
    slot.set_endpoint(shard.endpoint());
  }
  return slots;
}

std::string Text(const Slots& slots) {
  std::string text;
  for (const v1::Slot& slot : slots) {
    StrAppend(&text, text.empty() ? "" : " ", slot.name());
    if (slot.weight() != 1) StrAppend(&text, "*", slot.weight());
    if (slot.endpoint() != "h") StrAppend(&text, "@", slot.endpoint());
    if (slot.state() == v1::SLOT_DRAINING) text += "!";
    if (slot.source() == v1::SLOT_FROM_API) text += "+";
  }
  return text;
}

struct MergeCase {
  const char* name;
  const char* merged;
  const char* declared;
  const char* in_force;
  const char* result;
};

// clang-format off
constexpr MergeCase kCases[] = {
    {"TheFirstDeclarationAddsEverything", "", "a b*2", "", "a b*2"},
    {"NothingChangedChangesNothing", "a b", "a b", "a b", "a b"},
    {"AShardAddedLiveStaysWhenTheDeclarationChangesElsewhere", "a b", "a b*3", "a b c+", "a b*3 c+"},
    {"AnEntryDeletedTakesExactlyThatShard", "a b c", "a c", "a b c d+", "a c d+"},
    {"AShardRemovedLiveAndDeclaredAgainUnchangedStaysRemoved", "a b", "a b", "a", "a"},
    {"AShardRemovedLiveStaysRemovedWhenAnotherIsAdded", "a b", "a b c", "a", "a c"},
    {"AShardRemovedLiveStaysRemovedWhenItsWeightIsDeclaredAnew", "a b", "a b*2", "a", "a"},
    {"AShardRemovedLiveReturnsWhenDeletedAndDeclaredAgain", "a", "a b", "a", "a b"},
    {"AWeightSetLiveStaysWhenTheDeclarationChangesAnotherShard", "a b", "a b*2", "a*5 b", "a*5 b*2"},
    {"ADeclaredWeightIsAppliedOverTheLiveOne", "a b", "a*3 b", "a*5 b", "a*3 b"},
    {"ADeclaredEndpointIsAppliedOverTheLiveOne", "a@x", "a@y", "a@z", "a@y"},
    {"ADeclaredWeightLeavesTheLiveEndpoint", "a@x", "a*2@x", "a*5@z", "a*2@z"},
    {"ADeclaredEndpointLeavesTheLiveWeight", "a@x", "a@y", "a*5@x", "a*5@y"},
    {"TheOrderOfTheDeclarationMeansNothing", "a b c", "c a b", "a b*2 c", "a b*2 c"},
    {"ADrainingShardStaysDrainingWhenItsWeightIsDeclared", "a b", "a b*2", "a b!", "a b*2!"},
    {"ADrainingShardGoesWhenItsEntryIsDeleted", "a b", "a", "a b!", "a"},
    {"AShardAddedLiveAndDeclaredLaterBelongsToTheDeclaration", "a", "a b*2@y", "a b*7@x+", "a b*2@y"},
    {"DeletingAnEntryThatWasRemovedLiveIsNothing", "a b", "a", "a", "a"},
    {"AnEmptyDeclarationTakesWhatWasDeclaredOnly", "a b", "", "a b c+", "c+"},
    {"WeightZeroMeansOne", "a*0", "a*1", "a*4", "a*4"},
};
// clang-format on

class MergeTest : public testing::TestWithParam<MergeCase> {};

TEST_P(MergeTest, AppliesOnlyWhatTheAuthorChanged) {
  const MergeCase& c = GetParam();
  EXPECT_EQ(Text(MergeServers(Declared(c.merged), Declared(c.declared), InForce(c.in_force))),
            c.result);
}

INSTANTIATE_TEST_SUITE_P(Cases, MergeTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(DuplicateNameTest, FindsTheNameThatOccursTwice) {
  EXPECT_EQ(DuplicateName(Declared("a b c")), "");
  EXPECT_EQ(DuplicateName(Declared("a b a*2")), "a");
}

TEST(DriftTest, NoneWhenInForceIsWhatIsDeclared) {
  EXPECT_THAT(Drift(Declared("b a*2"), InForce("a*2 b")), IsEmpty());
}

TEST(DriftTest, EveryDifferenceIsALine) {
  EXPECT_THAT(
      Drift(Declared("a b c@x d e*2"), InForce("a*3 b! c@y e*2 f*4+")),
      ElementsAre("shard a: weight 3 in force, 1 declared", "shard b: draining",
                  "shard c: endpoint y in force, x declared", "shard d: declared, but removed live",
                  "shard f: added live (h, weight 4), not declared"));
}

TEST(DriftTest, SlotsOfAStatefulSetAreNoDifference) {
  Slots slots = InForce("a");
  slots[0].set_source(v1::SLOT_FROM_STATEFULSET);
  EXPECT_THAT(Drift({}, slots), IsEmpty());
}

}  // namespace
}  // namespace weir
