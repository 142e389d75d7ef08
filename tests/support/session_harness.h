// SessionHarness: the data plane of one worker, whole and in-process, with scripted ends.
//
//   fake client ⇄ socketpair ⇄ Session → RedisHandler → PoolConnections ⇄ Unix socket ⇄ fake shard
//
// Everything between the ends is the real code, on one FakeEventLoop and this thread. Each verb of
// a client or shard ("sends", "replies", "leaves") ends with Settle(): turns run until no byte
// moves any more, so a test reads like a transcript and never waits. Time moves by Advance() only.
// A proxy that never comes to rest fails a CHECK, as does what it holds when the harness ends.
//
// Keys say where they live: the first letter is the shard's name ("b7" is on shard "b").
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/chunk_pool.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/unique_fd.h"
#include "proxy/config/pool_config.h"
#include "proxy/config/snapshot.h"
#include "proxy/downstream/redis_handler.h"
#include "proxy/downstream/reply_dispatcher.h"
#include "proxy/downstream/session.h"
#include "proxy/downstream/session_context.h"
#include "proxy/request/request.h"
#include "proxy/routing/shard_selector.h"
#include "proxy/stats/pool_stats.h"
#include "proxy/upstream/pool_connections.h"
#include "proxy/upstream/reply_sink.h"
#include "tests/support/fake_event_loop.h"
#include "tests/support/scripted_ends.h"
#include "tests/support/temp_directory.h"

namespace weir {

class SessionHarness final : private SessionOwner, private ShardObserver {
 public:
  struct Options {
    std::vector<std::string> shards = {"a", "b"};  // names of one letter, ascending
    PoolConfig pool = {};                          // servers and protocol are filled in
    // Called before (true) and after each turn of the loop: to count what the proxy alone does.
    std::function<void(bool)> around_turn = nullptr;
  };

  SessionHarness() : SessionHarness(Options()) {}
  explicit SessionHarness(Options options);
  // Shards "a" and "b", and a pool as `configure` makes it.
  explicit SessionHarness(const std::function<void(PoolConfig&)>& configure);
  ~SessionHarness() override;
  SessionHarness(const SessionHarness&) = delete;
  SessionHarness& operator=(const SessionHarness&) = delete;

  // The n-th client; it connects when first named.
  FakeClient& client(size_t index = 0);
  // A session on a socket of which the test has the other end.
  void AddSession(UniqueFd socket);
  FakeShard& shard(std::string_view name);

  // Turns until nothing moves. At most `turns`, unless the proxy spins.
  void Settle();
  // Moves the clock, in one step, and settles.
  void Advance(Duration by);

  // What the shards were blamed for since the last call ("b: reset"), and their recoveries ("b:
  // success").
  std::vector<std::string> TakeVerdicts();

  // Where a shard listens.
  ResolvedAddress AddressOf(std::string_view shard) const;
  // The pool leaves the configuration: its connections end. Nothing may be asked afterwards.
  void EndsPool();

  size_t sessions() const { return sessions_.size(); }
  Session& session(size_t index) { return *sessions_[index]; }
  PoolStats& stats() { return stats_; }
  ProcessStats& process_stats() { return process_stats_; }
  ShardStats& shard_stats(std::string_view name);
  SessionContext& context() { return *context_; }
  PoolConnections& connections() { return *connections_; }
  ShardSelector& selector() { return *selector_; }
  const RequestPool& requests() const { return requests_; }
  const ChunkPool& chunks() const { return chunks_; }
  FakeEventLoop& loop() { return loop_; }

 private:
  static constexpr int kMaxTurns = 100'000;

  void OnSessionClosed(Session* session) override;
  uint64_t SessionsOfPool() const override { return sessions(); }
  void OnShardFailure(uint32_t shard, ShardFailure failure) override;
  void OnShardSuccess(uint32_t shard) override;
  void OnIdleClose(uint32_t shard) override {}
  void OnVariantRefused(uint32_t shard) override;
  void OnLargeReply(UpstreamConnection& connection) override {
    connections_->NoteLargeReply(connection);
  }
  bool MustWait(UpstreamConnection& connection) override {
    return connections_->MustWait(connection);
  }
  bool IsEjected(uint32_t shard) const override {
    if (shard == kRemovedShard) return false;
    CHECK_LT(shard, selector_->shard_count());
    return selector_->ejected(shard);
  }

  void Turn();
  bool PumpEnds();

  Options options_;
  TempDirectory directory_;
  ChunkPool chunks_;
  FakeEventLoop loop_;
  RequestPool requests_;
  ReplyDispatcher dispatcher_;
  PoolStats stats_;
  ProcessStats process_stats_;
  PoolConnections::ShardCells shard_stats_;
  std::vector<std::string> verdicts_;
  PoolSnapshotPtr pool_;
  std::vector<std::unique_ptr<FakeShard>> shards_;
  std::unique_ptr<ShardSelector> selector_;
  std::unique_ptr<RedisHandler> handler_;
  std::unique_ptr<PoolConnections> connections_;
  std::optional<SessionContext> context_;
  std::vector<std::unique_ptr<Session>> sessions_;
  uint64_t next_session_ = 0;
  std::vector<std::unique_ptr<FakeClient>> clients_;
};

}  // namespace weir
