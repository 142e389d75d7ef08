#include "proxy/config/config_loader.h"

#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "proxy/config/config_keys.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The smallest pool, to which tests add lines from line 5 on.
constexpr std::string_view kMinimal =
    "alpha:\n"
    "  listen: 127.0.0.1:22121\n"
    "  redis: true\n"
    "  servers: [\"127.0.0.1:6379:1\"]\n";

Config Load(std::string_view text) {
  absl::StatusOr<Config> config = LoadConfig(text, "f.yml");
  EXPECT_TRUE(config.ok()) << config.status().message() << "\nin:\n" << text;
  return config.ok() ? *config : Config{.pools = {PoolConfig()}};
}

PoolConfig LoadPool(std::string_view more_lines) {
  return Load(StrCat(kMinimal, more_lines)).pools.at(0);
}

std::string ErrorOf(std::string_view text) {
  const absl::StatusOr<Config> config = LoadConfig(text, "f.yml");
  return config.ok() ? "no error" : std::string(FromAbsl(config.status().message()));
}

TEST(ConfigLoaderTest, FillsInTheDefaults) {
  const PoolConfig pool = LoadPool("");
  EXPECT_EQ(pool.name, "alpha");
  EXPECT_EQ(pool.listen.endpoint, TcpEndpoint("127.0.0.1", 22121));
  EXPECT_EQ(pool.listen.unix_mode, std::nullopt);
  EXPECT_EQ(pool.hash, KeyHash::kFnv1a_64);
  EXPECT_FALSE(pool.hash_tag.enabled);
  EXPECT_EQ(pool.distribution, Distribution::kKetama);
  EXPECT_EQ(pool.timeout, absl::InfiniteDuration());
  EXPECT_EQ(pool.backlog, 512u);
  EXPECT_EQ(pool.client_connections, 0u);
  EXPECT_FALSE(pool.tcpkeepalive || pool.reuseport || pool.preconnect);
  EXPECT_EQ(pool.redis_auth, "");
  EXPECT_EQ(pool.redis_db, 0u);
  EXPECT_EQ(pool.server_connections, 1u);
  EXPECT_FALSE(pool.auto_eject_hosts);
  EXPECT_EQ(pool.server_retry_timeout, absl::Seconds(30));
  EXPECT_EQ(pool.server_failure_limit, 2u);
  ASSERT_EQ(pool.servers.size(), 1u);
  EXPECT_EQ(pool.hash_char, CharSign::kSigned);
  EXPECT_EQ(pool.large_request, 262144u);
  EXPECT_EQ(pool.max_request, 67108864u);
  EXPECT_EQ(pool.session_output_limit, 33554432u);
  EXPECT_EQ(pool.pool_output_limit, 0u);
  EXPECT_EQ(pool.max_leases, 64u);
  EXPECT_EQ(pool.shard_silence_limit, absl::Seconds(30));
  EXPECT_EQ(pool.progress_limit, absl::Seconds(30));
  EXPECT_EQ(pool.max_ejected_percent, 100u);
  EXPECT_EQ(pool.missing_shard, MissingShard::kFailFast);  // because nothing is ejected
  EXPECT_EQ(pool.partial_mget, PartialMget::kError);
  EXPECT_FALSE(pool.allow_flush);
  EXPECT_TRUE(pool.commands.empty());
  EXPECT_EQ(pool.resolve_interval, absl::Seconds(30));
}

constexpr std::string_view kEveryKey =
    "alpha:\n"
    "  listen: /tmp/weir.sock 0660\n"
    "  hash: murmur\n"
    "  hash_tag: \"{}\"\n"
    "  distribution: modula\n"
    "  timeout: 400\n"
    "  backlog: 1024\n"
    "  client_connections: 9000\n"
    "  tcpkeepalive: true\n"
    "  reuseport: true\n"
    "  preconnect: true\n"
    "  redis: true\n"
    "  redis_auth: s3cret\n"
    "  redis_db: 7\n"
    "  server_connections: 3\n"
    "  auto_eject_hosts: true\n"
    "  server_retry_timeout: 2000\n"
    "  server_failure_limit: 5\n"
    "  servers:\n"
    "   - 127.0.0.1:6379:4 one\n"
    "  hash_char: unsigned\n"
    "  large_request: 65536\n"
    "  max_request: 1048576\n"
    "  session_output_limit: 8388608\n"
    "  pool_output_limit: 268435456\n"
    "  max_leases: 16\n"
    "  shard_silence_limit: 5000\n"
    "  progress_limit: 6000\n"
    "  max_ejected_percent: 50\n"
    "  missing_shard: fail_fast\n"
    "  partial_mget: elements\n"
    "  allow_flush: true\n"
    "  commands:\n"
    "   - name: JSON.MGET\n"
    "     first_key: 1\n"
    "     last_key: -2\n"
    "     step: 2\n"
    "   - name: bf.add\n"
    "  resolve_interval: 0\n";

