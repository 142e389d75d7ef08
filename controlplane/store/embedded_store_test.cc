#include "controlplane/store/embedded_store.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <deque>
#include <fstream>
#include <iterator>

#include "controlplane/store/test_records.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// While set, directories cannot be synchronised: as on a disk that fails behind a rename.
std::atomic<bool> directories_fail = false;

// What the store told, one line each: "declared POOL TIMEOUT", "refused POOL ERRORS", "in order
// POOL".
class Listener : public PoolStoreObserver {
 public:
  bool OnDeclared(const std::string& pool, const v1::PoolSpec& spec) override {
    Add(StrCat("declared ", pool, " ", spec.policy().timeout()));
    return takes;
  }
  void OnRefused(const std::string& pool, const std::string& errors) override {
    Add(errors.empty() ? StrCat("in order ", pool) : StrCat("refused ", pool, " ", errors));
  }
  void OnChanged(const StoredPool& pool) override { Add("changed " + pool.record.name()); }
  void OnDeleted(const std::string& pool) override { Add("deleted " + pool); }

  // Waits for the next line; "nothing" when none comes.
  std::string Next() {
    std::unique_lock lock(mutex_);
    if (!more_.wait_for(lock, std::chrono::seconds(20), [this] { return !lines_.empty(); })) {
      return "nothing";
    }
    std::string line = lines_.front();
    lines_.pop_front();
    return line;
  }
  std::atomic<bool> takes = true;  // what is declared is in force or held then
  size_t waiting() {
    const std::lock_guard lock(mutex_);
    return lines_.size();
  }

 private:
  void Add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    more_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::string> lines_;
};

class EmbeddedStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  absl::Status TryOpen() {
    store_.reset();
    auto store = EmbeddedStore::Open({.directory = directory_,
                                      .quiet = absl::Milliseconds(100),
                                      .retry = absl::Milliseconds(20)});
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return absl::OkStatus();
  }
  void Open() {
    const absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
  }
  void Watch() { ASSERT_TRUE(store_->Watch(listener_).ok()); }

  // Writes a record with its version; its revision.
  std::string Write(const v1::PoolRecord& record, std::string_view expected_revision) {
    const v1::Version version = TestVersion(record);
    const WriteResult result = store_->Write(record, expected_revision, &version);
    EXPECT_TRUE(result.ok()) << result.status;
    return result.revision;
  }
  std::string ErrorOfWrite(const v1::PoolRecord& record, std::string_view expected_revision) {
    return store_->Write(record, expected_revision, nullptr).status.ToString();
  }
  v1::PoolRecord Stored(std::string_view pool) {
    const auto pools = store_->Load();
    for (const StoredPool& stored : *pools) {
      if (stored.record.name() == pool) return stored.record;
    }
    return {};
  }

  std::string Path(std::string_view pool) { return StrCat(directory_, "/pools/", pool, ".yml"); }
  std::string FileText(std::string_view pool) {
    std::ifstream stream(Path(pool));
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  // As an editor that writes into the file. A new file, which nothing shows to be half written, is
  // better renamed into place.
  void Save(std::string_view pool, std::string_view text) { std::ofstream(Path(pool)) << text; }
  // As an editor that renames a new file into place.
  void SaveByRename(std::string_view pool, std::string_view text) {
    const std::string other = Path("swap") + "~";
    std::ofstream(other) << text;
    ASSERT_EQ(rename(other.c_str(), Path(pool).c_str()), 0);
  }
  std::string Replaced(std::string text, std::string_view from, std::string_view to) {
    const size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from << " in " << text;
    return at == text.npos ? text : text.replace(at, from.size(), to);
  }
  // A file that is edited last shows that there was nothing to tell of before it.
  void ExpectNothingMore() {
    SaveByRename("marker",
                 "declared: {listen: \"h:1\", redis: true, timeout: 99, servers: [\"h:2:1\"]}");
    EXPECT_EQ(listener_.Next(), "declared marker 99");
    EXPECT_EQ(listener_.waiting(), 0u);
  }

  const TempDirectory temporary_;
  std::string directory_ = temporary_.path() + "/data";
  Listener listener_;
  std::unique_ptr<EmbeddedStore> store_;
};

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

