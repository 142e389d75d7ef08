// What EmbeddedStore finds when it is opened: damage, and what a crash has left.
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

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
using ::testing::IsEmpty;

// Called before each thing that is done to the disk.
std::function<void()> before_disk;

class EmbeddedStoreStartTest : public EmbeddedStoreTest {
 protected:
  // What a crash leaves at each of the moments of `work`: copies of the directory.
  std::vector<std::string> CrashesOf(const std::function<void()>& work) {
    std::vector<std::string> crashes;
    before_disk = [this, &crashes] {
      crashes.push_back(StrCat(temporary_.path(), "/crash-", crashes.size()));
      std::filesystem::copy(directory_, crashes.back(), std::filesystem::copy_options::recursive);
    };
    work();
    before_disk = nullptr;
    return crashes;
  }
};

TEST_F(EmbeddedStoreStartTest, AFileThatLostItsInForceIsNotTakenForANewPool) {
  Write(TestRecord("alpha", 1), "");
  const std::string text = FileText("alpha");
  store_.reset();
  for (const std::string& left : {text.substr(0, text.find("in_force:")), std::string()}) {
    Save("alpha", left);
    EXPECT_THAT(TryOpen().ToString(),
                AllOf(HasSubstr("DATA_LOSS: "), HasSubstr("alpha.yml:1: found no in_force, but "),
                      HasSubstr("restore the file from a backup, or remove "),
                      HasSubstr("/history/alpha to have it taken for a new pool")));
    EXPECT_EQ(FileText("alpha"), left);
  }
  Save("alpha", text);
  Open();
  EXPECT_EQ(store_->ListVersions("alpha")->size(), 1u);
}

// Emacs's lock, a link that leads nowhere, and a hidden copy of a file.
TEST_F(EmbeddedStoreStartTest, HiddenFilesOfEditorsAreNoPools) {
  Write(TestRecord("alpha", 1), "");
  const std::string text = FileText("alpha");
  store_.reset();
  ASSERT_EQ(symlink("who@where.1234", Path(".#alpha").c_str()), 0);
  Save(".alpha", text);
  Open();
  EXPECT_EQ(store_->Load()->size(), 1u);
  EXPECT_EQ(FileText(".alpha"), text);
}

TEST_F(EmbeddedStoreStartTest, AFileThatIsMissingIsWarnedOfAndItsHistoryStays) {
  Write(TestRecord("alpha", 1), "");
  const std::string text = FileText("alpha");
  store_.reset();
  ASSERT_EQ(unlink(Path("alpha").c_str()), 0);
  ::testing::internal::CaptureStderr();
  Open();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("pool_file_missing"), HasSubstr("alpha.yml")));
  EXPECT_THAT(*store_->Load(), IsEmpty());
  store_.reset();
  Save("alpha", text);
  Open();
  EXPECT_EQ(store_->ListVersions("alpha")->size(), 1u);
}

TEST_F(EmbeddedStoreStartTest, NoCrashOfACreationStopsTheNextStart) {
  const std::string text = FormatDeclaredPart(TestSpec(1), "alpha", "");
  SaveByRename("alpha", text);  // a file that is added
  const auto crashes = CrashesOf([this] { Write(TestRecord("alpha", 1), ""); });
  EXPECT_GT(crashes.size(), 4u);
  for (const std::string& crash : crashes) {
    directory_ = crash;
    Open();
    EXPECT_TRUE(FileText("alpha").starts_with(text));
    if (store_->Load()->empty()) Write(TestRecord("alpha", 1), "");
    EXPECT_EQ(store_->ListVersions("alpha")->size(), 1u);
    Open();
  }
}

TEST_F(EmbeddedStoreStartTest, NoCrashOfADeletionStopsTheNextStartOrIsWarnedOf) {
  v1::PoolRecord record = TestRecord("alpha", 1);
  std::string revision = Write(record, "");
  record = TestRecord("alpha", 2);
  revision = Write(record, revision);
  const auto crashes = CrashesOf([&] { EXPECT_TRUE(store_->Delete(record, revision).ok()); });
  EXPECT_GT(crashes.size(), 4u);
  for (const std::string& crash : crashes) {
    directory_ = crash;
    ::testing::internal::CaptureStderr();
    Open();
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
    const bool is_there = !store_->Load()->empty();
    EXPECT_EQ(store_->ListVersions("alpha")->size(), is_there ? 2u : 0u);
    EXPECT_EQ(std::filesystem::exists(directory_ + "/history/alpha"), is_there);
    if (is_there) continue;
    // One that is added while nothing runs is a new pool.
    store_.reset();
    SaveByRename("alpha", FormatDeclaredPart(TestSpec(1), "alpha", ""));
    Open();
  }
}

}  // namespace
}  // namespace weir

// In place of the C library's.
extern "C" int fsync(int fd) {
  if (weir::before_disk) weir::before_disk();
  return fdatasync(fd);
}
extern "C" int unlink(const char* path) noexcept {
  if (weir::before_disk) weir::before_disk();
  return static_cast<int>(syscall(SYS_unlink, path));
}
