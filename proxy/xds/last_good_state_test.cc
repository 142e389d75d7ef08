#include "proxy/xds/last_good_state.h"

#include <sys/stat.h>

#include <fstream>
#include <future>
#include <iterator>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/durable_file.h"
#include "proxy/base/strings.h"
#include "tests/support/discovery.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

v1::LastGoodState StateOf(std::string_view content) {
  v1::LastGoodState state;
  state.set_fleet("default");
  *state.add_resources() = NewPool("alpha", content);
  *state.add_resources() = NewEndpoints("alpha", content);
  return state;
}

std::string ErrorOf(std::string_view bytes) {
  const absl::StatusOr<v1::LastGoodState> state = DecodeLastGoodState(bytes);
  return state.ok() ? "no error" : std::string(FromAbsl(state.status().message()));
}

mode_t ModeOf(const std::string& path) {
  struct stat found{};
  return stat(path.c_str(), &found) == 0 ? found.st_mode & 0777 : 0;
}

TEST(LastGoodStateTest, WhatIsEncodedIsDecoded) {
  const v1::LastGoodState state = StateOf("p1");
  const absl::StatusOr<v1::LastGoodState> decoded = DecodeLastGoodState(EncodeLastGoodState(state));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->SerializeAsString(), state.SerializeAsString());
}

TEST(LastGoodStateTest, EveryChangedByteAndEveryCutIsFound) {
  const std::string bytes = EncodeLastGoodState(StateOf("p1"));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    ASSERT_NE(ErrorOf(changed), "no error") << i;
    ASSERT_NE(ErrorOf(std::string_view(bytes).substr(0, i)), "no error") << i;
  }
}

TEST(LastGoodStateTest, AResourceWithoutItsBodyIsRefused) {
  v1::LastGoodState state = StateOf("p1");
  state.mutable_resources(0)->clear_pool();
  EXPECT_EQ(ErrorOf(EncodeLastGoodState(state)), "has a resource of unknown type");
}

TEST(LastGoodStateTest, TheLastStateThatWasSavedIsLoaded) {
  const TempDirectory directory;
  const std::string path = directory.path() + "/state";
  ASSERT_TRUE(LastGoodState::Prepare(path).ok());
  {
    LastGoodState state(path);
    EXPECT_TRUE(absl::IsNotFound(state.Load().status()));
    for (const char* content : {"p1", "p2", "p3"}) state.Save(StateOf(content));
  }
  const absl::StatusOr<v1::LastGoodState> loaded = LastGoodState(path).Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->SerializeAsString(), StateOf("p3").SerializeAsString());
  EXPECT_EQ(ModeOf(path), 0700u);
  EXPECT_EQ(ModeOf(path + "/last-good"), 0600u);
  EXPECT_EQ(ModeOf(StrCat(path, "/", TemporaryName("last-good"))), 0u);
}

// A drain waited for the disk without bound.
TEST(LastGoodStateTest, ADiskThatHangsDoesNotHoldUpTheEnd) {
  std::promise<void> disk;
  std::promise<void> written;
  {
    LastGoodState state("/nowhere", [&](auto&&...) {
      disk.get_future().wait();
      written.set_value();
      return absl::UnavailableError("too late");
    });
    state.Save(StateOf("p1"));
  }
  disk.set_value();
  written.get_future().wait();
}

TEST(LastGoodStateTest, ACorruptFileIsNamed) {
  const TempDirectory directory;
  std::ofstream(directory.path() + "/last-good") << "rubbish";
  const absl::Status status = LastGoodState(directory.path()).Load().status();
  EXPECT_THAT(std::string(FromAbsl(status.message())),
              HasSubstr("/last-good: does not begin as a state of this version"));
}

TEST(LastGoodStateTest, ADirectoryThatOthersMayReadIsRefusedAndLeftAsItIs) {
  const TempDirectory directory;
  chmod(directory.path().c_str(), 0755);
  EXPECT_THAT(std::string(FromAbsl(LastGoodState::Prepare(directory.path()).message())),
              HasSubstr("found mode 0755, expected 0700"));
  EXPECT_EQ(ModeOf(directory.path()), 0755u);
}

TEST(LastGoodStateTest, APathThatIsNoDirectoryIsRefused) {
  const TempDirectory directory;
  std::ofstream(directory.path() + "/file") << "x";
  EXPECT_THAT(std::string(FromAbsl(LastGoodState::Prepare(directory.path() + "/file").message())),
              HasSubstr("is no directory"));
}

}  // namespace
}  // namespace weir
