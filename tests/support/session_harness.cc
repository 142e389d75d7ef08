#include "tests/support/session_harness.h"

#include <sys/socket.h>

#include <array>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "proxy/codec/redis_commands.h"
#include "proxy/config/snapshot_builder.h"
#include "proxy/event/transport.h"

namespace weir {
namespace {

constexpr std::array<std::string_view, 4> kFailureNames = {"connect", "reset", "protocol",
                                                           "silence"};

// The first letter of a key is the name of its shard.
uint32_t ShardLetter(std::string_view key) { return static_cast<uint32_t>(key[0] - 'a'); }

PoolSnapshotPtr BuildTestPool(PoolConfig config, const std::vector<std::string>& shards,
                              const std::string& directory) {
  config.name = "test";
  config.redis = true;
  config.distribution = Distribution::kModula;
  for (size_t i = 0; i < shards.size(); ++i) {
    CHECK(shards[i] == std::string(1, static_cast<char>('a' + i)));
    config.servers.push_back({.name = shards[i],
                              .endpoint = UnixEndpoint(StrCat(directory, "/", shards[i])),
                              .weight = 1,
                              .ring_name = shards[i]});
  }
  auto pool = std::make_shared<PoolSnapshot>();
  pool->config = std::move(config);
  pool->commands = {&RedisCommands(), [](const CommandTable*) {}};
  pool->key_hash = ShardLetter;
  pool->ring = BuildPoolRing(pool->config, std::vector<bool>(shards.size(), true));
  return pool;
}

SessionHarness::Options Configured(const std::function<void(PoolConfig&)>& configure) {
  SessionHarness::Options options;
  configure(options.pool);
  return options;
}

}  // namespace

SessionHarness::SessionHarness(const std::function<void(PoolConfig&)>& configure)
    : SessionHarness(Configured(configure)) {}

SessionHarness::SessionHarness(Options options)
    : options_(std::move(options)), dispatcher_(requests_) {
  for (const std::string& name : options_.shards) {
    shards_.push_back(
        std::make_unique<FakeShard>([this] { Settle(); }, StrCat(directory_.path(), "/", name)));
  }
  pool_ = BuildTestPool(options_.pool, options_.shards, directory_.path());
  for (size_t i = 0; i < shards_.size(); ++i) {
    shard_stats_.push_back(std::make_shared<ShardStats>());
  }
  selector_ = std::make_unique<ShardSelector>(pool_, /*seed=*/1);
  handler_ =
      std::make_unique<RedisHandler>(pool_, *selector_, chunks_, /*workers=*/1, absl::UnixEpoch());
  const UpstreamContext upstream = {loop_, chunks_, dispatcher_, *this, stats_, process_stats_};
  connections_ = std::make_unique<PoolConnections>(upstream, pool_, shard_stats_);
  context_.emplace(SessionContext{loop_, chunks_, requests_, *this, pool_, *selector_,
                                  *connections_, *handler_, stats_});
}

SessionHarness::~SessionHarness() {
  while (!sessions_.empty()) sessions_.back()->Close();
  connections_.reset();
  handler_.reset();
  Turn();
  CHECK_EQ(requests_.in_use(), 0u);
  CHECK_EQ(chunks_.bytes_in_use(), 0u);
}

FakeClient& SessionHarness::client(size_t index) {
  while (clients_.size() <= index) {
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    AddSession(UniqueFd(fds[0]));
    clients_.push_back(std::make_unique<FakeClient>([this] { Settle(); }, UniqueFd(fds[1])));
  }
  return *clients_[index];
}

void SessionHarness::AddSession(UniqueFd socket) {
  auto session = std::make_unique<Session>(*context_, next_session_++,
                                           std::make_unique<PlainTransport>(std::move(socket)));
  session->owner_index = sessions_.size();
  sessions_.push_back(std::move(session));
}

FakeShard& SessionHarness::shard(std::string_view name) { return *shards_[ShardLetter(name)]; }

ShardStats& SessionHarness::shard_stats(std::string_view name) {
  return *shard_stats_[ShardLetter(name)];
}

void SessionHarness::Turn() {
  if (options_.around_turn) options_.around_turn(true);
  loop_.RunTurn(Duration::zero());
  if (options_.around_turn) options_.around_turn(false);
}

bool SessionHarness::PumpEnds() {
  bool moved = false;
  for (auto& shard : shards_) {
    if (shard->Pump()) moved = true;
  }
  for (auto& client : clients_) {
    if (client->Pump()) moved = true;
  }
  return moved;
}

void SessionHarness::Settle() {
  int idle = 0;
  for (int turns = 0; idle < 2; ++turns) {
    CHECK_LT(turns, kMaxTurns);  // the proxy spins
    const bool moved = PumpEnds();
    Turn();
    idle = moved || !loop_.quiet() ? 0 : idle + 1;
  }
}

void SessionHarness::Advance(Duration by) {
  loop_.Advance(by);
  Settle();
}

ResolvedAddress SessionHarness::AddressOf(std::string_view shard) const {
  return *LiteralAddress(UnixEndpoint(StrCat(directory_.path(), "/", shard)));
}

void SessionHarness::EndsPool() {
  connections_.reset();
  Settle();
}

std::vector<std::string> SessionHarness::TakeVerdicts() { return std::exchange(verdicts_, {}); }

void SessionHarness::OnSessionClosed(Session* session) {
  const size_t index = session->owner_index;
  CHECK(sessions_[index].get() == session);
  loop_.DeleteLater(std::move(sessions_[index]));
  if (index + 1 != sessions_.size()) {
    sessions_[index] = std::move(sessions_.back());
    sessions_[index]->owner_index = index;
  }
  sessions_.pop_back();
}

void SessionHarness::OnShardFailure(uint32_t shard, ShardFailure failure) {
  if (shard == kRemovedShard) return;
  verdicts_.push_back(
      StrCat(options_.shards[shard], ": ", kFailureNames[static_cast<size_t>(failure)]));
}

void SessionHarness::OnVariantRefused(uint32_t shard) { handler_->OnVariantRefused(); }

void SessionHarness::OnShardSuccess(uint32_t shard) {
  verdicts_.push_back(StrCat(options_.shards[shard], ": success"));
}

}  // namespace weir
