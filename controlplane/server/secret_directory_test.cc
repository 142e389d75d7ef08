#include "controlplane/server/secret_directory.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "tests/support/discovery.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

class SecretDirectoryTest : public ::testing::Test {
 protected:
  void Write(std::string_view name, std::string_view text) const {
    std::ofstream(StrCat(directory_.path(), "/", name)) << text;
  }
  void Remove(std::string_view name) const {
    std::filesystem::remove(StrCat(directory_.path(), "/", name));
  }
  void Opens() {
    auto opened = SecretDirectory::Open(directory_.path(), cache_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    secrets_ = *std::move(opened);
  }

  // The value that proxies of a pool get which refers to the secret; "none".
  std::string ValueOf(std::string_view name) {
    cache_.SetPool("blue", NewPool("alpha", name, {.uid = std::string(name)}, name),
                   NewEndpoints("alpha", "e1"));
    const ResourcePtr secret = cache_.View("blue")->Find(SecretId(name));
    return secret == nullptr ? "none" : secret->message.secret().value();
  }
  // Waits until it is.
  bool Becomes(std::string_view name, std::string_view value) {
    for (int tries = 0; tries < 2000; ++tries) {
      if (ValueOf(name) == value) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  TempDirectory directory_;
  ResourceCache cache_;
  std::unique_ptr<SecretDirectory> secrets_;
};

TEST_F(SecretDirectoryTest, ReadsEveryFileWhenItOpens) {
  Write("one", "hunter2\n");
  Write("two", "line\n\n");
  Write(".hidden", "x");
  Write("large", std::string(64 * 1024 + 1, 'x'));
  std::filesystem::create_directory(directory_.path() + "/folder");
  Opens();
  EXPECT_EQ(ValueOf("one"), "hunter2");
  EXPECT_EQ(ValueOf("two"), "line\n");  // one new line is not part of it
  EXPECT_EQ(ValueOf(".hidden"), "none");
  EXPECT_EQ(ValueOf("large"), "none");
  EXPECT_EQ(ValueOf("folder"), "none");
}

TEST_F(SecretDirectoryTest, FollowsItsFiles) {
  Write("one", "a");
  Opens();
  EXPECT_EQ(ValueOf("one"), "a");
  const uint64_t generation = cache_.View("blue")->Find(SecretId("one"))->message.generation();
  Write("one", "b");
  EXPECT_TRUE(Becomes("one", "b"));
  EXPECT_GT(cache_.View("blue")->Find(SecretId("one"))->message.generation(), generation);
  Write("new", "c");
  EXPECT_TRUE(Becomes("new", "c"));
  Remove("one");
  EXPECT_TRUE(Becomes("one", "none"));
}

// The layout of a volume of Kubernetes: NAME -> ..data/NAME, ..data -> ..TIME, and an update that
// renames another ..data into its place.
TEST_F(SecretDirectoryTest, FollowsTheLinksOfAKubernetesVolume) {
  const std::string root = directory_.path();
  const auto update = [&](const std::string& time, std::string_view value) {
    std::filesystem::create_directory(StrCat(root, "/..", time));
    Write(StrCat("..", time, "/one"), value);
    std::filesystem::create_symlink(StrCat("..", time), root + "/..data_tmp");
    std::filesystem::rename(root + "/..data_tmp", root + "/..data");
  };
  update("2026_1", "a");
  std::filesystem::create_symlink("..data/one", root + "/one");
  std::filesystem::create_symlink("..data/none", root + "/two");
  Opens();
  EXPECT_EQ(ValueOf("two"), "none");
  EXPECT_EQ(ValueOf("one"), "a");
  const uint64_t generation = cache_.View("blue")->Find(SecretId("one"))->message.generation();
  update("2026_2", "b");
  EXPECT_TRUE(Becomes("one", "b"));
  EXPECT_GT(cache_.View("blue")->Find(SecretId("one"))->message.generation(), generation);
}

TEST_F(SecretDirectoryTest, ADirectoryThatCannotBeReadIsAnErrorThatNamesIt) {
  const auto opened = SecretDirectory::Open(directory_.path() + "/missing", cache_);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.status().ToString().find("/missing"), std::string::npos);
}

}  // namespace
}  // namespace weir