// --- edits by hand ---

TEST_F(EmbeddedStoreTest, TellsOfAnEditByHandAndKeepsItsComments) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  Watch();
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 400  # slow disks"));
  EXPECT_EQ(listener_.Next(), "declared alpha 400");
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 1u);  // until it is written

  v1::PoolRecord record = TestRecord("alpha", 2);
  *record.mutable_spec() = TestSpec(400);
  Write(record, revision);
  EXPECT_THAT(FileText("alpha"), HasSubstr("# slow disks"));
  ExpectNothingMore();
  Open();
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 400u);
}

TEST_F(EmbeddedStoreTest, TellsOfAFileThatIsRenamedIntoPlace) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  SaveByRename("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 2"));
  EXPECT_EQ(listener_.Next(), "declared alpha 2");
}

TEST_F(EmbeddedStoreTest, TellsOfAPoolThatIsDeclaredInANewFile) {
  Watch();
  const std::string text =
      "declared:\n  listen: h:1\n  timeout: 3\n  redis: true\n  servers:\n    - h:2:1 one\n";
  SaveByRename("gamma", text);
  EXPECT_EQ(listener_.Next(), "declared gamma 3");
  v1::PoolRecord record = TestRecord("gamma", 1);
  record.mutable_spec()->mutable_policy()->set_listen("h:1");
  record.mutable_spec()->mutable_policy()->set_timeout(3);
  record.mutable_spec()->mutable_servers(0)->set_endpoint("h:2");
  Write(record, "");
  EXPECT_TRUE(FileText("gamma").starts_with(text));
}

TEST_F(EmbeddedStoreTest, TakesItsOwnWritesForNoEdits) {
  Watch();
  std::string revision;
  for (int generation = 1; generation <= 10; ++generation) {
    revision = Write(TestRecord("alpha", generation), revision);
  }
  ExpectNothingMore();
}

TEST_F(EmbeddedStoreTest, RefusesABadEditWithItsLineAndLeavesItThere) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  Watch();
  const std::string bad = Replaced(FileText("alpha"), "timeout: 1", "timeout: soon");
  Save("alpha", bad);
  EXPECT_EQ(listener_.Next(),
            StrCat("refused alpha ", Path("alpha"),
                   ":5: pool 'alpha', key 'timeout': found 'soon', expected milliseconds >= 0"));
  EXPECT_EQ(FileText("alpha"), bad);
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 1u);

  // Live changes go on around it; another declaration does not overwrite it.
  v1::PoolRecord record = Stored("alpha");
  record.mutable_shard_map()->set_generation(2);
  const std::string next = Write(record, revision);
  EXPECT_THAT(FileText("alpha"), HasSubstr("timeout: soon"));
  EXPECT_THAT(ErrorOfWrite(TestRecord("alpha", 3), next),
              AllOf(HasSubstr("FAILED_PRECONDITION"),
                    HasSubstr("alpha.yml was edited and is not applied")));

  // Over a restart, too.
  Open();
  EXPECT_EQ(Stored("alpha").shard_map().generation(), 2u);
  Listener again;
  ASSERT_TRUE(store_->Watch(again).ok());
  EXPECT_THAT(again.Next(), HasSubstr("key 'timeout': found 'soon'"));
  Save("alpha", Replaced(FileText("alpha"), "timeout: soon", "timeout: 8"));
  EXPECT_EQ(again.Next(), "declared alpha 8");
}

