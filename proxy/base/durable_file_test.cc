#include "proxy/base/durable_file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Called, once, when a file is about to be renamed into place; whether the file system can
// exchange.
std::function<bool()> before_rename;

class DurableFileTest : public ::testing::Test {
 protected:
  std::string Read(std::string_view name) {
    const auto text = ReadWholeFile(StrCat(directory_, "/", name), 1 << 20);
    return text.ok() ? *text : text.status().ToString();
  }
  mode_t ModeOf(const std::string& path) {
    struct stat status;
    EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 0777;
  }

  const TempDirectory temporary_;
  const std::string& directory_ = temporary_.path();
};

TEST_F(DurableFileTest, WritesAndReplacesAPrivateFile) {
  ASSERT_TRUE(WriteFileDurably(directory_, "a", "1").ok());
  ASSERT_TRUE(WriteFileDurably(directory_, "a", "22").ok());
  EXPECT_EQ(Read("a"), "22");
  EXPECT_EQ(ModeOf(directory_ + "/a"), 0600u);
  EXPECT_THAT(ListDirectory(directory_).value(), ElementsAre("a"));
}

TEST_F(DurableFileTest, MakesAPrivateDirectoryOnce) {
  const std::string path = directory_ + "/sub";
  ASSERT_TRUE(MakePrivateDirectory(path).ok());
  ASSERT_TRUE(MakePrivateDirectory(path).ok());
  EXPECT_EQ(ModeOf(path), 0700u);
  ASSERT_TRUE(WriteFileDurably(directory_, "file", "").ok());
  EXPECT_THAT(MakePrivateDirectory(directory_ + "/file").ToString(),
              HasSubstr("/file: cannot be created as a directory: File exists"));
}

TEST_F(DurableFileTest, RemovesAFileThatMayNotExist) {
  ASSERT_TRUE(WriteFileDurably(directory_, "a", "1").ok());
  EXPECT_TRUE(RemoveFileDurably(directory_, "a").ok());
  EXPECT_TRUE(RemoveFileDurably(directory_, "a").ok());
  EXPECT_THAT(ListDirectory(directory_).value(), IsEmpty());
}

// Files may not grow beyond `bytes` as long as this lives: as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    handler_ = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit = {.rlim_cur = bytes, .rlim_max = old_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_);
    signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_;
  sighandler_t handler_;
};

