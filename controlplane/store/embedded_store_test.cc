#include "controlplane/store/embedded_store.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "controlplane/store/test_records.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "tests/support/embedded_store_harness.h"

namespace weir {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// While set, directories cannot be synchronised: as on a disk that fails behind a rename.
std::atomic<bool> directories_fail = false;

TEST_F(EmbeddedStoreTest, KeepsRecordsAndVersionsOverARestart) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  std::string revision = Write(record, "");
  record = TestRecord("alpha", 2);
  revision = Write(record, revision);
  Write(TestRecord("beta", 1), "");
  Open();
  const auto pools = store_->Load();
  ASSERT_EQ(pools->size(), 2u);
  EXPECT_TRUE(MessageDifferencer::Equals((*pools)[0].record, record));
  EXPECT_EQ((*pools)[0].revision, revision);
  const auto versions = store_->ListVersions("alpha");
  ASSERT_EQ(versions->size(), 2u);
  EXPECT_TRUE(MessageDifferencer::Equals((*versions)[0], TestVersion(record)));
  EXPECT_THAT(*store_->ListVersions("gamma"), IsEmpty());
}

TEST_F(EmbeddedStoreTest, IsPrivate) {
  Write(TestRecord("alpha", 1), "");
  const auto mode = [](const std::string& path) {
    struct stat status;
    return stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
  };
  for (const char* path : {"", "/pools", "/history", "/history/alpha"}) {
    EXPECT_EQ(mode(directory_ + path), 0700u) << path;
  }
  for (const char* path : {"/lock", "/pools/alpha.yml", "/history/alpha/1.json"}) {
    EXPECT_EQ(mode(directory_ + path), 0600u) << path;
  }
}

TEST_F(EmbeddedStoreTest, RefusesAWriteThatLostARace) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  EXPECT_EQ(ErrorOfWrite(TestRecord("alpha", 2), ""), "ABORTED: pool 'alpha': it exists");
  Write(TestRecord("alpha", 2), revision);
  EXPECT_EQ(ErrorOfWrite(TestRecord("alpha", 3), revision),
            "ABORTED: pool 'alpha': it has changed since it was read");
  EXPECT_EQ(ErrorOfWrite(TestRecord("beta", 1), revision),
            "ABORTED: pool 'beta': it does not exist any more");
  EXPECT_TRUE(absl::IsAborted(store_->Delete(TestRecord("alpha", 1), revision)));
  EXPECT_EQ(Stored("alpha").shard_map().generation(), 2u);
}

TEST_F(EmbeddedStoreTest, KeepsTheLastTwentyVersions) {
  std::string revision;
  for (int generation = 1; generation <= 25; ++generation) {
    revision = Write(TestRecord("alpha", generation), revision);
  }
  const auto versions = store_->ListVersions("alpha");
  ASSERT_EQ(versions->size(), 20u);
  EXPECT_EQ(versions->front().generation(), 25u);
  EXPECT_EQ(versions->back().generation(), 6u);
}

TEST_F(EmbeddedStoreTest, ForgetsADeletedPoolWithItsHistory) {
  const std::string revision = Write(TestRecord("alpha", 7), "");
  ASSERT_TRUE(store_->Delete(TestRecord("alpha", 7), revision).ok());
  EXPECT_THAT(*store_->Load(), IsEmpty());
  Open();
  EXPECT_THAT(*store_->Load(), IsEmpty());
  Write(TestRecord("alpha", 1), "");
  EXPECT_EQ(store_->ListVersions("alpha")->size(), 1u);
}

// The record of a pool that was deleted at this second.
v1::PoolRecord DeletedRecord(std::string_view pool, int second) {
  v1::PoolRecord record = TestRecord(pool, 1);
  record.set_uid(StrCat("uid-", second));
  record.mutable_changed()->set_seconds(second);
  return record;
}