TEST(ConfigLoaderTest, ReadsEveryKey) {
  const PoolConfig pool = Load(kEveryKey).pools.at(0);
  EXPECT_EQ(pool.listen.endpoint, UnixEndpoint("/tmp/weir.sock"));
  EXPECT_EQ(pool.listen.unix_mode, 0660u);
  EXPECT_EQ(pool.hash, KeyHash::kMurmur);
  EXPECT_TRUE(pool.hash_tag.enabled);
  EXPECT_EQ(pool.hash_tag.open, '{');
  EXPECT_EQ(pool.hash_tag.close, '}');
  EXPECT_EQ(pool.distribution, Distribution::kModula);
  EXPECT_EQ(pool.timeout, absl::Milliseconds(400));
  EXPECT_EQ(pool.backlog, 1024u);
  EXPECT_EQ(pool.client_connections, 9000u);
  EXPECT_TRUE(pool.tcpkeepalive && pool.reuseport && pool.preconnect && pool.redis);
  EXPECT_EQ(pool.redis_auth, "s3cret");
  EXPECT_EQ(pool.redis_db, 7u);
  EXPECT_EQ(pool.server_connections, 3u);
  EXPECT_TRUE(pool.auto_eject_hosts);
  EXPECT_EQ(pool.server_retry_timeout, absl::Seconds(2));
  EXPECT_EQ(pool.server_failure_limit, 5u);
  EXPECT_EQ(pool.hash_char, CharSign::kUnsigned);
  EXPECT_EQ(pool.large_request, 65536u);
  EXPECT_EQ(pool.max_request, 1048576u);
  EXPECT_EQ(pool.session_output_limit, 8388608u);
  EXPECT_EQ(pool.pool_output_limit, 268435456u);
  EXPECT_EQ(pool.max_leases, 16u);
  EXPECT_EQ(pool.shard_silence_limit, absl::Seconds(5));
  EXPECT_EQ(pool.progress_limit, absl::Seconds(6));
  EXPECT_EQ(pool.max_ejected_percent, 50u);
  EXPECT_EQ(pool.missing_shard, MissingShard::kFailFast);
  EXPECT_EQ(pool.partial_mget, PartialMget::kElements);
  EXPECT_TRUE(pool.allow_flush);
  ASSERT_EQ(pool.commands.size(), 2u);
  EXPECT_EQ(pool.commands[0].name, "json.mget");
  EXPECT_EQ(pool.commands[0].first_key, 1u);
  EXPECT_EQ(pool.commands[0].last_key, -2);
  EXPECT_EQ(pool.commands[0].step, 2u);
  EXPECT_EQ(pool.commands[1].name, "bf.add");
  EXPECT_EQ(pool.commands[1].last_key, 1);
  EXPECT_EQ(pool.commands[1].step, 1u);
  EXPECT_EQ(pool.resolve_interval, absl::ZeroDuration());
}

TEST(ConfigLoaderTest, EveryDocumentedKeyHasAReaderAndIsTestedHere) {
  for (const KeySpec& key : kPoolKeys) {
    EXPECT_THAT(kEveryKey, HasSubstr(StrCat("\n  ", key.name, ":"))) << key.name;
    EXPECT_THAT(ErrorOf(StrCat("alpha:\n  ", key.name, ": {}\n")),
                HasSubstr(StrCat("key '", key.name, "': found a map, expected ")));
  }
}

