#include "controlplane/server/deletions.h"

#include <string>
#include <vector>

#include "controlplane/store/pool_store.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

// The last record of a pool that was deleted at this second by request "delete-SECOND".
v1::PoolRecord Deleted(const std::string& pool, int second) {
  v1::PoolRecord record;
  record.set_name(pool);
  record.set_uid(StrCat("uid-", second));
  record.mutable_created()->set_seconds(second - 1);
  record.mutable_changed()->set_seconds(second);
  record.mutable_shard_map()->set_generation(6);
  record.add_requests()->set_id(StrCat("delete-", second));
  return record;
}

TEST(DeletionsTest, FindsTheRequestOfEachDeletionOfAName) {
  Deletions deletions({Deleted("alpha", 20), Deleted("beta", 10)});
  deletions.Add(Deleted("alpha", 30));
  EXPECT_EQ(deletions.FindRequest("alpha", "delete-20")->uid(), "uid-20");
  EXPECT_EQ(deletions.FindRequest("alpha", "delete-30")->uid(), "uid-30");
  EXPECT_EQ(deletions.FindRequest("alpha", "delete-10"), nullptr);
  EXPECT_EQ(deletions.LastOf("alpha")->seconds(), 30);
  EXPECT_FALSE(deletions.LastOf("gamma").has_value());
}

TEST(DeletionsTest, TellsEachRemovalAboveTheLastGeneration) {
  const Deletions deletions({Deleted("alpha", 20)});
  ASSERT_EQ(deletions.Removals().size(), 1u);
  const v1::RemovedResource removal = deletions.Removals()[0];
  EXPECT_EQ(removal.key().name(), "alpha");
  EXPECT_EQ(removal.uid(), "uid-20");
  EXPECT_EQ(removal.generation(), 7u);
  EXPECT_EQ(removal.created().seconds(), 19);
}

TEST(DeletionsTest, KeepsAllDeletionsOfANameWithoutAPoolInOneRecordThatRemovesNothing) {
  Deletions deletions;
  for (int second = 1; second <= 3; ++second) {
    v1::PoolRecord missing = Deleted("alpha", second);
    missing.clear_shard_map();
    const std::vector<v1::PoolRecord> forgotten = deletions.Add(deletions.JoinMissing(missing));
    EXPECT_EQ(forgotten.size(), second == 1 ? 0u : 1u);
  }
  ASSERT_EQ(deletions.records().size(), 1u);
  EXPECT_EQ(deletions.records().front().uid(), "uid-1");
  EXPECT_NE(deletions.FindRequest("alpha", "delete-1"), nullptr);
  EXPECT_NE(deletions.FindRequest("alpha", "delete-3"), nullptr);
  EXPECT_EQ(deletions.LastOf("alpha")->seconds(), 3);
  EXPECT_TRUE(deletions.Removals().empty());
}

TEST(DeletionsTest, ForgetsTheOldestAndSaysUntilWhen) {
  Deletions deletions;
  const int last = static_cast<int>(PoolStore::kMaxDeleted);
  for (int second = 1; second < last; ++second) deletions.Add(Deleted("alpha", second));
  EXPECT_FALSE(deletions.ForgottenBefore().has_value());
  deletions.Add(Deleted("alpha", last));
  deletions.Add(Deleted("alpha", last + 1));
  EXPECT_EQ(deletions.Removals().size(), PoolStore::kMaxDeleted);
  EXPECT_EQ(deletions.FindRequest("alpha", "delete-1"), nullptr);
  EXPECT_EQ(deletions.ForgottenBefore()->seconds(), 2);
}

TEST(DeletionsTest, DeletionsOfNamesWithoutAPoolPushNoneOfAPoolOut) {
  Deletions deletions;
  deletions.Add(Deleted("alpha", 1));
  const int last = static_cast<int>(PoolStore::kMaxDeleted) + 2;
  for (int second = 2; second <= last; ++second) {
    v1::PoolRecord missing = Deleted(StrCat("name-", second), second);
    missing.clear_shard_map();
    const std::vector<v1::PoolRecord> forgotten = deletions.Add(deletions.JoinMissing(missing));
    EXPECT_EQ(forgotten.size(), second == last ? 1u : 0u);
  }
  EXPECT_NE(deletions.FindRequest("alpha", "delete-1"), nullptr);
  EXPECT_EQ(deletions.Removals().size(), 1u);
  EXPECT_FALSE(deletions.ForgottenBefore().has_value());
  EXPECT_EQ(deletions.FindRequest("name-2", "delete-2"), nullptr);
  EXPECT_NE(deletions.FindRequest("name-3", "delete-3"), nullptr);
}

}  // namespace
}  // namespace weir