TEST_F(EmbeddedStoreTest, TellsOnceWhenWhatWasRefusedIsTakenBack) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  const std::string good = FileText("alpha");
  Save("alpha", Replaced(good, "timeout: 1", "timeout: soon"));
  EXPECT_THAT(listener_.Next(), HasSubstr("refused alpha "));
  Save("alpha", good);
  EXPECT_EQ(listener_.Next(), "in order alpha");
  Save("alpha", "# another comment\n" + good);
  ExpectNothingMore();
}

TEST_F(EmbeddedStoreTest, TellsWhenItHasUndoneWhatWasRefused) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  Save("alpha", Replaced(FileText("alpha"), "slot-1", "slot-9"));
  EXPECT_THAT(listener_.Next(), HasSubstr("found another in_force"));
  EXPECT_EQ(listener_.Next(), "in order alpha");
  ASSERT_EQ(unlink(Path("alpha").c_str()), 0);
  EXPECT_THAT(listener_.Next(), HasSubstr("found no file"));
  EXPECT_EQ(listener_.Next(), "in order alpha");
  ExpectNothingMore();
}

TEST_F(EmbeddedStoreTest, ReorderingServersByHandBlocksNoChange) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  v1::ShardSpec& two = *record.mutable_spec()->add_servers();
  two = record.spec().servers(0);
  two.set_name("two");
  const std::string revision = Write(record, "");
  Watch();
  const std::string text = FileText("alpha");
  const std::string one_line = "    - 127.0.0.1:6379:1 one\n";
  Save("alpha", Replaced(Replaced(text, one_line, ""), "two\n", "two\n" + one_line));
  ExpectNothingMore();
  record.mutable_shard_map()->set_generation(2);
  record.mutable_spec()->mutable_policy()->set_timeout(2);
  Write(record, revision);
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 2u);
}

TEST_F(EmbeddedStoreTest, AnEditThatCouldNotBeWrittenIsToldOfAgain) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  listener_.takes = false;  // a full disk
  Watch();
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 4"));
  EXPECT_EQ(listener_.Next(), "declared alpha 4");
  EXPECT_EQ(listener_.Next(), "declared alpha 4");  // after a while
  listener_.takes = true;
  v1::PoolRecord record = TestRecord("alpha", 2);
  *record.mutable_spec() = TestSpec(4);
  Write(record, revision);
  SaveByRename("last",
               "declared: {listen: \"h:1\", redis: true, timeout: 9, servers: [\"h:2:1\"]}");
  std::string line;
  // Those on their way, and that it is in force.
  while ((line = listener_.Next()).find(" alpha") != line.npos) continue;
  EXPECT_EQ(line, "declared last 9");
  ExpectNothingMore();
}

TEST_F(EmbeddedStoreTest, AnEditWhoseHeldChangeIsDroppedByALiveOneIsToldOfAgain) {
  std::string revision = Write(TestRecord("alpha", 1), "");
  Watch();
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 5"));
  EXPECT_EQ(listener_.Next(), "declared alpha 5");
  v1::PoolRecord record = Stored("alpha");
  record.mutable_held()->set_actor("file");
  *record.mutable_held_content()->mutable_spec() = TestSpec(5);
  revision = Write(record, revision);
  record.mutable_held()->set_actor("alice");  // another change is held in its place: it waits
  *record.mutable_held_content()->mutable_spec() = TestSpec(1);
  revision = Write(record, revision);
  ExpectNothingMore();
  record.clear_held();
  record.clear_held_content();
  record.mutable_shard_map()->set_generation(2);
  Write(record, revision);
  EXPECT_EQ(listener_.Next(), "declared alpha 5");
}

TEST_F(EmbeddedStoreTest, TellsAfterARestartOfAnEditThatWasMadeMeanwhile) {
  Write(TestRecord("alpha", 1), "");
  store_.reset();
  Save("alpha", Replaced(FileText("alpha"), "timeout: 1", "timeout: 6"));
  Open();
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 1u);
  Watch();
  EXPECT_EQ(listener_.Next(), "declared alpha 6");
}

