#include "controlplane/ctl/pool_text.h"

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

template <typename Message>
Message Read(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

v1::Pool Alpha() {
  return Read<v1::Pool>(
      "name: 'alpha' etag: 'e1' declared_generation: 3 created { seconds: 1700000000 } "
      "spec { policy { listen: '127.0.0.1:22121' redis: true } "
      "  servers { name: 'a' endpoint: '127.0.0.1:1' weight: 1 } } "
      "shard_map { generation: 12 "
      "  slots { name: 'a' endpoint: '127.0.0.1:1' weight: 1 state: SLOT_ACTIVE "
      "          source: SLOT_FROM_SPEC } "
      "  slots { name: 'b' endpoint: '127.0.0.1:2' weight: 2 state: SLOT_DRAINING "
      "          source: SLOT_FROM_API } } "
      "status { drifted: true drift: \"shard 'b': added live\" }");
}

TEST(PoolTextTest, ListsPools) {
  v1::ListPoolsResponse pools;
  EXPECT_EQ(PoolsTable(pools), "no pools\n");
  *pools.add_pools() = Alpha();
  EXPECT_EQ(PoolsTable(pools),
            "POOL   FLEET    LISTEN           SHARDS  GENERATION  STATUS   CHANGED\n"
            "alpha  default  127.0.0.1:22121  1/2     12          drifted  -\n");
}

TEST(PoolTextTest, APoolThatNobodyServesOrWhoseFileIsRefusedIsNotOk) {
  v1::Pool pool;
  EXPECT_EQ(StatusText(pool), "ok");  // nothing is known of proxies
  v1::PoolProxies& proxies = *pool.mutable_status()->mutable_proxies();
  EXPECT_EQ(StatusText(pool), "no proxy");
  proxies.set_connected(3);
  EXPECT_EQ(StatusText(pool), "3 of 3 proxies behind");
  proxies.set_up_to_date(2);
  proxies.set_refusing(1);
  EXPECT_EQ(StatusText(pool), "1 of 3 proxies refuse it");
  proxies.set_refusing(0);
  EXPECT_EQ(StatusText(pool), "1 of 3 proxies behind");
  proxies.set_up_to_date(3);
  EXPECT_EQ(StatusText(pool), "ok");
  pool.mutable_status()->add_file_errors("alpha.yml:3: mistake");
  EXPECT_EQ(StatusText(pool), "file refused");
  pool.mutable_status()->set_drifted(true);
  proxies.set_up_to_date(1);
  EXPECT_EQ(StatusText(pool), "drifted, file refused, 2 of 3 proxies behind");

  v1::Pool secret;
  secret.mutable_status()->add_waiting("secret auth is not in the secrets directory");
  EXPECT_EQ(StatusText(secret), "secret missing");
  EXPECT_THAT(DescribePool(secret, {}), HasSubstr("\n  secret auth is not in the secrets"));
  v1::Pool waiting;
  waiting.mutable_status()->add_waiting("shard c waits for an address of c:6379");
  EXPECT_EQ(StatusText(waiting), "1 shard waits");
  EXPECT_THAT(ShardsTable(waiting, {}), HasSubstr("\nshard c waits for an address of c:6379\n"));
  EXPECT_THAT(DescribePool(waiting, {}), HasSubstr("\n  shard c waits for an address of c:6379\n"));

  v1::Pool alpha = Alpha();
  alpha.mutable_status()->add_file_errors("alpha.yml:3: mistake");
  EXPECT_THAT(DescribePool(alpha, {}),
              HasSubstr("\nThe pool's file was edited, and is not in force:\n"
                        "  alpha.yml:3: mistake\n"));
}

TEST(PoolTextTest, ListsShards) {
  EXPECT_EQ(ShardsTable(Alpha(), {}),
            "SHARD  ENDPOINT     WEIGHT  STATE     SOURCE\n"
            "a      127.0.0.1:1  1       active    spec\n"
            "b      127.0.0.1:2  2       draining  api\n");
}

TEST(PoolTextTest, TheTableOfShardsSaysWhichProxyHasEjectedOne) {
  const auto proxies = Read<v1::ListProxiesResponse>(
      "proxies { node { id: 'p1' } report { shards { pool: 'alpha' shard: 'a' ejected: true "
      "  ejected_since { seconds: 1700000000 } } shards { pool: 'alpha' shard: 'b' } } }");
  EXPECT_THAT(ShardsTable(Alpha(), proxies),
              EndsWith("\nshard 'a' is ejected by proxy 'p1' since 2023-11-14 22:13:20Z\n"));
}

TEST(PoolTextTest, ShowsWhichProxyRefusesWhat) {
  const auto proxies = Read<v1::ListProxiesResponse>(
      "proxies { node { id: 'p1' build: 'weir-proxy 0.1.0' } address: '127.0.0.1:4' "
      "  errors { key { name: 'alpha' } field: 'policy.listen' error_detail: 'in use' } "
      "  report { sessions: 4 requests_per_second: 1234.4 } reported { seconds: 1 } }");
  EXPECT_EQ(
      ProxiesTable(proxies),
      "PROXY  FLEET    ADDRESS      BUILD             IN SYNC  SESSIONS  REQUESTS/S  REFUSED\n"
      "p1     default  127.0.0.1:4  weir-proxy 0.1.0  no       4         1234        1\n"
      "proxy 'p1' refuses 'alpha': policy.listen: in use\n");
  EXPECT_EQ(ProxiesTable({}), "no proxy is connected\n");
}

TEST(PoolTextTest, ListsVersions) {
  EXPECT_EQ(VersionsTable(Read<v1::ListVersionsResponse>(
                "versions { generation: 12 time { seconds: 1700000000 } actor: 'alice' "
                "  origin: 'api 127.0.0.1' plan { moved_fraction: 0.5 changes: 'x' changes: 'y' } "
                "}")),
            "GENERATION  TIME                  WHO    FROM           MOVED    CHANGES\n"
            "12          2023-11-14 22:13:20Z  alice  api 127.0.0.1  50.00 %  x (and 1 more)\n");
}

TEST(PoolTextTest, SaysWhichVersionCannotBeRead) {
  EXPECT_EQ(VersionsTable(Read<v1::ListVersionsResponse>(
                "versions { generation: 12 error: '/d/12.json: no such file' }")),
            "GENERATION  TIME  WHO  FROM  MOVED  CHANGES\n"
            "12          -     -    -     -      cannot be read: /d/12.json: no such file\n");
}

TEST(PoolTextTest, DescribesThePoolWithDriftHeldChangeAndEjections) {
  v1::Pool pool = Alpha();
  pool.mutable_status()->mutable_held()->mutable_plan()->set_id("3f2a");
  const auto proxies = Read<v1::ListProxiesResponse>(
      "proxies { node { id: 'p1' } report { "
      "  shards { pool: 'alpha' shard: 'a' ejected: true } "
      "  shards { pool: 'other' shard: 'z' ejected: true } } }");
  const std::string text = DescribePool(pool, proxies);
  EXPECT_THAT(text, HasSubstr("Status:     drifted, change held\n"));
  EXPECT_THAT(text, HasSubstr("  shard 'b': added live\n"));
  EXPECT_THAT(text, HasSubstr("weirctl approve alpha 3f2a\n"));
  EXPECT_THAT(text, HasSubstr("shard 'a' is ejected by proxy 'p1'"));
  EXPECT_THAT(text, Not(HasSubstr("'z'")));
  EXPECT_THAT(text, HasSubstr("Declared:\nalpha:\n  listen: 127.0.0.1:22121\n"));
}

TEST(PoolTextTest, ExplainsAKeyNowAndAfterAProposal) {
  v1::ExplainKeyRequest request;
  request.set_key("user:{7}\n");
  auto answer = Read<v1::ExplainKeyResponse>(
      "hash_input: '7' hash: 42 now { ring_point: 50 shard: 'a' endpoint: 'h:1' "
      "state: SLOT_ACTIVE addresses: '10.0.0.1:1' }");
  EXPECT_EQ(ExplainText(request, answer),
            "key 'user:{7}\\n': hashed '7' -> 42\n"
            "now:      shard 'a' by ring point 50, endpoint h:1, active, at 10.0.0.1:1\n");
  request.add_proposed_slots()->set_name("b");
  answer.mutable_proposed()->set_shard("b");
  EXPECT_THAT(ExplainText(request, answer),
              HasSubstr("proposed: shard 'b' by ring point 0 (moves)\n"));
}

}  // namespace
}  // namespace weir