TEST(ConfigLoaderTest, DerivesLimitsFromTheTimeout) {
  EXPECT_EQ(LoadPool("  timeout: 100\n").shard_silence_limit, absl::Seconds(1));
  EXPECT_EQ(LoadPool("  timeout: 5000\n").shard_silence_limit, absl::Seconds(10));
  // As in twemproxy, which arms no timer for it.
  EXPECT_EQ(LoadPool("  timeout: 0\n").timeout, absl::InfiniteDuration());
  EXPECT_EQ(LoadPool("  timeout: 0\n").shard_silence_limit, absl::Seconds(30));
  EXPECT_EQ(LoadPool("  server_failure_limit: 0\n").server_failure_limit, 1u);
}

TEST(ConfigLoaderTest, RehashesByDefaultOnceShardsAreEjected) {
  EXPECT_EQ(LoadPool("  auto_eject_hosts: true\n").missing_shard, MissingShard::kRehash);
  EXPECT_EQ(LoadPool("  missing_shard: fail_fast\n").missing_shard, MissingShard::kFailFast);
}

// nutcracker 0.5.0's own -t accepts each of these.
TEST(ConfigLoaderTest, AcceptsWhatTwemproxyAccepts) {
  EXPECT_EQ(LoadPool("  hash_tag: \"$$\"\n").hash_tag.close, '$');
  EXPECT_EQ(LoadPool("  hash_tag: \"\xab\xbb\"\n").hash_tag.close, '\xbb');  // not UTF-8
  EXPECT_EQ(LoadPool("  backlog: 0\n").backlog, 0u);
  EXPECT_EQ(LoadPool("  server_retry_timeout: 0\n").server_retry_timeout, absl::ZeroDuration());
  EXPECT_EQ(LoadPool("  backlog: 007\n").backlog, 7u);
  EXPECT_EQ(LoadPool("  redis_db: 99\n").redis_db, 99u);
  EXPECT_EQ(LoadPool("  redis_db: 0\n").redis_db, 0u);
  EXPECT_EQ(Load("alpha:\n  redis: true\n  listen: ::1:22121\n  servers:\n   - ::1:6379:1\n")
                .pools[0]
                .servers[0]
                .ring_name,
            "::1:6379");
}

TEST(ConfigLoaderTest, SortsServersAndPoolsByLengthThenBytes) {
  const Config config = Load(
      "zeta: {redis: true, listen: \"h:1\", servers: [\"a:1:1 bb\", \"a:2:1 c\", \"a:3:1 ab\", "
      "\"a:4:1 b\"]}\n"
      "omega: {redis: true, listen: \"h:2\", servers: [\"a:1:1\"]}\n"
      "beta: {redis: true, listen: \"h:3\", servers: [\"a:1:1\"]}\n");
  std::vector<std::string> pools, shards;
  for (const PoolConfig& pool : config.pools) pools.push_back(pool.name);
  for (const ShardConfig& shard : config.pools[1].servers) shards.push_back(shard.ring_name);
  EXPECT_THAT(pools, ElementsAre("beta", "zeta", "omega"));
  EXPECT_THAT(shards, ElementsAre("b", "c", "ab", "bb"));
}

TEST(ConfigLoaderTest, ReadsAnyYaml) {
  // A document mark, comments, quotes, an anchor and a merge key.
  const Config config = Load(
      "--- # a comment\n"
      "\"alpha\": &a\n"
      "  listen: '127.0.0.1:1'\n"
      "  timeout: 7 # ms\n"
      "  redis: true\n"
      "  servers: [ 'h:1:1 x' ]\n"
      "beta:\n"
      "  <<: *a\n"
      "  listen: 127.0.0.1:2\n"
      "  timeout: 9\n"
      "...\n");
  ASSERT_EQ(config.pools.size(), 2u);
  EXPECT_EQ(config.pools[0].name, "beta");
  EXPECT_EQ(config.pools[0].listen.endpoint.port, 2);
  EXPECT_EQ(config.pools[0].timeout, absl::Milliseconds(9));
  EXPECT_TRUE(config.pools[0].redis);
  EXPECT_EQ(config.pools[0].servers[0].name, "x");
  EXPECT_EQ(config.pools[1].timeout, absl::Milliseconds(7));
}