TEST_F(EmbeddedStoreTest, UndoesAnEditOfWhatIsInForce) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  const std::string good = FileText("alpha");
  Save("alpha", Replaced(good, "slot-1", "slot-9"));
  const std::string line = listener_.Next();
  EXPECT_THAT(line, HasSubstr("refused alpha "));
  EXPECT_THAT(line, HasSubstr("found another in_force"));
  EXPECT_EQ(FileText("alpha"), good);
  Open();
}

TEST_F(EmbeddedStoreTest, TakesAnEditThatWasBegunBeforeALiveChange) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  const std::string old = FileText("alpha");
  Watch();
  v1::PoolRecord record = Stored("alpha");
  record.mutable_shard_map()->set_generation(2);
  Write(record, revision);
  Save("alpha", Replaced(old, "timeout: 1", "timeout: 7"));
  EXPECT_EQ(listener_.Next(), "declared alpha 7");
  Open();
  EXPECT_EQ(Stored("alpha").shard_map().generation(), 2u);
}

TEST_F(EmbeddedStoreTest, RefusesAnEditThatWasBegunBeforeAnotherDeclaration) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  const std::string old = FileText("alpha");
  Watch();
  Write(TestRecord("alpha", 2), revision);
  Save("alpha", Replaced(old, "timeout: 1", "timeout: 7"));
  EXPECT_THAT(listener_.Next(), HasSubstr("declared anew while the file was edited"));
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 2u);
  SaveByRename("alpha", "# compared\n" + FileText("alpha"));
  EXPECT_EQ(listener_.Next(), "declared alpha 7");
}

TEST_F(EmbeddedStoreTest, PutsBackAFileThatIsRemoved) {
  Write(TestRecord("alpha", 1), "");
  Watch();
  const std::string text = FileText("alpha");
  ASSERT_EQ(unlink(Path("alpha").c_str()), 0);
  EXPECT_THAT(listener_.Next(), HasSubstr("delete the pool with `weirctl delete`"));
  EXPECT_EQ(FileText("alpha"), text);
}

TEST_F(EmbeddedStoreTest, RefusesFilesThatNameNoPool) {
  Watch();
  SaveByRename("Alpha", "declared: {listen: \"h:1\", redis: true, servers: [\"h:2:1\"]}");
  EXPECT_THAT(listener_.Next(), HasSubstr("Alpha.yml:1: name: found 'Alpha', expected 1 to 63"));
  Write(TestRecord("alpha", 1), "");
  SaveByRename("copy", FileText("alpha"));
  EXPECT_THAT(listener_.Next(), HasSubstr("copy.yml:10: found in_force, expected `declared`"));
  std::ofstream(directory_ + "/pools/alpha.yml~") << "an editor's backup";
  std::ofstream(directory_ + "/pools/.alpha.yml.swp") << "an editor's own";
  ExpectNothingMore();
  EXPECT_EQ(store_->Load()->size(), 1u);
}

TEST_F(EmbeddedStoreTest, LetsTheObserverWrite) {
  class Writer : public Listener {
   public:
    bool OnDeclared(const std::string& pool, const v1::PoolSpec& spec) override {
      v1::PoolRecord record = TestRecord(pool, 1);
      *record.mutable_spec() = spec;
      EXPECT_TRUE(store->Write(record, "", nullptr).ok());
      return Listener::OnDeclared(pool, spec);
    }
    PoolStore* store = nullptr;
  };
  Writer writer;
  writer.store = store_.get();
  ASSERT_TRUE(store_->Watch(writer).ok());
  SaveByRename("alpha",
               "declared: {listen: \"h:1\", redis: true, timeout: 5, servers: [\"h:2:1\"]}");
  EXPECT_EQ(writer.Next(), "declared alpha 5");
  EXPECT_EQ(Stored("alpha").spec().policy().timeout(), 5u);
  store_.reset();
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
