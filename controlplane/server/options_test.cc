#include "controlplane/server/options.h"

#include <fstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

absl::StatusOr<ControlOptions> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "weir-control");
  return ParseControlOptions(words);
}

std::string ErrorOf(std::vector<const char*> words) {
  const absl::StatusOr<ControlOptions> options = Parse(std::move(words));
  return options.ok() ? "no error" : std::string(FromAbsl(options.status().message()));
}

TEST(ControlOptionsTest, DefaultsAreLoopbackWithoutTls) {
  const ControlOptions options = *Parse({});
  EXPECT_EQ(options, ControlOptions());
  EXPECT_TRUE(IsLoopback(options.listen_discovery) && IsLoopback(options.listen_admin) &&
              IsLoopback(options.http));
  EXPECT_FALSE(options.uses_tls());
}

TEST(ControlOptionsTest, ReadsEveryFlag) {
  const absl::StatusOr<ControlOptions> options =
      Parse({"--data-dir=d", "--secrets-dir=s", "--restored", "--listen-discovery=0.0.0.0:1",
             "--listen-admin", "[::]:0", "--http=127.0.0.1:0", "--tls-cert=c", "--tls-key=k",
             "--tls-client-ca=a", "--insecure", "--tokens=t", "--max-stream-age=60",
             "--shutdown-timeout=250", "--max-streams=3", "--max-peer-streams=2",
             "--max-peer-watches=1", "-v7", "-olog"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->data_dir, "d");
  EXPECT_EQ(options->secrets_dir, "s");
  EXPECT_TRUE(options->restored);
  EXPECT_EQ(options->listen_discovery, TcpEndpoint("0.0.0.0", 1));
  EXPECT_EQ(options->listen_admin, TcpEndpoint("::", 0));
  EXPECT_EQ(options->http, TcpEndpoint("127.0.0.1", 0));
  EXPECT_EQ(options->tls_cert, "c");
  EXPECT_EQ(options->tls_key, "k");
  EXPECT_EQ(options->tls_client_ca, "a");
  EXPECT_TRUE(options->insecure);
  EXPECT_EQ(options->tokens, "t");
  EXPECT_EQ(options->max_stream_age, absl::Minutes(1));
  EXPECT_EQ(options->max_streams, 3u);
  EXPECT_EQ(options->max_peer_streams, 2u);
  EXPECT_EQ(options->max_peer_watches, 1u);
  EXPECT_EQ(options->shutdown_timeout, absl::Milliseconds(250));
  EXPECT_EQ(options->verbose, 7);
  EXPECT_EQ(options->output, "log");
  EXPECT_TRUE(Parse({"-h"})->show_help);
  EXPECT_TRUE(Parse({"-V"})->show_version);
}

TEST(ControlOptionsTest, RefusesPlainTextBeyondLoopbackUnlessTold) {
  EXPECT_THAT(ErrorOf({"--listen-admin=0.0.0.0:1"}), HasSubstr("--listen-admin: plain text"));
  EXPECT_THAT(ErrorOf({"--listen-discovery=example.org:1"}), HasSubstr("--insecure"));
  EXPECT_EQ(ErrorOf({"--listen-discovery=0.0.0.0:1", "--insecure", "--tokens=t"}), "no error");
  for (const char* local : {"127.8.8.8:1", "[::1]:1", "localhost:1", "/run/weir.sock"}) {
    EXPECT_EQ(ErrorOf({"--listen-discovery", local}), "no error") << local;
  }
}

TEST(ControlOptionsTest, InsecureBeyondLoopbackOpensTheAdminApiToNobodyWithoutAToken) {
  EXPECT_THAT(ErrorOf({"--listen-admin=0.0.0.0:1", "--insecure"}),
              HasSubstr("--listen-admin: '0.0.0.0:1' would let everybody do everything"));
  EXPECT_THAT(ErrorOf({"--listen-discovery=0.0.0.0:1", "--insecure"}), HasSubstr("--tokens"));
  EXPECT_EQ(ErrorOf({"--insecure"}), "no error");  // all on loopback
}

TEST(ControlOptionsTest, RefusesHalfOfATlsConfiguration) {
  EXPECT_THAT(ErrorOf({"--tls-cert=c"}), HasSubstr("expected both or none"));
  EXPECT_THAT(ErrorOf({"--tls-client-ca=c"}), HasSubstr("expected --tls-cert"));
  EXPECT_THAT(ErrorOf({"--tls-cert=c", "--tls-key=k"}), HasSubstr("expected --tokens"));
}

TEST(ControlOptionsTest, SaysWhatItExpected) {
  EXPECT_EQ(ErrorOf({"--http=/run/http.sock"}),
            "option --http: found '/run/http.sock', expected host:port or [ipv6]:port");
  EXPECT_THAT(ErrorOf({"--listen-admin=80"}), HasSubstr("expected host:port"));
  EXPECT_THAT(ErrorOf({"--max-stream-age=0"}), HasSubstr("seconds from 1 to 86400"));
  EXPECT_THAT(ErrorOf({"--shutdown-timeout=-1"}), HasSubstr("milliseconds"));
  EXPECT_THAT(ErrorOf({"--verbose=12"}), HasSubstr("0 to 11"));
  EXPECT_THAT(ErrorOf({"--data-dirr=x"}), HasSubstr("did you mean '--data-dir'"));
}

TEST(ControlOptionsTest, TheDocumentHasARowForEveryFlag) {
  const auto or_dash = [](std::string_view text) { return text.empty() ? "–" : text; };
  std::vector<std::string> expected;
  for (const FlagSpec& flag : ControlFlags()) {
    std::string names;
    if (flag.short_name != 0) names = StrCat("`-", std::string(1, flag.short_name), "`, ");
    expected.push_back(StrCat("| ", names, "`--", flag.long_name, "` | ", or_dash(flag.argument),
                              " | ", or_dash(flag.default_text), " | ", flag.meaning, " |"));
  }
  std::ifstream file("docs/control_plane.md");
  std::vector<std::string> rows;
  bool is_inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) is_inside = line == "## Flags";
    if (is_inside && line.starts_with("| `")) rows.push_back(line);
  }
  EXPECT_THAT(rows, ElementsAreArray(expected));
}

}  // namespace
}  // namespace weir