TEST_F(EmbeddedStoreTest, RemembersDeletionsOverRestartsNewestFirst) {
  for (const int second : {1, 2}) {
    const v1::PoolRecord record = DeletedRecord("alpha", second);
    ASSERT_TRUE(store_->Delete(record, Write(record, "")).ok());
  }
  for (int opened = 0; opened < 2; ++opened) {
    const auto deleted = store_->ListDeleted();
    ASSERT_EQ(deleted->size(), 2u);
    EXPECT_TRUE(MessageDifferencer::Equals(deleted->front(), DeletedRecord("alpha", 2)));
    EXPECT_TRUE(MessageDifferencer::Equals(deleted->back(), DeletedRecord("alpha", 1)));
    Open();
  }
}

TEST_F(EmbeddedStoreTest, RemembersDeletionsOfANameWithoutAPoolAndLeavesItsFileAlone) {
  SaveByRename("alpha", "declared: {}\n");  // nobody has looked at it yet
  v1::PoolRecord record;
  record.set_name("alpha");
  record.set_uid("uid-1");
  for (const char* const id : {"first", "second"}) {
    record.add_requests()->set_id(id);
    ASSERT_TRUE(store_->Delete(record, "").ok());
  }
  EXPECT_EQ(FileText("alpha"), "declared: {}\n");
  for (int opened = 0; opened < 2; ++opened) {
    ASSERT_EQ(store_->ListDeleted()->size(), 1u);
    EXPECT_EQ(store_->ListDeleted()->front().requests_size(), 2);
    Open();
  }
}

TEST_F(EmbeddedStoreTest, ForgetsADeletionThatNeverCame) {
  const v1::PoolRecord record = DeletedRecord("alpha", 1);
  Write(record, "");
  std::ofstream(directory_ + "/deleted/uid-1.json") << FormatJson(record, 0);
  std::ofstream(directory_ + "/deleted/.uid-2.json.weir-tmp") << "{";
  Open();
  EXPECT_THAT(*store_->ListDeleted(), IsEmpty());
  EXPECT_EQ(store_->Load()->size(), 1u);
  EXPECT_EQ(access((directory_ + "/deleted/uid-1.json").c_str(), F_OK), -1);
  EXPECT_EQ(access((directory_ + "/deleted/.uid-2.json.weir-tmp").c_str(), F_OK), -1);
}

TEST_F(EmbeddedStoreTest, ShowsNoVersionOfAWriteThatNeverCame) {
  Write(TestRecord("alpha", 1), "");
  const v1::Version version = TestVersion(TestRecord("alpha", 2));
  std::ofstream(directory_ + "/history/alpha/2.json") << FormatJson(version, 0);
  std::ofstream(directory_ + "/history/alpha/.3.json.weir-tmp") << "{";
  std::ofstream(directory_ + "/pools/.alpha.yml.weir-tmp") << "half";
  Open();
  EXPECT_EQ(store_->ListVersions("alpha")->size(), 1u);
  EXPECT_NE(access((directory_ + "/pools/.alpha.yml.weir-tmp").c_str(), F_OK), 0);
  EXPECT_NE(access((directory_ + "/history/alpha/.3.json.weir-tmp").c_str(), F_OK), 0);
}

TEST_F(EmbeddedStoreTest, RefusesASecondWriterAndNamesTheFirst) {
  const auto second = EmbeddedStore::Open({.directory = directory_});
  EXPECT_EQ(second.status().ToString(),
            StrCat("FAILED_PRECONDITION: ", directory_, ": another weir-control has it open, pid ",
                   getpid()));
  Open();  // closed by the first
}

