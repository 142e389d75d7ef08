#include "proxy/config/pool_message.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <set>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "proxy/config/config_keys.h"

namespace weir {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::PoolSpec Parse(std::string_view text) {
  v1::PoolSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(std::string(text), &spec)) << text;
  return spec;
}

// The smallest pool that can be declared, and more fields in protobuf's text format.
v1::PoolSpec Spec(std::string_view more = "") {
  v1::PoolSpec spec =
      Parse("policy { listen: 'h:1' redis: true } servers { name: 'a' endpoint: 'h:2' }");
  spec.MergeFrom(Parse(more));
  return spec;
}

std::vector<FieldError> ErrorsOf(std::string_view more) {
  return ReadPoolSpec("alpha", Spec(more)).errors;
}

PoolConfig Read(std::string_view more) {
  const CheckedPool checked = ReadPoolSpec("alpha", Spec(more));
  EXPECT_THAT(checked.errors, IsEmpty()) << ToStatus(checked.errors);
  return checked.pool;
}

FieldError Error(std::string_view field, std::string_view what) {
  return {std::string(field), std::string(what)};
}

TEST(PoolMessageTest, FillsInTheDefaultsOfAFile) {
  const PoolConfig pool = Read("");
  EXPECT_EQ(pool.name, "alpha");
  EXPECT_EQ(pool.listen.endpoint, TcpEndpoint("h", 1));
  ASSERT_EQ(pool.servers.size(), 1u);
  EXPECT_EQ(
      pool.servers[0],
      (ShardConfig{.name = "a", .endpoint = TcpEndpoint("h", 2), .weight = 1, .ring_name = "a"}));
  EXPECT_EQ(pool.timeout, absl::InfiniteDuration());
  EXPECT_EQ(pool.shard_silence_limit, absl::Seconds(30));
  EXPECT_EQ(pool.missing_shard, MissingShard::kFailFast);
}

// A key: a value that is good, how it shows, a value that is refused, and the error.
struct KeyCase {
  std::string_view key;
  std::string_view good;
  std::function<bool(const PoolConfig&)> shows;
  std::string_view bad;
  std::string_view error;
};

