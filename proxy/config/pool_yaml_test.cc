#include "proxy/config/pool_yaml.h"

#include <fstream>
#include <iterator>

#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "proxy/config/config_loader.h"
#include "proxy/config/pool_message.h"

namespace weir {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

std::string FileText(const std::string& path) {
  std::ifstream stream(path);
  EXPECT_TRUE(stream) << path;
  return {std::istreambuf_iterator<char>(stream), {}};
}

v1::PoolSpec Parse(std::string_view text) {
  const absl::StatusOr<v1::PoolSpec> spec = ParseDeclaredPool(text, "a.yml", "alpha");
  EXPECT_TRUE(spec.ok()) << spec.status().message() << "\nin:\n" << text;
  return spec.ok() ? *spec : v1::PoolSpec();
}

std::string ErrorOf(std::string_view text) {
  const absl::StatusOr<v1::PoolSpec> spec = ParseDeclaredPool(text, "a.yml", "alpha");
  return spec.ok() ? "no error" : std::string(FromAbsl(spec.status().message()));
}

// The errors of a small pool with `lines` from line 5 on.
std::string ErrorOfLines(std::string_view lines) {
  return ErrorOf(
      StrCat("declared:\n  listen: h:1\n  redis: true\n  servers: [\"h:2:1 a\"]\n", lines));
}

constexpr std::string_view kDeclared =
    "declared:\n"
    "  fleet: eu-1\n"
    "  listen: /tmp/weir.sock 0660\n"
    "  hash_tag: \"{}\"\n"
    "  timeout: 400\n"
    "  redis: true\n"
    "  redis_auth_secret: alpha-auth\n"
    "  max_request: 1048576\n"
    "  commands:\n"
    "    - {name: json.mget, last_key: -2}\n"
    "    - {name: bf.add}\n"
    "  servers:\n"
    "    - 127.0.0.1:6379:1 one\n"
    "    - \"[::1]:6379:3 two\"\n"
    "    - /run/three.sock:1 three\n"
    "  guard:\n"
    "    max_moved_fraction: 0.1\n"
    "    min_shards: 2\n";

TEST(PoolYamlTest, ReadsADeclaredPool) {
  const v1::PoolSpec spec = Parse(kDeclared);
  EXPECT_EQ(spec.fleet(), "eu-1");
  EXPECT_EQ(spec.policy().listen(), "/tmp/weir.sock 0660");
  EXPECT_EQ(spec.policy().redis_auth_secret(), "alpha-auth");
  EXPECT_EQ(spec.policy().commands(0).last_key(), -2);
  EXPECT_FALSE(spec.policy().commands(1).has_last_key());
  EXPECT_EQ(spec.servers(1).name(), "two");
  EXPECT_EQ(spec.servers(1).endpoint(), "[::1]:6379");
  EXPECT_EQ(spec.servers(1).weight(), 3u);
  EXPECT_EQ(spec.guard().max_moved_fraction(), 0.1);
  EXPECT_TRUE(ReadPoolSpec("alpha", spec).ok());
}

TEST(PoolYamlTest, SetsOnlyTheKeysThatAreWritten) {
  const v1::PoolSpec spec =
      Parse("declared:\n  listen: h:1\n  redis: true\n  servers: [\"h:2:1\"]\n");
  EXPECT_FALSE(spec.policy().has_hash() || spec.policy().has_timeout() || spec.has_guard());
  EXPECT_EQ(spec.fleet(), "");
  EXPECT_EQ(spec.servers(0).name(), "h:2");  // what the ring hashes where no name is given
}

TEST(PoolYamlTest, WritesWhatItReads) {
  EXPECT_EQ(FormatDeclaredPool(Parse(kDeclared)), kDeclared);
}

TEST(PoolYamlTest, QuotesWhatYamlWouldReadAsSomethingElse) {
  v1::PoolSpec spec = Parse(kDeclared);
  for (const char* listen : {"/tmp/a: b 0600", "/tmp/a #b 0600", "/tmp/\"a\\", "/tmp/\x01\x7f",
                             "null:1", "/tmp/\xc3\xa4", "/tmp/a\nb", "/tmp/a,b", "[::1]:1"}) {
    spec.mutable_policy()->set_listen(listen);
    const std::string text = FormatDeclaredPool(spec);
    EXPECT_EQ(Parse(text).policy().listen(), listen) << text;
  }
  spec.mutable_policy()->set_redis_auth_secret("null");
  EXPECT_EQ(Parse(FormatDeclaredPool(spec)).policy().redis_auth_secret(), "null");
}

TEST(PoolYamlTest, WritesTheSameForTheSameShardSpelledDifferently) {
  v1::PoolSpec spec = Parse(kDeclared);
  const std::string text = FormatDeclaredPool(spec);
  spec.mutable_servers(0)->set_weight(0);
  spec.mutable_servers(1)->set_endpoint("::1:6379");
  EXPECT_EQ(FormatDeclaredPool(spec), text);
}

TEST(PoolYamlTest, NamesTheLineOfAMistake) {
  EXPECT_EQ(ErrorOfLines("  timeout: soon\n"),
            "a.yml:5: pool 'alpha', key 'timeout': found 'soon', expected milliseconds >= 0");
  EXPECT_EQ(ErrorOfLines("  tiemout: 1\n"),
            "a.yml:5: pool 'alpha', key 'tiemout': unknown key; did you mean 'timeout'?");
  EXPECT_THAT(ErrorOfLines("  fleet: A\n"),
              HasSubstr("a.yml:5: pool 'alpha', key 'fleet': found 'A', expected 1 to 63 of"));
  EXPECT_EQ(ErrorOfLines("  fleet: a\n  fleet: b\n"),
            "a.yml:6: pool 'alpha', key 'fleet': found a second time, expected once (first on "
            "line 5)");
  EXPECT_EQ(ErrorOfLines("  guard: {max_moved_fraction: 2}\n"),
            "a.yml:5: pool 'alpha', key 'guard': max_moved_fraction: found 2, expected a share "
            "from 0 to 1");
  EXPECT_THAT(ErrorOfLines("  guard:\n    min_shard: 2\n"),
              HasSubstr("a.yml:6: pool 'alpha', key 'guard': found 'min_shard', expected a map"));
  EXPECT_THAT(ErrorOfLines("  guard: 1\n"), HasSubstr("a.yml:5: "));
  EXPECT_THAT(ErrorOf("declared:\n  listen: h:1\n  redis: true\n  servers:\n   - 'h:2:1 a\tb'\n"),
              HasSubstr("a.yml:5: pool 'alpha', key 'servers': found 'h:2:1 a\\tb', expected a "
                        "shard's name"));
}

TEST(PoolYamlTest, AByteThatIsNotUtf8IsRefusedWithItsLineBeforeAProxyWould) {
  constexpr std::string_view kError = "found bytes that are not UTF-8, expected text in UTF-8";
  EXPECT_EQ(ErrorOf("declared:\n  listen: h:1\n  redis: true\n  servers:\n    - h:2:1 \xff\n"),
            StrCat("a.yml:5: pool 'alpha': ", kError));
  EXPECT_EQ(ErrorOfLines("  hash_tag: \"\xab\xbb\"\n"), StrCat("a.yml:5: pool 'alpha': ", kError));
  EXPECT_EQ(Parse("declared:\n  listen: h:1\n  redis: true\n  servers:\n    - h:2:1 sch\xc3\xb6n\n")
                .servers(0)
                .name(),
            "sch\xc3\xb6n");
  const auto imported = ImportPools(
      "alpha:\n  listen: h:1\n  redis: true\n  redis_auth: \"\xff\"\n  servers: [\"h:2:1 \xff\"]\n",
      "n.yml");
  EXPECT_EQ(FromAbsl(imported.status().message()), StrCat("n.yml:5: pool 'alpha': ", kError));
}

TEST(PoolYamlTest, RefusesAPasswordWithoutShowingIt) {
  const std::string error = ErrorOfLines("  redis_auth: hunter2\n");
  EXPECT_EQ(error,
            "a.yml:5: pool 'alpha', key 'redis_auth': found a password, expected "
            "redis_auth_secret with a secret's name");
}

TEST(PoolYamlTest, SaysWhatIsWrongWithTheDocument) {
  EXPECT_EQ(ErrorOf(""),
            "a.yml:1: found nothing, expected a map under 'declared', with listen, "
            "servers and more");
  EXPECT_EQ(ErrorOf("declared:\n"), "a.yml:1: pool 'alpha': found nothing, expected a map of keys");
  EXPECT_EQ(ErrorOf("listen: h:1\n"), "a.yml:1: found 'listen', expected 'declared' once");
  EXPECT_THAT(ErrorOf("declared: {\n"), HasSubstr("not YAML"));
}

TEST(PoolYamlTest, ATwemproxyFileIsTheSamePoolsByMessageAsByItself) {
  for (const char* path : {"deploy/examples/alpha.yml", "deploy/examples/several_pools.yml"}) {
    const std::string text = FileText(path);
    const absl::StatusOr<Config> config = LoadConfig(text, path);
    ASSERT_TRUE(config.ok()) << config.status();
    absl::StatusOr<std::vector<ImportedPool>> imported = ImportPools(text, path);
    ASSERT_TRUE(imported.ok()) << imported.status();
    ASSERT_EQ(imported->size(), config->pools.size());
    for (size_t i = 0; i < imported->size(); ++i) {
      ImportedPool& pool = (*imported)[i];
      if (!pool.redis_auth.empty()) pool.spec.mutable_policy()->set_redis_auth_secret("s");
      CheckedPool checked = ReadPoolSpec(pool.name, pool.spec);
      ASSERT_TRUE(checked.ok()) << ToStatus(checked.errors);
      checked.pool.redis_auth = pool.redis_auth;
      EXPECT_EQ(checked.pool, config->pools[i]) << pool.name;
      // And once more through the control plane's own file.
      EXPECT_TRUE(MessageDifferencer::Equals(Parse(FormatDeclaredPool(pool.spec)), pool.spec))
          << FormatDeclaredPool(pool.spec);
    }
  }
}

TEST(PoolYamlTest, ReadsAndWritesPoolsUnderTheirNames) {
  const std::string text =
      "alpha:\n"
      "  fleet: eu-1\n"
      "  listen: h:1\n"
      "  redis: true\n"
      "  servers:\n"
      "    - 127.0.0.1:6379:1 one\n"
      "  guard:\n"
      "    min_shards: 2\n"
      "beta:\n"
      "  listen: h:2\n"
      "  redis: true\n"
      "  servers:\n"
      "    - 127.0.0.1:11211:1 one\n";
  const absl::StatusOr<std::vector<NamedPool>> pools = ParsePools(text, "f.yml");
  ASSERT_TRUE(pools.ok()) << pools.status();
  ASSERT_EQ(pools->size(), 2u);
  EXPECT_EQ(pools->at(0).spec.guard().min_shards(), 2u);
  std::string written;
  for (const NamedPool& pool : *pools) written += FormatPool(pool.name, pool.spec);
  EXPECT_EQ(written, text);
}

TEST(PoolYamlTest, TellsTheMistakesOfAllPoolsAtOnce) {
  const auto error_of = [](std::string_view text) {
    const absl::StatusOr<std::vector<NamedPool>> pools = ParsePools(text, "f.yml");
    return pools.ok() ? "no error" : std::string(FromAbsl(pools.status().message()));
  };
  const std::string error =
      error_of("alpha: {listen: \"h:1\", timeout: x, servers: [\"h:2:1 a\"]}\nbeta: 3\nC: {}\n");
  EXPECT_THAT(error, HasSubstr("f.yml:1: pool 'alpha', key 'timeout'"));
  EXPECT_THAT(error, HasSubstr("f.yml:2: pool 'beta'"));
  EXPECT_THAT(error, HasSubstr("f.yml:3: found 'C'"));
  EXPECT_THAT(error_of(""), HasSubstr("expected a map of pools"));
  constexpr std::string_view kPool = "a: {listen: \"h:1\", servers: [\"h:2:1 a\"]}\n";
  EXPECT_THAT(error_of(StrCat(kPool, kPool)), HasSubstr("f.yml:2: found pool 'a' a second time"));
}

TEST(PoolYamlTest, ImportsThePasswordApartFromTheSpec) {
  const absl::StatusOr<std::vector<ImportedPool>> pools = ImportPools(
      "alpha: {listen: \"h:1\", redis: true, redis_auth: hunter2, servers: [\"h:2:1\"]}", "f.yml");
  ASSERT_TRUE(pools.ok()) << pools.status();
  EXPECT_EQ(pools->at(0).redis_auth, "hunter2");
  EXPECT_EQ(pools->at(0).spec.ShortDebugString().find("hunter2"), std::string::npos);
  EXPECT_FALSE(ImportPools("alpha: {}", "f.yml").ok());
}

}  // namespace
}  // namespace weir