// As when the first one was stopped, taken for dead, and goes on after another was started.
TEST_F(EmbeddedStoreTest, AWriterWhoseLockWasTakenAwayUndoesNothingOfTheNextOnes) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  ASSERT_EQ(unlink((directory_ + "/lock").c_str()), 0);
  auto second = EmbeddedStore::Open({.directory = directory_});
  ASSERT_TRUE(second.ok()) << second.status();
  v1::PoolRecord live = TestRecord("alpha", 1);  // only the shards in force change
  live.mutable_shard_map()->set_generation(2);
  const v1::Version version = TestVersion(live);
  ASSERT_TRUE((*second)->Write(live, revision, &version).ok());
  const std::string text = FileText("alpha");

  Watch();  // finds what the second has written
  EXPECT_THAT(listener_.Next(), AllOf(HasSubstr("refused alpha "), HasSubstr("/lock: the lock")));
  EXPECT_THAT(ErrorOfWrite(TestRecord("alpha", 3), revision),
              AllOf(HasSubstr("UNAVAILABLE: "), HasSubstr("the lock was taken away")));
  EXPECT_TRUE(absl::IsUnavailable(store_->Delete(TestRecord("alpha", 1), revision)));
  EXPECT_EQ(FileText("alpha"), text);
  EXPECT_EQ((*second)->ListVersions("alpha")->size(), 2u);
  second->reset();
  Open();
  EXPECT_EQ(Stored("alpha").shard_map().generation(), 2u);
}

TEST_F(EmbeddedStoreTest, AWriterWhoseLockWasTakenAwayLeavesTheNextOnesAddressesAlone) {
  ASSERT_TRUE(store_->WriteAddresses({.resolved = {{"a.example:1", {"192.0.2.1:1"}}}}).ok());
  ASSERT_EQ(unlink((directory_ + "/lock").c_str()), 0);
  const auto second = EmbeddedStore::Open({.directory = directory_});
  ASSERT_TRUE(second.ok()) << second.status();
  const KnownAddresses theirs = {.resolved = {{"a.example:1", {"192.0.2.2:1"}}}};
  ASSERT_TRUE((*second)->WriteAddresses(theirs).ok());
  EXPECT_THAT(store_->WriteAddresses({.resolved = {{"a.example:1", {"192.0.2.3:1"}}}}).ToString(),
              AllOf(HasSubstr("UNAVAILABLE: "), HasSubstr("the lock was taken away")));
  EXPECT_EQ(*ReadAddressFile(directory_), theirs);
}

TEST_F(EmbeddedStoreTest, RefusesToOpenWithADamagedRecord) {
  Write(TestRecord("alpha", 1), "");
  const std::string text = FileText("alpha");
  Save("alpha", Replaced(text, "slot-1", "slot-2"));
  const absl::Status status = TryOpen();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(status.ToString(), HasSubstr("alpha.yml:"));
  EXPECT_THAT(status.ToString(), HasSubstr("in_force is damaged or was edited"));
  Save("alpha", text);
  Open();
  ASSERT_EQ(rename(Path("alpha").c_str(), Path("beta").c_str()), 0);
  EXPECT_THAT(TryOpen().ToString(), HasSubstr("in_force is that of pool 'alpha'"));
}

TEST_F(EmbeddedStoreTest, ADamagedFileOfTheHistoryCostsOneVersion) {
  std::string revision;
  for (const uint64_t generation : {1, 2, 3, 4}) {
    revision = Write(TestRecord("alpha", generation), revision);
  }
  const std::string history = directory_ + "/history/alpha/";
  std::ofstream(history + "1.json") << "{ \"generation\": ";
  std::filesystem::copy_file(history + "4.json", history + "2.json",
                             std::filesystem::copy_options::overwrite_existing);
  const auto versions = store_->ListVersions("alpha");
  ASSERT_TRUE(versions.ok()) << versions.status();
  ASSERT_EQ(versions->size(), 4u);
  for (const size_t whole : {0, 1}) {
    EXPECT_EQ((*versions)[whole].error(), "");
    EXPECT_EQ((*versions)[whole].generation(), 4 - whole);
  }
  EXPECT_EQ((*versions)[2].generation(), 2u);
  EXPECT_EQ((*versions)[2].error(), history + "2.json: found generation 4, expected 2");
  EXPECT_EQ((*versions)[3].generation(), 1u);
  EXPECT_THAT((*versions)[3].error(), HasSubstr(history + "1.json: INVALID_ARGUMENT"));
}