TEST(ConfigLoaderTest, AnOutputLimitOfAPoolIsNoneOrNotTiny) {
  for (const uint64_t limit : {0, 65536, 65537}) {
    const Config config = Load(StrCat(kMinimal, "  pool_output_limit: ", limit, "\n"));
    EXPECT_EQ(config.pools[0].pool_output_limit, limit);
  }
}

TEST(ConfigLoaderTest, WarnsOfWhatWorksHereAndNotInTwemproxy) {
  EXPECT_THAT(Load(kMinimal).warnings, ElementsAre());
  EXPECT_THAT(Load(StrCat(kMinimal, "  client_connections: 0\n  redis_auth: x\n")).warnings,
              ElementsAre());
  EXPECT_THAT(Load(StrCat(kMinimal, "  redis_db: 3\n")).warnings, ElementsAre());
  EXPECT_THAT(
      Load(StrCat(kMinimal, "  redis_db: 3\n  client_connections: 9\n  redis_auth: x\n")).warnings,
      ElementsAre("f.yml:5: warning: pool 'alpha', key 'redis_db': found 3 with redis_auth: keys "
                  "are in database 3; twemproxy then uses database 0",
                  "f.yml:6: warning: pool 'alpha', key 'client_connections': found 9: further "
                  "clients are refused; twemproxy ignores this key"));
}

TEST(ConfigLoaderTest, SaysWhatIsWrongWithAValueAndWhatWasExpected) {
  struct {
    const char* lines;  // from line 5 of a pool that is good without them
    const char* error;  // behind "f.yml:5: pool 'alpha'"
  } cases[] = {
      {"  timeout: abc", ", key 'timeout': found 'abc', expected milliseconds >= 0"},
      {"  timeout: 99999999999999999999",
       ", key 'timeout': found '99999999999999999999', expected milliseconds from 0 to 2147483647"},
      {"  timeout: -1", ", key 'timeout': found '-1', expected milliseconds >= 0"},
      {"  timeout: 1.5", ", key 'timeout': found '1.5', expected milliseconds >= 0"},
      {"  timeout: +5", ", key 'timeout': found '+5', expected milliseconds >= 0"},
      {"  timeout:", ", key 'timeout': found nothing, expected milliseconds >= 0"},
      {"  timeout: [1]", ", key 'timeout': found a list, expected milliseconds >= 0"},
      {"  timeout: 2147483648",
       ", key 'timeout': found '2147483648', expected milliseconds from 0 to 2147483647"},
      {"  timeout: \"a\\nb\"", ", key 'timeout': found 'a\\nb', expected milliseconds >= 0"},
      {"  hash: FNV",
       ", key 'hash': found 'FNV', expected one of one_at_a_time, md5, crc16, crc32, crc32a, "
       "fnv1_64, fnv1a_64, fnv1_32, fnv1a_32, hsieh, murmur, jenkins"},
      {"  distribution: ring",
       ", key 'distribution': found 'ring', expected one of ketama, modula, random"},
      {"  hash_tag: \"{\"", ", key 'hash_tag': found '{', expected two characters, such as \"{}\""},
      {"  preconnect: yes", ", key 'preconnect': found 'yes', expected true or false"},
      {"  preconnect: True", ", key 'preconnect': found 'True', expected true or false"},
      {"  backlog: many", ", key 'backlog': found 'many', expected a number >= 0"},
      {"  server_connections: 0", ", key 'server_connections': found '0', expected a number >= 1"},
      {"  redis_auth: \"\"",
       ", key 'redis_auth': found '', expected a password; leave the key out for none"},
      {"  partial_mget: some",
       ", key 'partial_mget': found 'some', expected one of error, elements"},
      {"  missing_shard: rehash",
       ", key 'missing_shard': found 'rehash' without auto_eject_hosts, expected "
       "auto_eject_hosts: true with it"},
      {"  max_ejected_percent: 101",
       ", key 'max_ejected_percent': found '101', expected a number from 0 to 100"},
      {"  large_request: 1K", ", key 'large_request': found '1K', expected bytes >= 1024"},
      {"  max_request: 2048",
       ", key 'max_request': found large_request 262144 and max_request 2048, expected "
       "large_request <= max_request"},
      {"  session_output_limit: 65535",
       ", key 'session_output_limit': found '65535', expected bytes >= 65536"},
      {"  pool_output_limit: 65535",
       ", key 'pool_output_limit': found '65535', expected 0 (no limit) or bytes >= 65536"},
      {"  pool_output_limit: none",
       ", key 'pool_output_limit': found 'none', expected 0 (no limit) or bytes >= 65536"},
      {"  pool_output_limit: 9007199254740992",
       ", key 'pool_output_limit': found '9007199254740992', expected 0 (no limit) or bytes from "
       "65536 to 1125899906842624"},
      {"  progress_limit: 0", ", key 'progress_limit': found '0', expected milliseconds >= 1"},
      {"  commands: x", ", key 'commands': found 'x', expected a list of maps"},
      {"  commands: [x]",
       ", key 'commands': found 'x', expected a map with name, first_key, last_key and step"},
      {"  commands: [{first_key: 1}]",
       ", key 'commands': found no name, expected the command's name"},
      {"  commands: [{name: a b}]",
       ", key 'commands': found 'a b', expected a command's name, of printable characters without "
       "spaces"},
      {"  commands: [{name: x, step: 0}]", ", key 'commands': found '0', expected step >= 1"},
      {"  commands: [{name: x, first: 1}]",
       ", key 'commands', 'first': unknown key; docs/configuration.md has all"},
      {"  commands: [{name: x, frst_key: 1}]",
       ", key 'commands', 'frst_key': unknown key; did you mean 'first_key'?"},
      {"  commands: [{name: x, name: y}]",
       ", key 'commands': found 'name' a second time, expected once"},
      {"  commands: [{name: x, first_key: 2, last_key: 1}]",
       ", key 'commands': found first_key 2 and last_key 1, expected first_key <= last_key, or "
       "last_key < 0"},
      {"  tiemout: 5", ", key 'tiemout': unknown key; did you mean 'timeout'?"},
      {"  something: 5", ", key 'something': unknown key; docs/configuration.md has all"},
      {"  ? [a]\n  : 1", ": found a list, expected the name of a key"},
      {"  listen: h:1", ", key 'listen': found a second time, expected once (first on line 2)"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ErrorOf(StrCat(kMinimal, c.lines, "\n")), StrCat("f.yml:5: pool 'alpha'", c.error));
  }
  EXPECT_EQ(ErrorOf(StrCat(kMinimal, "  commands: [{name: x}, {name: X}]\n")),
            "f.yml:5: pool 'alpha', key 'commands': found 'x' a second time, expected once");
}