TEST_F(DurableFileTest, LeavesTheOldFileAndNoTemporaryOneWhenTheDiskIsFull) {
  ASSERT_TRUE(WriteFileDurably(directory_, "a", "old").ok());
  absl::Status status;
  {
    const FileSizeLimit limit(1000);
    status = WriteFileDurably(directory_, "a", std::string(2000, 'x'));
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(status.ToString(), HasSubstr("/a: cannot be written: File too large"));
  EXPECT_EQ(Read("a"), "old");
  EXPECT_THAT(ListDirectory(directory_).value(), ElementsAre("a"));
}

TEST_F(DurableFileTest, ReplacesTheFileThatIsExpectedOnly) {
  EXPECT_TRUE(ReplaceFileDurably(directory_, "a", nullptr, "1").ok());
  EXPECT_EQ(Read("a"), "1");
  EXPECT_TRUE(absl::IsAborted(ReplaceFileDurably(directory_, "a", nullptr, "2")));
  const std::string expected = "1";
  EXPECT_TRUE(ReplaceFileDurably(directory_, "a", &expected, "22").ok());
  EXPECT_EQ(Read("a"), "22");
  EXPECT_EQ(ReplaceFileDurably(directory_, "a", &expected, "3").ToString(),
            StrCat("ABORTED: ", directory_, "/a: somebody else writes it at the same time"));
  EXPECT_EQ(Read("a"), "22");
  EXPECT_TRUE(absl::IsAborted(ReplaceFileDurably(directory_, "b", &expected, "3")));
  EXPECT_EQ(ModeOf(directory_ + "/a"), 0600u);
  EXPECT_THAT(ListDirectory(directory_).value(), ElementsAre("a"));
}

TEST_F(DurableFileTest, LosesNothingThatIsSavedRightBeforeTheRename) {
  const std::string old = "old";
  const std::string path = directory_ + "/a";
  for (const bool can_exchange : {true, false}) {
    const auto save = [&](const std::string& text) {
      before_rename = [=] {
        std::ofstream(path) << text;
        return can_exchange;
      };
    };
    ASSERT_TRUE(WriteFileDurably(directory_, "a", old).ok());
    save("edited");
    EXPECT_TRUE(absl::IsAborted(ReplaceFileDurably(directory_, "a", &old, "ours")));
    EXPECT_EQ(Read("a"), "edited");
    ASSERT_TRUE(RemoveFileDurably(directory_, "a").ok());
    save("added");
    EXPECT_TRUE(absl::IsAborted(ReplaceFileDurably(directory_, "a", nullptr, "ours")));
    EXPECT_EQ(Read("a"), "added");
    const std::string added = "added";
    save("added");  // touched
    EXPECT_TRUE(ReplaceFileDurably(directory_, "a", &added, "ours").ok());
    EXPECT_EQ(Read("a"), "ours");
    EXPECT_THAT(ListDirectory(directory_).value(), ElementsAre("a"));
  }
}

TEST_F(DurableFileTest, LeavesTheFileToOneWhoHasEmptiedItAndGoesOnWriting) {
  ASSERT_TRUE(WriteFileDurably(directory_, "a", "old").ok());
  std::ofstream stream;
  before_rename = [&] {
    stream.open(directory_ + "/a");
    return true;
  };
  const std::string old = "old";
  EXPECT_TRUE(absl::IsAborted(ReplaceFileDurably(directory_, "a", &old, "ours")));
  stream << "edited";
  stream.close();
  EXPECT_EQ(Read("a"), "edited");
}

TEST_F(DurableFileTest, OfTwoThatAreSavedAroundTheRenameTheLastOneStays) {
  ASSERT_TRUE(WriteFileDurably(directory_, "a", "old").ok());
  before_rename = [&] {
    std::ofstream(directory_ + "/a") << "first";
    before_rename = [&] {  // before the first is put back
      std::ofstream(directory_ + "/b") << "second";
      EXPECT_EQ(rename((directory_ + "/b").c_str(), (directory_ + "/a").c_str()), 0);
      return true;
    };
    return true;
  };
  const std::string old = "old";
  EXPECT_TRUE(absl::IsAborted(ReplaceFileDurably(directory_, "a", &old, "ours")));
  EXPECT_EQ(Read("a"), "second");
  EXPECT_THAT(ListDirectory(directory_).value(), ElementsAre("a"));
}

TEST_F(DurableFileTest, SaysWhyAFileCannotBeReadOrWritten) {
  EXPECT_TRUE(absl::IsNotFound(WriteFileDurably(directory_ + "/no", "a", "")));
  EXPECT_TRUE(absl::IsNotFound(ReadWholeFile(directory_ + "/no", 10).status()));
  ASSERT_TRUE(WriteFileDurably(directory_, "a", "12345").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadWholeFile(directory_ + "/a", 4).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(ReadWholeFile(directory_, 4).status()));
  ASSERT_EQ(symlink("a", (directory_ + "/link").c_str()), 0);
  EXPECT_THAT(ReadWholeFile(directory_ + "/link", 10).status().ToString(),
              HasSubstr("/link: expected a regular file"));
  EXPECT_EQ(ReadWholeFile(directory_ + "/link", 10, SymbolicLinks::kFollow).value(), "12345");
  ASSERT_EQ(symlink("loop", (directory_ + "/loop").c_str()), 0);
  EXPECT_FALSE(ReadWholeFile(directory_ + "/loop", 10, SymbolicLinks::kFollow).ok());
}

}  // namespace
}  // namespace weir

// In place of the C library's.
extern "C" int renameat2(int old_directory, const char* from, int new_directory, const char* to,
                         unsigned flags) noexcept {
  const auto hook = std::exchange(weir::before_rename, nullptr);
  if (hook != nullptr && !hook() && flags != 0) {
    errno = EINVAL;
    return -1;
  }
  return static_cast<int>(syscall(SYS_renameat2, old_directory, from, new_directory, to, flags));
}