TEST_F(EmbeddedStoreTest, AStrayFileInAHistoryDoesNotBlockTheNameAfterADeletion) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  std::ofstream(directory_ + "/history/alpha/1.json~") << "a copy";
  ASSERT_TRUE(store_->Delete(TestRecord("alpha", 1), revision).ok());
  EXPECT_EQ(ErrorOfWrite(TestRecord("alpha", 1), ""), "OK");
}

TEST_F(EmbeddedStoreTest, SaysWhyADirectoryCannotBeUsed) {
  store_.reset();
  directory_ = "/dev/null/x";
  EXPECT_THAT(TryOpen().ToString(),
              HasSubstr("/dev/null/x: cannot be created as a directory: Not a directory"));
}

TEST_F(EmbeddedStoreTest, AFullDiskChangesNothing) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  rlimit old;
  getrlimit(RLIMIT_FSIZE, &old);
  // Room for the version, but not for the pool; then for neither.
  for (const rlim_t room : {rlim_t{1000}, rlim_t{10}}) {
    v1::PoolRecord record = TestRecord("alpha", 2);
    record.add_requests()->set_id(std::string(2000, 'x'));
    const v1::Version version = TestVersion(record);
    const rlimit limit = {.rlim_cur = room, .rlim_max = old.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const auto result = store_->Write(record, revision, &version);
    setrlimit(RLIMIT_FSIZE, &old);
    EXPECT_TRUE(absl::IsResourceExhausted(result.status)) << result.status;
    EXPECT_EQ(Stored("alpha").shard_map().generation(), 1u);
    EXPECT_EQ(store_->ListVersions("alpha")->size(), 1u);
  }
  signal(SIGXFSZ, handler);
  Write(TestRecord("alpha", 2), revision);
  Open();
  EXPECT_EQ(Stored("alpha").shard_map().generation(), 2u);
}

TEST_F(EmbeddedStoreTest, AFailureBehindTheRenameIsToldWithTheRevisionThatTheNextWriteNeeds) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  directories_fail = true;
  const WriteResult made = store_->Write(TestRecord("alpha", 2), revision, nullptr);
  directories_fail = false;
  EXPECT_TRUE(absl::IsDataLoss(made.status)) << made.status;
  EXPECT_EQ(Stored("alpha").shard_map().generation(), 2u);
  Write(TestRecord("alpha", 3), made.revision);
}

TEST_F(EmbeddedStoreTest, AVersionThatIsNotSureToLastMakesNoChange) {
  directories_fail = true;  // also of the history's new directory
  const v1::PoolRecord record = TestRecord("alpha", 1);
  const v1::Version version = TestVersion(record);
  const WriteResult result = store_->Write(record, "", &version);
  directories_fail = false;
  EXPECT_TRUE(absl::IsUnavailable(result.status)) << result.status;
  EXPECT_THAT(*store_->Load(), IsEmpty());
  Write(record, "");
  EXPECT_EQ(store_->ListVersions("alpha")->size(), 1u);
}

TEST_F(EmbeddedStoreTest, RefusesARecordWhoseSpecIsBad) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  record.mutable_spec()->mutable_servers(0)->clear_endpoint();
  EXPECT_THAT(ErrorOfWrite(record, ""), HasSubstr("INVALID_ARGUMENT: servers[0].endpoint: "));
  EXPECT_THAT(ErrorOfWrite(TestRecord("../alpha", 1), ""), HasSubstr("INVALID_ARGUMENT: name: "));
}
}  // namespace
}  // namespace weir

// In place of the C library's.
extern "C" int fsync(int fd) {
  struct stat status;
  if (weir::directories_fail && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
    errno = EIO;
    return -1;
  }
  return fdatasync(fd);
}