const KeyCase kKeyCases[] = {
    {"listen", "'/tmp/x.sock 0600'", [](auto& p) { return p.listen.unix_mode == 0600u; }, "'h'",
     "found 'h', expected host:port, [ipv6]:port or /path"},
    {"hash", "'md5'", [](auto& p) { return p.hash == KeyHash::kMd5; }, "'sha'",
     "found 'sha', expected one of one_at_a_time, md5, crc16, crc32, crc32a, fnv1_64, fnv1a_64, "
     "fnv1_32, fnv1a_32, hsieh, murmur, jenkins"},
    {"hash_tag", "'{}'", [](auto& p) { return p.hash_tag.enabled; }, "'{'",
     "found '{', expected two characters, such as \"{}\""},
    {"distribution", "'modula'", [](auto& p) { return p.distribution == Distribution::kModula; },
     "''", "found '', expected one of ketama, modula, random"},
    {"timeout", "400", [](auto& p) { return p.timeout == absl::Milliseconds(400); }, "2147483648",
     "found '2147483648', expected milliseconds from 0 to 2147483647"},
    {"backlog", "7", [](auto& p) { return p.backlog == 7; }, "4294967295",
     "found '4294967295', expected a number from 0 to 2147483647"},
    {"client_connections", "9", [](auto& p) { return p.client_connections == 9; }, "4294967295",
     "found '4294967295', expected a number from 0 to 2147483647"},
    {"tcpkeepalive", "true", [](auto& p) { return p.tcpkeepalive; }, "", ""},
    {"reuseport", "true", [](auto& p) { return p.reuseport; }, "", ""},
    {"preconnect", "true", [](auto& p) { return p.preconnect; }, "", ""},
    {"redis", "true", [](auto& p) { return p.redis; }, "false",
     "found false (memcached), expected true: memcached pools are not served yet"},
    {"redis_auth_secret", "'alpha-auth'", [](auto& p) { return p.redis_auth.empty(); },
     "'../etc/shadow'",
     "found '../etc/shadow', expected a secret's name, 1 to 253 of a-z, A-Z, 0-9, '-', '_', '.', "
     "beginning with a letter or digit"},
    {"redis_db", "3", [](auto& p) { return p.redis_db == 3; }, "4294967295",
     "found '4294967295', expected a number from 0 to 2147483647"},
    {"server_connections", "2", [](auto& p) { return p.server_connections == 2; }, "0",
     "found '0', expected a number >= 1"},
    {"auto_eject_hosts", "true", [](auto& p) { return p.auto_eject_hosts; }, "", ""},
    {"server_retry_timeout", "50",
     [](auto& p) { return p.server_retry_timeout == absl::Milliseconds(50); }, "4000000000",
     "found '4000000000', expected milliseconds from 0 to 2147483647"},
    {"server_failure_limit", "0", [](auto& p) { return p.server_failure_limit == 1; }, "4000000000",
     "found '4000000000', expected a number from 0 to 2147483647"},
    {"hash_char", "'unsigned'", [](auto& p) { return p.hash_char == CharSign::kUnsigned; }, "'x'",
     "found 'x', expected one of signed, unsigned"},
    {"large_request", "2048", [](auto& p) { return p.large_request == 2048; }, "1023",
     "found '1023', expected bytes >= 1024"},
    {"max_request", "1048576", [](auto& p) { return p.max_request == 1048576; }, "1",
     "found '1', expected bytes >= 1024"},
    {"session_output_limit", "65536", [](auto& p) { return p.session_output_limit == 65536; },
     "18446744073709551615",
     "found '18446744073709551615', expected bytes from 65536 to 1125899906842624"},
    {"pool_output_limit", "1000000", [](auto& p) { return p.pool_output_limit == 1000000; }, "1",
     "found '1', expected 0 (no limit) or bytes >= 65536"},
    {"max_leases", "1", [](auto& p) { return p.max_leases == 1; }, "0",
     "found '0', expected a number >= 1"},
    {"shard_silence_limit", "9",
     [](auto& p) { return p.shard_silence_limit == absl::Milliseconds(9); }, "0",
     "found '0', expected milliseconds >= 1"},
    {"progress_limit", "9", [](auto& p) { return p.progress_limit == absl::Milliseconds(9); }, "0",
     "found '0', expected milliseconds >= 1"},
    {"max_ejected_percent", "50", [](auto& p) { return p.max_ejected_percent == 50; }, "101",
     "found '101', expected a number from 0 to 100"},
    {"missing_shard", "'fail_fast'",
     [](auto& p) { return p.missing_shard == MissingShard::kFailFast; }, "'maybe'",
     "found 'maybe', expected one of rehash, fail_fast"},
    {"partial_mget", "'elements'", [](auto& p) { return p.partial_mget == PartialMget::kElements; },
     "'none'", "found 'none', expected one of error, elements"},
    {"allow_flush", "true", [](auto& p) { return p.allow_flush; }, "", ""},
    {"commands", "{ name: 'JSON.GET' first_key: 2 }",
     [](auto& p) { return p.commands.size() == 1 && p.commands[0].last_key == 2; }, "", ""},
    {"resolve_interval", "0", [](auto& p) { return p.resolve_interval == absl::ZeroDuration(); },
     "4000000000", "found '4000000000', expected milliseconds from 0 to 2147483647"},
};

TEST(PoolMessageTest, TheCasesBelowCoverEveryKeyOfAFileAndEveryFieldOfAPolicy) {
  std::set<std::string_view> keys = {"servers", "redis_auth"};
  for (const KeyCase& c : kKeyCases) keys.insert(c.key);
  for (const KeySpec& key : kPoolKeys) EXPECT_TRUE(keys.contains(key.name)) << key.name;
  const auto& policy = *v1::PoolPolicy::descriptor();
  EXPECT_EQ(policy.field_count(), static_cast<int>(std::size(kKeyCases)));
  for (int i = 0; i < policy.field_count(); ++i) {
    EXPECT_TRUE(keys.contains(policy.field(i)->name())) << policy.field(i)->name();
  }
}

TEST(PoolMessageTest, ReadsEveryKey) {
  for (const KeyCase& c : kKeyCases) {
    const PoolConfig pool = Read(StrCat("policy { ", c.key, ": ", c.good, " }"));
    EXPECT_TRUE(c.shows(pool)) << c.key;
  }
}

TEST(PoolMessageTest, NamesThePathOfABadKey) {
  for (const KeyCase& c : kKeyCases) {
    if (c.error.empty()) continue;  // a type without bad values
    EXPECT_THAT(ErrorsOf(StrCat("policy { ", c.key, ": ", c.bad, " }")),
                ElementsAre(Error(StrCat("policy.", c.key), c.error)))
        << c.key;
  }
}

