#include "controlplane/server/access.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Time kStart = absl::UnixEpoch();

// printf %s test | sha256sum
constexpr std::string_view kAlice =
    "alice write sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n";

class AccessTest : public ::testing::Test {
 protected:
  std::string Write(std::string_view text) {
    const std::string file = StrCat(directory_.path(), "/tokens");
    std::ofstream(file) << text;
    return file;
  }

  TempDirectory directory_;
};

TEST_F(AccessTest, WithoutAFileEveryoneMayDoEverything) {
  Access access;
  for (const Role role : {Role::kRead, Role::kWrite, Role::kDiscovery}) {
    const auto admission = access.Check({}, role, kStart);
    ASSERT_TRUE(admission.ok());
    EXPECT_EQ(admission->name, "anonymous");
    EXPECT_TRUE(access.Recheck(*admission, role).ok());
  }
}

TEST_F(AccessTest, ATokenNamesItsHolder) {
  const auto access = *Access::FromFile(Write(kAlice));
  EXPECT_EQ(access->Check({.authorization = "Bearer test"}, Role::kWrite, kStart)->name, "alice");
}

TEST_F(AccessTest, ACertificateCountsWhereThereIsNoToken) {
  const auto access = *Access::FromFile(Write(StrCat(kAlice, "p discovery cn:proxy\n")));
  EXPECT_EQ(access->Check({.common_name = "proxy"}, Role::kDiscovery, kStart)->name, "p");
  EXPECT_EQ(access
                ->Check({.authorization = "Bearer test", .common_name = "proxy"}, Role::kDiscovery,
                        kStart)
                .status()
                .code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(AccessTest, RefusalsSayWhy) {
  const auto access = *Access::FromFile(Write(kAlice));
  const auto none = access->Check({}, Role::kRead, kStart).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(none.ToString(), HasSubstr("expected a bearer token"));
  for (const char* wrong : {"Bearer wrong", "Bearer ", "Basic test", "test"}) {
    EXPECT_EQ(access->Check({.authorization = wrong}, Role::kRead, kStart).status().code(),
              absl::StatusCode::kUnauthenticated)
        << wrong;
  }
  const auto role =
      access->Check({.authorization = "Bearer test"}, Role::kDiscovery, kStart).status();
  EXPECT_EQ(role.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(role.ToString(), HasSubstr("'alice' has the role write, the call needs discovery"));
}

TEST_F(AccessTest, TheSchemeOfATokenCountsInAnyCase) {
  const auto access = *Access::FromFile(Write(kAlice));
  for (const char* authorization : {"bearer test", "BEARER test"}) {
    EXPECT_TRUE(access->Check({.authorization = authorization}, Role::kRead, kStart).ok())
        << authorization;
  }
  EXPECT_FALSE(access->Check({.authorization = "Bearer TEST"}, Role::kRead, kStart).ok());
}

TEST_F(AccessTest, AChangedFileCountsASecondLater) {
  const auto access = *Access::FromFile(Write(kAlice));
  const Credentials alice{.authorization = "Bearer test"};
  EXPECT_TRUE(access->Check(alice, Role::kWrite, kStart).ok());
  Write("# nobody any more\n");
  EXPECT_TRUE(access->Check(alice, Role::kWrite, kStart + absl::Milliseconds(999)).ok());
  EXPECT_FALSE(access->Check(alice, Role::kWrite, kStart + absl::Seconds(1)).ok());
}

TEST_F(AccessTest, ACallThatIsOpenFindsItsCredentialWithdrawnOrOfAnotherRole) {
  const auto access = *Access::FromFile(Write(kAlice));
  const auto alice = access->Check({.authorization = "Bearer test"}, Role::kWrite, kStart);
  ASSERT_TRUE(alice.ok());
  const uint64_t first = access->TableNumber(kStart);
  EXPECT_TRUE(access->Recheck(*alice, Role::kWrite).ok());

  std::string read_only(kAlice);
  Write(read_only.replace(read_only.find("write"), 5, "read"));
  EXPECT_EQ(access->TableNumber(kStart), first);
  EXPECT_EQ(access->TableNumber(kStart + absl::Seconds(1)), first + 1);
  EXPECT_TRUE(absl::IsPermissionDenied(access->Recheck(*alice, Role::kWrite)));
  EXPECT_TRUE(access->Recheck(*alice, Role::kRead).ok());

  Write("# nobody any more\n");
  EXPECT_EQ(access->TableNumber(kStart + absl::Seconds(2)), first + 2);
  EXPECT_TRUE(absl::IsUnauthenticated(access->Recheck(*alice, Role::kRead)));
}

TEST_F(AccessTest, AFileThatCannotBeReadAsOneIsRefusedAtTheStart) {
  EXPECT_EQ(Access::FromFile("/nowhere/tokens").status().message(),
            "/nowhere/tokens: No such file or directory");
  EXPECT_EQ(Access::FromFile(directory_.path()).status().message(),
            StrCat(directory_.path(), ": Is a directory"));
  EXPECT_EQ(Access::FromFile(Write("# a table\nalice\n")).status().message(),
            StrCat(directory_.path(), "/tokens:2: found 1 words, expected NAME ROLE CREDENTIAL"));
}

// Lines in the log of what happens to the file, without any call.
class AccessLogTest : public AccessTest {
 protected:
  AccessLogTest() { EXPECT_TRUE(Log::Open(Path("log")).ok()); }
  ~AccessLogTest() override { EXPECT_TRUE(Log::Open("").ok()); }

  std::string Path(std::string_view name) const { return StrCat(directory_.path(), "/", name); }

  // From the event's name on, of each line since the last time.
  std::vector<std::string> Logged() {
    std::vector<std::string> events;
    std::ifstream log(Path("log"));
    std::string line;
    for (size_t i = 0; std::getline(log, line); ++i) {
      if (i >= seen_) events.push_back(line.substr(line.find("access_")));
    }
    seen_ += events.size();
    return events;
  }

 private:
  size_t seen_ = 0;
};

TEST_F(AccessLogTest, AMistakeInAChangedFileIsLoggedWithoutACallAndOnce) {
  const auto access = *Access::FromFile(Write(kAlice));
  EXPECT_THAT(Logged(),
              ElementsAre(StrCat("access_file_loaded file=", Path("tokens"), " lines=1")));
  const uint64_t first = access->TableNumber(kStart);
  Write("alice\n");
  EXPECT_EQ(access->TableNumber(kStart + absl::Seconds(1)), first);
  EXPECT_EQ(access->TableNumber(kStart + absl::Seconds(2)), first);
  EXPECT_THAT(Logged(), ElementsAre(AllOf(HasSubstr("access_file_refused"), HasSubstr("tokens:1: "),
                                          HasSubstr("lines_in_force=1"))));
}

TEST_F(AccessLogTest, RepeatedRefusalsAreTenLinesASecond) {
  Log::SetClockForTest([] { return absl::FromUnixSeconds(4'000'000'000); });
  const auto access = *Access::FromFile(Write(kAlice));
  Logged();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(access->Check({.authorization = "Bearer wrong"}, Role::kRead, kStart).ok());
  }
  Log::SetClockForTest(nullptr);
  const std::vector<std::string> lines = Logged();
  EXPECT_EQ(lines.size(), 10u);
  EXPECT_THAT(lines, Each(HasSubstr("access_refused")));
}

TEST_F(AccessLogTest, AFileThatIsGoneIsLoggedOnceAndItsTableStays) {
  const auto access = *Access::FromFile(Write(kAlice));
  const uint64_t first = access->TableNumber(kStart);
  std::filesystem::remove(Path("tokens"));
  Logged();
  EXPECT_EQ(access->TableNumber(kStart + absl::Seconds(1)), first);
  EXPECT_EQ(access->TableNumber(kStart + absl::Seconds(2)), first);
  EXPECT_THAT(Logged(), ElementsAre(HasSubstr("No such file or directory")));
  EXPECT_TRUE(
      access->Check({.authorization = "Bearer test"}, Role::kWrite, kStart + absl::Seconds(2))
          .ok());
  Write(kAlice);
  EXPECT_EQ(access->TableNumber(kStart + absl::Seconds(3)), first + 1);
  EXPECT_THAT(Logged(), ElementsAre(HasSubstr("access_file_loaded")));
}

TEST_F(AccessLogTest, AFileThatLetsNobodyInIsWarnedOf) {
  EXPECT_TRUE(Access::FromFile(Write("# nobody\n")).ok());
  EXPECT_THAT(Logged(), ElementsAre(HasSubstr("lets nobody in")));
}

TEST_F(AccessTest, AMistakeInAChangedFileLeavesTheOldTable) {
  const auto access = *Access::FromFile(Write(kAlice));
  Write("alice\n");
  EXPECT_TRUE(access->Check({.authorization = "Bearer test"}, Role::kWrite, kStart).ok());
  EXPECT_TRUE(
      access->Check({.authorization = "Bearer test"}, Role::kWrite, kStart + absl::Seconds(1))
          .ok());
}

}  // namespace
}  // namespace weir