TEST(ConfigLoaderTest, SaysOfEveryCommandThatCannotBeRestatedWhere) {
  EXPECT_EQ(ErrorOf(StrCat(kMinimal,
                           "  commands:\n"
                           "   - {name: json.get}\n"
                           "   - {name: SUBSCRIBE}\n"
                           "   - {name: x, first_key: 5000}\n")),
            "f.yml:7: pool 'alpha', key 'commands': command \"subscribe\" is built in and "
            "cannot be redefined: the proxy refuses it or restricts it\n"
            "f.yml:8: pool 'alpha', key 'commands': command \"x\": positions beyond 1000");
}

TEST(ConfigLoaderTest, SaysOfEveryMemcachedPoolThatItIsNotServedYet) {
  constexpr std::string_view kWhy =
      "found false (memcached), expected true: memcached pools are not served yet\n";
  EXPECT_EQ(ErrorOf("alpha: {listen: h:1, servers: [\"a:1:1\"]}\n"
                    "beta:\n"
                    "  listen: h:2\n"
                    "  redis: false\n"
                    "  servers: [\"a:1:1\"]\n"
                    "  timeout: soon\n"),
            StrCat("f.yml:1: pool 'alpha', key 'redis': ", kWhy,
                   "f.yml:4: pool 'beta', key 'redis': ", kWhy,
                   "f.yml:6: pool 'beta', key 'timeout': found 'soon', expected milliseconds >= "
                   "0"));
}