TEST(PoolMessageTest, NamesThePathOfABadCommand) {
  const auto errors = [](std::string_view command) {
    return ErrorsOf(StrCat("policy { commands { name: 'x' } commands {", command, "}}"));
  };
  EXPECT_THAT(errors("name: 'y' step: 0"),
              ElementsAre(Error("policy.commands[1].step", "found '0', expected step >= 1")));
  EXPECT_THAT(errors("name: 'a b'"),
              ElementsAre(Error("policy.commands[1].name",
                                "found 'a b', expected a command's name, of printable characters "
                                "without spaces")));
  EXPECT_THAT(
      errors("first_key: 1"),
      ElementsAre(Error("policy.commands[1]", "found no name, expected the command's name")));
  EXPECT_THAT(errors("name: 'X'"),
              ElementsAre(Error("policy.commands[1]", "found 'x' a second time, expected once")));
  EXPECT_THAT(errors("name: 'y' first_key: 3 last_key: 2"),
              ElementsAre(Error("policy.commands[1]",
                                "found first_key 3 and last_key 2, expected first_key <= "
                                "last_key, or last_key < 0")));
}

TEST(PoolMessageTest, ChecksKeysThatDependOnEachOther) {
  const auto redis_only = [](std::string_view field) {
    return Error(StrCat("policy.", field),
                 "found in a memcached pool, expected redis: true with it");
  };
  EXPECT_THAT(ErrorsOf("policy { redis: false redis_db: 1 }"), Contains(redis_only("redis_db")));
  EXPECT_THAT(ErrorsOf("policy { redis: false redis_auth_secret: 's' }"),
              Contains(redis_only("redis_auth_secret")));
  EXPECT_THAT(ErrorsOf("policy { missing_shard: 'rehash' }"),
              ElementsAre(Error("policy.missing_shard",
                                "found 'rehash' without auto_eject_hosts, expected "
                                "auto_eject_hosts: true with it")));
  EXPECT_THAT(ErrorsOf("policy { max_request: 2048 }"),
              ElementsAre(Error("policy.max_request",
                                "found large_request 262144 and max_request 2048, expected "
                                "large_request <= max_request")));
}

TEST(PoolMessageTest, SaysWhatIsMissing) {
  EXPECT_THAT(
      ReadPoolSpec("alpha", v1::PoolSpec()).errors,
      ElementsAre(Error("servers", "found an empty list, expected at least one server"),
                  Error("policy.listen", "found nothing, expected host:port, [ipv6]:port or /path"),
                  Error("policy.redis",
                        "found false (memcached), expected true: memcached pools are not "
                        "served yet")));
}

TEST(PoolMessageTest, NamesThePathOfABadShard) {
  constexpr std::string_view kName = "expected a shard's name, of 1 to 255 bytes without spaces";
  EXPECT_THAT(ErrorsOf("servers {}"),
              ElementsAre(Error("servers[1].name", StrCat("found '', ", kName)),
                          Error("servers[1].endpoint",
                                "found '', expected host:port, [ipv6]:port or /path")));
  EXPECT_THAT(
      ErrorsOf("servers { name: 'b c' endpoint: 'h:0' weight: 2147483648 }"),
      ElementsAre(Error("servers[1].name", StrCat("found 'b c', ", kName)),
                  Error("servers[1].endpoint", "found 'h:0', expected a port from 1 to 65535"),
                  Error("servers[1].weight",
                        "found '2147483648', expected a weight from 1 to 2147483647")));
  EXPECT_THAT(ErrorsOf("servers { name: 'a' endpoint: 'h:3' }"),
              ElementsAre(Error("servers[1]",
                                "found 'a' a second time, expected a name of its own (first at "
                                "servers[0])")));
  EXPECT_EQ(ErrorsOf(StrCat("servers { name: '", std::string(256, 'x'), "' endpoint: 'h:3' }"))
                .at(0)
                .field,
            "servers[1].name");
}

TEST(PoolMessageTest, SortsShardsAsAFileDoesAndTakesAnUnsetWeightForOne) {
  const PoolConfig pool = Read(
      "servers { name: 'cc' endpoint: '[::1]:3' weight: 5 } servers { name: 'b' endpoint: '/s' }");
  ASSERT_EQ(pool.servers.size(), 3u);
  EXPECT_EQ(pool.servers[1].name, "b");
  EXPECT_EQ(pool.servers[1].weight, 1u);
  EXPECT_EQ(pool.servers[2].endpoint, TcpEndpoint("::1", 3));
  EXPECT_EQ(pool.servers[2].weight, 5u);
}

