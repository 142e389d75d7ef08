// Files that are saved by hand at the very moment when EmbeddedStore writes them.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "controlplane/store/embedded_store.h"
#include "controlplane/store/test_records.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "tests/support/embedded_store_harness.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Called once, when a file is about to be renamed into place; whether the file system can exchange.
std::mutex hook_mutex;
std::function<bool()> before_rename;

void BeforeTheNextRename(std::function<bool()> hook) {
  const std::lock_guard lock(hook_mutex);
  before_rename = std::move(hook);
}

class EmbeddedStoreSavesTest : public EmbeddedStoreTest {
 protected:
  // `record` with another shard map, as of a live change.
  static v1::PoolRecord LiveChange(v1::PoolRecord record) {
    const uint64_t generation = record.shard_map().generation() + 1;
    record.mutable_shard_map()->set_generation(generation);
    return record;
  }
  // What is told next other than that a file is in order.
  std::string NextEdit() {
    std::string line = listener_.Next();
    while (line.starts_with("in order")) line = listener_.Next();
    return line;
  }
};

TEST_F(EmbeddedStoreSavesTest, AnEditThatIsSavedWhileALiveChangeIsWrittenIsNotLost) {
  std::string revision = Write(TestRecord("alpha", 1), "");
  Watch();
  int timeout = 1;
  for (const bool can_exchange : {true, false}) {
    for (const bool renames : {true, false}) {
      const std::string edited = Replaced(FileText("alpha"), StrCat("timeout: ", timeout, "\n"),
                                          StrCat("timeout: ", timeout + 1, "\n"));
      ++timeout;
      BeforeTheNextRename([=, this] {
        renames ? SaveByRename("alpha", edited) : Save("alpha", edited);
        return can_exchange;
      });
      revision = Write(LiveChange(Stored("alpha")), revision);
      EXPECT_EQ(NextEdit(), StrCat("declared alpha ", timeout));
      v1::PoolRecord record = LiveChange(Stored("alpha"));
      *record.mutable_spec() = TestSpec(static_cast<uint32_t>(timeout));
      revision = Write(record, revision);
    }
  }
}

TEST_F(EmbeddedStoreSavesTest, AnEditThatIsSavedWhileAnotherDeclarationIsWrittenRefusesThat) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  const std::string edited = Replaced(FileText("alpha"), "timeout: 1", "timeout: 5");
  BeforeTheNextRename([=, this] {
    SaveByRename("alpha", edited);
    return true;
  });
  EXPECT_THAT(ErrorOfWrite(TestRecord("alpha", 2), revision),
              AllOf(HasSubstr("FAILED_PRECONDITION"), HasSubstr("was edited and is not applied")));
  EXPECT_EQ(FileText("alpha"), edited);
  EXPECT_EQ(store_->ListVersions("alpha")->size(), 1u);
  Open();
  EXPECT_EQ(Stored("alpha").shard_map().generation(), 1u);
}

TEST_F(EmbeddedStoreSavesTest, AFileThatIsSavedInPlaceDuringALiveChangeKeepsTheEditAndItsComments) {
  const std::string revision = Write(TestRecord("alpha", 1), "");
  const std::string edited =
      "# precious\n" + Replaced(FileText("alpha"), "timeout: 1", "timeout: 5");
  Watch();
  std::ofstream editor;
  BeforeTheNextRename([&] {
    editor.open(Path("alpha"));
    BeforeTheNextRename([&] {  // while the emptied file is put back
      editor << edited;
      editor.close();
      return true;
    });
    return true;
  });
  Write(LiveChange(Stored("alpha")), revision);
  EXPECT_EQ(NextEdit(), "declared alpha 5");
  EXPECT_TRUE(FileText("alpha").starts_with("# precious\n"));
}

