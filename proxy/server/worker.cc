#include "proxy/server/worker.h"

#include <utility>

#include "proxy/base/check.h"

namespace weir {
namespace {

// A draining session is closed when it was idle for this long.
constexpr Duration kDrainIdle = std::chrono::milliseconds(100);
constexpr Duration kDrainCheck = std::chrono::milliseconds(20);

}  // namespace

Worker::Worker(uint32_t index, uint32_t count, HealthReporter& health, absl::Time started_at)
    : index_(index),
      loop_(CreateEventLoop()),
      dispatcher_(requests_),
      parts_{*loop_, chunks_, requests_, dispatcher_, health, index, count, started_at},
      drain_timer_(loop_->timers(), [this] { CheckDrained(); }) {}

Worker::~Worker() {
  Stop();
  if (thread_.joinable()) thread_.join();
  listeners_.clear();
  pools_.clear();
  // What the pools gave to DeleteLater ends with a last turn.
  loop_->RunTurn(Duration::zero());
}

void Worker::Start() {
  thread_ = std::thread([this] { loop_->Run(); });
}

void Worker::Stop() { loop_->Stop(); }

void Worker::Adopt(SnapshotPtr snapshot, std::shared_ptr<StatsTable> stats, CountsByPool counts) {
  loop_->Post([this, snapshot = std::move(snapshot), stats = std::move(stats),
               counts = std::move(counts)]() mutable {
    AdoptNow(std::move(snapshot), std::move(stats), std::move(counts));
  });
}

void Worker::AdoptNow(SnapshotPtr snapshot, std::shared_ptr<StatsTable> stats,
                      CountsByPool counts) {
  stats_ = stats;
  absl::flat_hash_map<std::string, std::unique_ptr<PoolRuntime>> next;
  for (size_t i = 0; i < snapshot->pools.size(); ++i) {
    const PoolSnapshotPtr& pool = snapshot->pools[i];
    const std::string& name = pool->config.name;
    auto old = pools_.find(name);
    if (old != pools_.end() && &old->second->pool() == pool.get()) {
      next[name] = std::move(old->second);
      pools_.erase(old);
      continue;
    }
    next[name] = std::make_unique<PoolRuntime>(parts_, pool, stats, i, counts.at(name));
  }
  pools_ = std::move(next);
}

PoolRuntime* Worker::FindPool(const std::string& name) {
  auto it = pools_.find(name);
  return it == pools_.end() ? nullptr : it->second.get();
}

void Worker::SetHealth(std::string pool, std::shared_ptr<const Ring> ring, std::vector<bool> live) {
  loop_->Post(
      [this, pool = std::move(pool), ring = std::move(ring), live = std::move(live)]() mutable {
        PoolRuntime* runtime = FindPool(pool);
        if (runtime != nullptr && live.size() == runtime->pool().shard_count()) {
          runtime->SetHealth(std::move(ring), std::move(live));
        }
      });
}

void Worker::SetAddresses(std::string pool, std::string shard,
                          std::vector<ResolvedAddress> addresses) {
  loop_->Post([this, pool = std::move(pool), shard = std::move(shard),
               addresses = std::move(addresses)]() mutable {
    PoolRuntime* runtime = FindPool(pool);
    if (runtime == nullptr) return;
    const std::vector<ShardConfig>& servers = runtime->pool().config.servers;
    for (uint32_t i = 0; i < servers.size(); ++i) {
      if (servers[i].name == shard) runtime->SetAddresses(i, addresses);
    }
  });
}

void Worker::AddListener(std::string pool, UniqueFd fd, Listener::OnAccept on_accept) {
  loop_->Post([this, pool = std::move(pool), fd = std::move(fd),
               on_accept = std::move(on_accept)]() mutable {
    listeners_[pool] = std::make_unique<Listener>(*loop_, std::move(fd), std::move(on_accept));
  });
}

void Worker::RemoveListener(std::string pool) {
  loop_->Post([this, pool = std::move(pool)] {
    auto it = listeners_.find(pool);
    if (it == listeners_.end()) return;
    it->second->AcceptRest();
    loop_->DeleteLater(std::move(it->second));
    listeners_.erase(it);
  });
}

void Worker::AddSession(std::string pool, UniqueFd fd) {
  loop_->Post([this, pool = std::move(pool), fd = std::move(fd)]() mutable {
    if (PoolRuntime* runtime = FindPool(pool)) runtime->AddSession(std::move(fd));
  });
}

void Worker::Drain(std::function<void()> on_empty) {
  loop_->Post([this, on_empty = std::move(on_empty)]() mutable {
    on_empty_ = std::move(on_empty);
    CheckDrained();
  });
}

void Worker::CheckDrained() {
  size_t left = 0;
  for (auto& [name, pool] : pools_) {
    pool->CloseQuietSessions(kDrainIdle);
    left += pool->session_count();
  }
  if (left > 0) return drain_timer_.ArmAt(loop_->now() + kDrainCheck);
  if (on_empty_) std::exchange(on_empty_, nullptr)();
}

}  // namespace weir