TEST(ConfigLoaderTest, RefusesKeysOfRedisInMemcachedPools) {
  for (const char* line :
       {"redis_auth: secret", "redis_db: 3", "partial_mget: elements", "commands: [{name: x}]"}) {
    const std::string key = std::string(line).substr(0, std::string_view(line).find(':'));
    EXPECT_THAT(ErrorOf(StrCat("alpha:\n  listen: h:1\n  servers: [\"a:1:1\"]\n  ", line, "\n")),
                HasSubstr(StrCat("f.yml:4: pool 'alpha', key '", key,
                                 "': found in a memcached pool, expected redis: true with it")));
  }
}

TEST(ConfigLoaderTest, SaysWhatIsWrongWithAServer) {
  struct {
    const char* server;
    const char* expected;
  } cases[] = {
      {"127.0.0.1", "host:port:weight or /path:weight, with ' name' behind it or not"},
      {"127.0.0.1:6379", "host:port:weight or /path:weight, with ' name' behind it or not"},
      {"/tmp/r.sock", "host:port:weight or /path:weight, with ' name' behind it or not"},
      {"127.0.0.1:6379:0", "a weight >= 1 at the end of the address"},
      {"127.0.0.1:6379:x name", "a weight >= 1 at the end of the address"},
      {"127.0.0.1:6379:1  two", "a weight >= 1 at the end of the address"},
      {"127.0.0.1:6379:1 a b", "a weight >= 1 at the end of the address"},
      {"127.0.0.1:0:1", "a port from 1 to 65535"},
      {":6379:1", "a host name or address before the port"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(
        ErrorOf(StrCat("alpha:\n  redis: true\n  listen: h:1\n  servers:\n   - ", c.server, "\n")),
        StrCat("f.yml:5: pool 'alpha', key 'servers': found '", c.server, "', expected ",
               c.expected));
  }
  EXPECT_EQ(ErrorOf("alpha:\n  listen: h:1\n  redis: true\n  servers: []\n"),
            "f.yml:4: pool 'alpha', key 'servers': found an empty list, expected at least one "
            "server");
  EXPECT_EQ(ErrorOf("alpha:\n  listen: h:1\n  redis: true\n  servers:\n"),
            "f.yml:4: pool 'alpha', key 'servers': found nothing, expected a list with at least "
            "one host:port:weight");
}

TEST(ConfigLoaderTest, RefusesTwoServersOfOneRingName) {
  // Weight is no part of the name; 11211 is left out of it.
  EXPECT_EQ(ErrorOf("alpha:\n  listen: h:1\n  redis: true\n  servers:\n   - a:1:1\n   - a:1:2\n"),
            "f.yml:6: pool 'alpha', key 'servers': found 'a:1:2', expected a name of its own: "
            "'a:1' is already on line 5");
  EXPECT_EQ(
      ErrorOf("alpha:\n  listen: h:1\n  redis: true\n  servers:\n   - a:11211:1\n   - b:1:1 a\n"),
      "f.yml:6: pool 'alpha', key 'servers': found 'b:1:1 a', expected a name of its own: "
      "'a' is already on line 5");
  // One address under two names is legal.
  Load("alpha:\n  redis: true\n  listen: h:1\n  servers:\n   - a:1:1 x\n   - a:1:1 y\n");
}

TEST(ConfigLoaderTest, SaysWhatIsWrongWithTheListenAddress) {
  const auto error = [](std::string_view listen) {
    return ErrorOf(
        StrCat("alpha:\n  listen: ", listen, "\n  redis: true\n  servers: [\"a:1:1\"]\n"));
  };
  EXPECT_EQ(error("localhost"),
            "f.yml:2: pool 'alpha', key 'listen': found 'localhost', expected host:port, "
            "[ipv6]:port or /path");
  EXPECT_EQ(error(":22121"),
            "f.yml:2: pool 'alpha', key 'listen': found ':22121', expected a host name or address "
            "before the port");
  EXPECT_EQ(error("/tmp/x.sock 0888"),
            "f.yml:2: pool 'alpha', key 'listen': found '/tmp/x.sock 0888', expected an octal mode "
            "of at most 0777 after the path");
  EXPECT_EQ(error("/tmp/x.sock 1777"),
            "f.yml:2: pool 'alpha', key 'listen': found '/tmp/x.sock 1777', expected an octal mode "
            "of at most 0777 after the path");
  EXPECT_THAT(error("[::1]:22121"), StartsWith("f.yml:2: not YAML: "));
  EXPECT_THAT(error("[::1]:22121"), HasSubstr("put quotes around a value that begins with ["));
}

TEST(ConfigLoaderTest, ReportsEveryMistakeAtOnceInTheFilesOrder) {
  EXPECT_EQ(ErrorOf("alpha:\n"
                    "  listen: h:1\n"
                    "  redis: yes\n"
                    "  redis_auth: secret\n"  // no mistake as long as `redis` is not readable
                    "  timeout: soon\n"
                    "beta:\n"
                    "  hahs: md5\n"
                    "  listen: h:1\n"
                    "  redis: true\n"
                    "  servers:\n"
                    "   - nonsense\n"
                    "   - a:1:1\n"
                    "alpha: {redis: true}\n"
                    "gamma: 5\n"),
            "f.yml:1: pool 'alpha', key 'servers': found nothing, expected a list with at least "
            "one host:port:weight\n"
            "f.yml:3: pool 'alpha', key 'redis': found 'yes', expected true or false\n"
            "f.yml:5: pool 'alpha', key 'timeout': found 'soon', expected milliseconds >= 0\n"
            "f.yml:7: pool 'beta', key 'hahs': unknown key; did you mean 'hash'?\n"
            "f.yml:8: pool 'beta', key 'listen': found 'h:1', expected an address of its own: pool "
            "'alpha' has it on line 2\n"
            "f.yml:11: pool 'beta', key 'servers': found 'nonsense', expected host:port:weight or "
            "/path:weight, with ' name' behind it or not\n"
            "f.yml:13: pool 'alpha': found a second time, expected once (first on line 1)\n"
            "f.yml:13: pool 'alpha', key 'listen': found nothing, expected host:port, [ipv6]:port "
            "or /path\n"
            "f.yml:13: pool 'alpha', key 'servers': found nothing, expected a list with at least "
            "one host:port:weight\n"
            "f.yml:14: pool 'gamma': found '5', expected a map of keys");
}

TEST(ConfigLoaderTest, SaysWhatIsWrongWithTheFileAsAWhole) {
  const std::string nothing =
      "f.yml:1: found nothing, expected at least one pool, as a map `name: {listen: ..., "
      "servers: ...}`";
  EXPECT_EQ(ErrorOf(""), nothing);
  EXPECT_EQ(ErrorOf("# only a comment\n"), nothing);
  EXPECT_EQ(ErrorOf("---\n"), nothing);
  EXPECT_EQ(ErrorOf("{}"), nothing);
  EXPECT_THAT(ErrorOf("\n- a\n"), StartsWith("f.yml:2: found a list, expected at least one pool"));
  EXPECT_EQ(ErrorOf("a: {}\n---\nb: {}\n"),
            "f.yml:2: found a second document or a stray character, expected one document");
  EXPECT_EQ(ErrorOf(","),
            "f.yml:1: found a second document or a stray character, expected one document");
  EXPECT_EQ(ErrorOf("{a: 1}\n}"), "f.yml:2: not YAML: illegal flow end");
  EXPECT_THAT(ErrorOf("--- {}\n---\n"), StartsWith("f.yml:1: found nothing"));
  EXPECT_EQ(ErrorOf("alpha:\n  a: 1\n   b: 2\n"), "f.yml:3: not YAML: illegal map value");
  EXPECT_EQ(ErrorOf("alpha:\n\ta: 1\n"),
            "f.yml:2: not YAML: illegal map value; indent with spaces, YAML takes no tabs");
  // What yaml-cpp quotes as it stands broke an error in two when that was the end of a line.
  EXPECT_EQ(ErrorOf("alpha: \"\\\x01\"\n"), "f.yml:1: not YAML: unknown escape character: \\x01");
  EXPECT_EQ(ErrorOf(std::string("alph\0\n  listen: [::1]:1\n", 24)).find('\n'), std::string::npos);
  EXPECT_EQ(ErrorOf(std::string((16 << 20) + 1, ' ')),
            "f.yml:1: found a larger file, expected at most 16777216 bytes");
  EXPECT_EQ(ErrorOf("alpha: *nobody\n"), "f.yml:1: not YAML: the referenced anchor is not defined");
  EXPECT_EQ(ErrorOf("alpha: {<<: 5}\n"),
            "f.yml:1: expected an alias of a map, or a list of them, for '<<'");
  EXPECT_EQ(ErrorOf(std::string(5000, '[')), "f.yml:1: not YAML: bad file");
  EXPECT_THAT(ErrorOf("\"a\\nb\": {}\n"),
              StartsWith("f.yml:1: found 'a\\nb', expected the name of a pool"));
}

TEST(ConfigLoaderTest, AFileWithoutPoolsIsAllowedWherePoolsMayComeFromElsewhere) {
  for (const char* text : {"", "# moved\n", "---\n", "{}"}) {
    const absl::StatusOr<Config> config = LoadConfig(text, "f.yml", NoPools::kAllowed);
    ASSERT_TRUE(config.ok()) << text;
    EXPECT_TRUE(config->pools.empty());
  }
  EXPECT_FALSE(LoadConfig("- a\n", "f.yml", NoPools::kAllowed).ok());
}

TEST(ConfigLoaderTest, RefusesAliasesThatExpandWithoutBound) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    StrAppend(&bomb, "a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) StrAppend(&bomb, j == 0 ? "" : ", ", "*a", i - 1);
    bomb += "]\n";
  }
  EXPECT_THAT(ErrorOf(bomb), HasSubstr("expected at most 100000 values, aliases expanded"));
  EXPECT_THAT(ErrorOf("a: &a\n  <<: *a\n  b: 1\n"),
              HasSubstr("expected values nested at most 16 deep"));
}