TEST_F(EmbeddedStoreSavesTest, AnEmptyFileIsPutBackByALiveChangeWithItsCommentsAndTold) {
  std::string revision = Write(TestRecord("alpha", 1), "");
  Save("alpha", "# precious\n" + FileText("alpha"));
  revision = Write(LiveChange(Stored("alpha")), revision);
  for (const std::string_view left : {"", "# precious\n"}) {
    Save("alpha", left);
    revision = Write(LiveChange(Stored("alpha")), revision);
    revision = Write(LiveChange(Stored("alpha")), revision);
    EXPECT_THAT(FileText("alpha"), AllOf(HasSubstr("# precious\n"), HasSubstr("timeout: 1\n")));
  }
  Watch();
  EXPECT_THAT(listener_.Next(),
              HasSubstr("alpha.yml:1: found nothing declared, expected `declared` (it is put"));
  EXPECT_EQ(listener_.Next(), "in order alpha");
  v1::PoolRecord record = LiveChange(Stored("alpha"));
  record.mutable_spec()->mutable_policy()->set_timeout(3);
  Write(record, revision);
}

TEST_F(EmbeddedStoreSavesTest, AFileThatStaysEmptyIsPutBackAndTold) {
  Write(TestRecord("alpha", 1), "");
  const std::string text = FileText("alpha");
  Watch();
  for (const std::string& left : {std::string(), text.substr(text.find("in_force:"))}) {
    Save("alpha", left);
    EXPECT_THAT(listener_.Next(), HasSubstr("alpha.yml:1: found nothing declared"));
    EXPECT_EQ(listener_.Next(), "in order alpha");
    EXPECT_EQ(FileText("alpha"), text);
  }
}

TEST_F(EmbeddedStoreSavesTest, AFileThatIsCutShortDeclaresNothingToALiveChange) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  v1::ShardSpec& two = *record.mutable_spec()->add_servers();
  two = record.spec().servers(0);
  two.set_name("two");
  std::string revision = Write(record, "");
  Watch();
  const std::string text = FileText("alpha");
  const std::string cut = text.substr(0, text.find("    - 127.0.0.1:6379:1 two"));
  Save("alpha", cut);
  revision = Write(LiveChange(record), revision);
  EXPECT_THAT(listener_.Next(), AllOf(HasSubstr("refused alpha "), HasSubstr("found no in_force"),
                                      HasSubstr("not looked at until it is changed once more")));
  EXPECT_TRUE(FileText("alpha").starts_with(cut));
  ExpectNothingMore();
  Save("alpha", text);
  EXPECT_EQ(listener_.Next(), "in order alpha");
}

TEST_F(EmbeddedStoreSavesTest, WritesNothingThatCouldNotBeReadAgain) {
  store_.reset();
  auto store = EmbeddedStore::Open({.directory = directory_, .max_file_bytes = 3000});
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
  const std::string revision = Write(TestRecord("alpha", 1), "");
  const std::string text = FileText("alpha");
  v1::PoolRecord record = TestRecord("alpha", 2);
  record.add_requests()->set_id(std::string(3000, 'x'));
  EXPECT_THAT(ErrorOfWrite(record, revision), AllOf(HasSubstr("RESOURCE_EXHAUSTED: "),
                                                    HasSubstr("alpha.yml: cannot be written: it "
                                                              "would have more than 3000 bytes")));
  EXPECT_TRUE(absl::IsResourceExhausted(store_->Delete(record, revision)));
  v1::PoolRecord small = TestRecord("alpha", 2);
  v1::Version version = TestVersion(small);
  version.set_actor(std::string(3000, 'x'));
  EXPECT_THAT(store_->Write(small, revision, &version).status.ToString(),
              AllOf(HasSubstr("RESOURCE_EXHAUSTED: "), HasSubstr("history/alpha/2.json")));
  EXPECT_EQ(FileText("alpha"), text);
  EXPECT_EQ(store_->ListVersions("alpha")->size(), 1u);
  Open();
  EXPECT_EQ(Stored("alpha").shard_map().generation(), 1u);
}

}  // namespace
}  // namespace weir

// In place of the C library's.
extern "C" int renameat2(int old_directory, const char* from, int new_directory, const char* to,
                         unsigned flags) noexcept {
  std::function<bool()> hook;
  {
    const std::lock_guard lock(weir::hook_mutex);
    hook = std::exchange(weir::before_rename, nullptr);
  }
  if (hook != nullptr && !hook() && flags != 0) {
    errno = EINVAL;
    return -1;
  }
  return static_cast<int>(syscall(SYS_renameat2, old_directory, from, new_directory, to, flags));
}
