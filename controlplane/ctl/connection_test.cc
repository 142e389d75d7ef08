#include "controlplane/ctl/connection.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

struct Sources {
  std::string file;
  std::map<std::string, std::string> environment = {};
  std::vector<std::pair<size_t, std::string>> flags = {};
};

constexpr size_t kServer = 0;

absl::StatusOr<Connection> Resolve(const Sources& sources) {
  return ResolveConnection(
      {.flags = sources.flags,
       .environment = [&](const std::string& name) -> std::optional<std::string> {
         const auto found = sources.environment.find(name);
         if (found == sources.environment.end()) return std::nullopt;
         return found->second;
       },
       .file_name = "weirctl.yml",
       .file_text = sources.file});
}

std::string ErrorOf(const Sources& sources) {
  const absl::StatusOr<Connection> connection = Resolve(sources);
  return connection.ok() ? "no error" : std::string(FromAbsl(connection.status().message()));
}

TEST(ConnectionTest, AFlagBeatsTheEnvironmentWhichBeatsTheFile) {
  Sources sources{.file = "server: file:1\ntoken_file: /t\ntimeout: 3\n"};
  EXPECT_EQ(Resolve(sources)->server, "file:1");
  EXPECT_EQ(Resolve(sources)->token_file, "/t");
  EXPECT_EQ(Resolve(sources)->timeout, absl::Seconds(3));
  sources.environment = {{"WEIRCTL_SERVER", "environment:2"}, {"WEIRCTL_TOKEN_FILE", "/e"}};
  EXPECT_EQ(Resolve(sources)->server, "environment:2");
  EXPECT_EQ(Resolve(sources)->token_file, "/e");
  sources.flags = {{kServer, "flag:3"}};
  EXPECT_EQ(Resolve(sources)->server, "flag:3");
  EXPECT_EQ(*Resolve({}), Connection());
}

TEST(ConnectionTest, SaysWhereABadValueStands) {
  EXPECT_THAT(ErrorOf({.file = "\nserver: x\n"}),
              HasSubstr("weirctl.yml:2: key 'server': found 'x', expected host:port"));
  EXPECT_THAT(ErrorOf({.file = "sever: h:1\n"}), HasSubstr("weirctl.yml:1: found 'sever'"));
  EXPECT_THAT(ErrorOf({.file = "- a\n"}), HasSubstr("expected a map"));
  EXPECT_THAT(ErrorOf({.file = "insecure: maybe\n"}), HasSubstr("expected true or false"));
  EXPECT_THAT(ErrorOf({.file = "", .environment = {{"WEIRCTL_TIMEOUT", "0"}}}),
              HasSubstr("WEIRCTL_TIMEOUT: found '0', expected seconds"));
  EXPECT_THAT(ErrorOf({.file = "cert: c\n"}), HasSubstr("expected both or none"));
}

TEST(ConnectionTest, SpeaksPlainTextToThisMachineOnlyUnlessTold) {
  const auto uses_tls = [](std::string_view file) {
    return Resolve({.file = std::string(file)})->uses_tls();
  };
  EXPECT_FALSE(uses_tls(""));
  EXPECT_FALSE(uses_tls("server: /run/weir.sock"));
  EXPECT_TRUE(uses_tls("server: weir.example.org:18001"));
  EXPECT_FALSE(uses_tls("{server: \"weir.example.org:18001\", insecure: true}"));
  EXPECT_TRUE(uses_tls("ca: /ca.pem"));
  EXPECT_TRUE(uses_tls("{cert: c, key: k}"));
}

}  // namespace
}  // namespace weir