TEST(PoolMessageTest, ChecksTheNameTheFleetAndTheGuard) {
  const std::string form =
      "expected 1 to 63 of a-z, 0-9, '-', '_', '.', beginning and ending with a letter or digit";
  for (const std::string& name :
       {std::string(), std::string("A"), std::string("a/b"), std::string("../a"), std::string("-a"),
        std::string("a."), std::string(64, 'a')}) {
    EXPECT_THAT(ReadPoolSpec(name, Spec()).errors,
                ElementsAre(Error("name", StrCat("found '", name, "', ", form))));
  }
  EXPECT_TRUE(ReadPoolSpec("0-a_b.c", Spec()).ok());
  EXPECT_THAT(ErrorsOf("fleet: 'Eu 1'"),
              ElementsAre(Error("fleet", StrCat("found 'Eu 1', ", form))));
  EXPECT_THAT(
      ErrorsOf("guard { max_moved_fraction: 1.5 }"),
      ElementsAre(Error("guard.max_moved_fraction", "found 1.5, expected a share from 0 to 1")));
  EXPECT_THAT(ErrorsOf("guard { max_moved_fraction: nan }").size(), 1u);
  EXPECT_THAT(ErrorsOf("guard { min_shards: 4294967295 }"),
              ElementsAre(Error("guard.min_shards",
                                "found 4294967295, expected a number from 0 to 2147483647")));
  Read("fleet: 'eu-1' guard { max_moved_fraction: 0 min_shards: 0 }");
}

TEST(PoolMessageTest, ReportsEveryMistakeAtOnce) {
  const std::vector<FieldError> errors =
      ErrorsOf("fleet: '-' policy { timeout: 4000000000 hash: 'x' } servers { name: 'b' }");
  std::vector<std::string> fields;
  for (const FieldError& error : errors) fields.push_back(error.field);
  EXPECT_THAT(fields, ElementsAre("policy.hash", "policy.timeout", "servers[1].endpoint", "fleet"));
  EXPECT_EQ(FromAbsl(ToStatus(errors).message()).substr(0, 13), "policy.hash: ");
}

TEST(PoolMessageTest, ReadsAResourceWithoutEndpointsAndWithItsPassword) {
  v1::PoolResource resource;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "policy { listen: 'h:1' redis: true redis_auth_secret: 's' } slots { name: 'a' weight: 3 }",
      &resource));
  const CheckedPool checked = ReadPoolResource("alpha", resource, "hunter2");
  ASSERT_TRUE(checked.ok()) << ToStatus(checked.errors);
  EXPECT_EQ(checked.pool.redis_auth, "hunter2");
  EXPECT_EQ(checked.pool.servers.at(0).ring_name, "a");
  EXPECT_EQ(checked.pool.servers.at(0).weight, 3u);
  EXPECT_EQ(checked.pool.servers.at(0).endpoint, Endpoint());

  resource.add_slots();
  EXPECT_THAT(
      ReadPoolResource("alpha", resource, "").errors,
      ElementsAre(Error("slots[1].name",
                        "found '', expected a shard's name, of 1 to 255 bytes without "
                        "spaces"),
                  Error("slots[1].weight", "found '0', expected a weight from 1 to 2147483647")));
}

TEST(PoolMessageTest, APoolOfTwentyThousandShardsIsRefused) {
  v1::PoolSpec spec = Spec();
  for (int i = 1; i < 10'000; ++i) {
    v1::ShardSpec& shard = *spec.add_servers();
    shard.set_name(StrCat("s", i));
    shard.set_endpoint("h:2");
  }
  EXPECT_THAT(ReadPoolSpec("alpha", spec).errors, IsEmpty());
  *spec.add_servers() = spec.servers(0);
  EXPECT_THAT(ReadPoolSpec("alpha", spec).errors,
              ElementsAre(Error("servers", "found 10001 servers, expected at most 10000")));
}

TEST(PoolMessageTest, TextsThatAreNotUtf8AreRefused) {
  v1::PoolSpec spec = Spec();
  spec.mutable_servers(0)->set_name("\xff");
  EXPECT_THAT(ReadPoolSpec("alpha", spec).errors,
              ElementsAre(Error("servers[0].name",
                                "found bytes that are not UTF-8, expected text in UTF-8")));
}

TEST(PoolMessageTest, ChecksAShardByItself) {
  v1::ShardSpec shard;
  shard.set_name("b");
  EXPECT_THAT(CheckShard(shard), ElementsAre(Error("endpoint",
                                                   "found '', expected host:port, [ipv6]:port or "
                                                   "/path")));
  shard.set_endpoint("h:1");
  EXPECT_THAT(CheckShard(shard), IsEmpty());
}

}  // namespace
}  // namespace weir