TEST(ConfigLoaderTest, NeverShowsAPassword) {
  const std::string error =
      ErrorOf("alpha:\n  listen: h:1\n  redis_auth: hunter2\n  redis_auth: hunter2\n");
  EXPECT_THAT(error, HasSubstr("key 'redis_auth'"));
  EXPECT_THAT(error, Not(HasSubstr("hunter2")));
}

TEST(ConfigLoaderTest, SaysWhyAFileCannotBeRead) {
  EXPECT_EQ(LoadConfigFile("/nonexistent/weir.yml").status().message(),
            "/nonexistent/weir.yml: cannot be read: No such file or directory");
  EXPECT_EQ(LoadConfigFile("/tmp").status().message(), "/tmp: found a directory, expected a file");
  const std::string path = ::testing::TempDir() + "/empty.yml";
  std::ofstream(path).close();
  EXPECT_EQ(LoadConfigFile(path).status().message(),
            ToAbsl(StrCat(path,
                          ":1: found nothing, expected at least one pool, as a map `name: "
                          "{listen: ..., servers: ...}`")));
}

TEST(ConfigLoaderTest, ReadsAFileOfManyPieces) {
  const std::string path = ::testing::TempDir() + "/large.yml";
  std::ofstream(path) << std::string(200'000, '#') << "\n" << kMinimal << std::string(70'000, '#');
  const absl::StatusOr<Config> config = LoadConfigFile(path);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->pools[0].place.text, StrCat(path, ":2: "));
}

TEST(ConfigLoaderTest, LoadsTheExamples) {
  const absl::StatusOr<Config> alpha = LoadConfigFile("deploy/examples/alpha.yml");
  ASSERT_TRUE(alpha.ok()) << alpha.status();
  ASSERT_EQ(alpha->pools.size(), 1u);
  EXPECT_EQ(alpha->pools[0].servers.size(), 2u);
  EXPECT_EQ(alpha->pools[0].servers[1].name, "server1-2");
  EXPECT_EQ(alpha->pools[0].server_retry_timeout, absl::Seconds(2));

  const absl::StatusOr<Config> several = LoadConfigFile("deploy/examples/several_pools.yml");
  ASSERT_TRUE(several.ok()) << several.status();
  EXPECT_EQ(several->pools.size(), 3u);
}

}  // namespace
}  // namespace weir
