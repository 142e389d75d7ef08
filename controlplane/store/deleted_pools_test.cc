#include "controlplane/store/deleted_pools.h"

#include <fstream>
#include <string>
#include <vector>

#include "controlplane/store/test_records.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The record of a pool that was deleted at this second.
v1::PoolRecord Deleted(int second) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  record.set_uid(StrCat("uid-", second));
  record.mutable_changed()->set_seconds(second);
  return record;
}

std::vector<std::string> Uids(const DeletedPools& deleted) {
  std::vector<std::string> uids;
  for (const v1::PoolRecord& record : deleted.records()) uids.push_back(record.uid());
  return uids;
}

TEST(DeletedPoolsTest, KeepsTheLastOnesAndTheirFiles) {
  const TempDirectory directory;
  DeletedPools deleted(directory.path(), 2);
  for (const int second : {1, 2, 3, 4}) ASSERT_TRUE(deleted.Add(Deleted(second)).ok());
  EXPECT_THAT(Uids(deleted), ElementsAre("uid-4", "uid-3"));
  DeletedPools read(directory.path(), 3);
  ASSERT_TRUE(read.Read({}).ok());
  EXPECT_THAT(Uids(read), ElementsAre("uid-4", "uid-3"));
  // With less room after a restart.
  DeletedPools smaller(directory.path(), 1);
  ASSERT_TRUE(smaller.Read({}).ok());
  EXPECT_THAT(Uids(smaller), ElementsAre("uid-4"));
}

TEST(DeletedPoolsTest, NamesThatHadNoPoolTakeNoRoomOfPools) {
  const TempDirectory directory;
  DeletedPools deleted(directory.path(), 2);
  for (const int second : {1, 2}) ASSERT_TRUE(deleted.Add(Deleted(second)).ok());
  for (const int second : {3, 4, 5}) {
    v1::PoolRecord missing = Deleted(second);
    missing.clear_shard_map();
    ASSERT_TRUE(deleted.Add(missing).ok());
  }
  EXPECT_THAT(Uids(deleted), ElementsAre("uid-5", "uid-4", "uid-2", "uid-1"));
  DeletedPools read(directory.path(), 2);
  ASSERT_TRUE(read.Read({}).ok());
  EXPECT_THAT(Uids(read), ElementsAre("uid-5", "uid-4", "uid-2", "uid-1"));
}

TEST(DeletedPoolsTest, ForgetsWhatDidNotCome) {
  const TempDirectory directory;
  DeletedPools deleted(directory.path(), 9);
  ASSERT_TRUE(deleted.Add(Deleted(1)).ok());
  ASSERT_TRUE(deleted.Add(Deleted(2)).ok());
  deleted.Withdraw("uid-2");
  EXPECT_THAT(Uids(deleted), ElementsAre("uid-1"));
  DeletedPools read(directory.path(), 9);
  ASSERT_TRUE(read.Read({"uid-1"}).ok());
  EXPECT_THAT(Uids(read), IsEmpty());
}

TEST(DeletedPoolsTest, NamesAFileThatItCannotRead) {
  const TempDirectory directory;
  std::ofstream(directory.path() + "/uid-1.json") << "{";
  DeletedPools deleted(directory.path(), 9);
  const absl::Status status = deleted.Read({});
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(status.ToString(), HasSubstr("uid-1.json"));
}

}  // namespace
}  // namespace weir
