#include "proxy/server/worker.h"

#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/base/socket_ends.h"

namespace weir {
namespace {

// A session that is to end is closed when it was idle for this long.
constexpr Duration kQuietTime = std::chrono::milliseconds(100);
constexpr Duration kSweepInterval = std::chrono::milliseconds(20);
// What a session of a leaving pool may still take, once it is read no more.
constexpr Duration kLastReplies = std::chrono::seconds(1);

}  // namespace

Worker::Worker(uint32_t index, uint32_t count, HealthReporter& health, absl::Time started_at,
               Duration leave_limit, ProcessMemory& memory)
    : leave_limit_(leave_limit),
      memory_(memory),
      loop_(CreateEventLoop()),
      dispatcher_(requests_),
      parts_{*loop_, chunks_, requests_,  dispatcher_,     health,
             index,  count,   started_at, sessions_so_far_},
      sweep_timer_(loop_->timers(), [this] { Sweep(); }) {
  memory_.Add(chunks_);
}

Worker::~Worker() {
  Stop();
  Join();
  guard_.reset();
  listeners_.clear();
  leaving_.clear();
  pools_.clear();
  // What the pools gave to DeleteLater ends with a last turn.
  loop_->RunTurn(Duration::zero());
}

void Worker::Start() {
  SessionsOfWorker& sessions = *this;
  guard_ = std::make_unique<MemoryGuard>(*loop_, chunks_, memory_, sessions);
  thread_ = std::thread([this] { loop_->Run(); });
}

void Worker::Stop() { loop_->Stop(); }

void Worker::Join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::Adopt(SnapshotPtr snapshot, std::shared_ptr<StatsTable> stats, CountsByPool counts,
                   std::function<void()> on_adopted) {
  loop_->Post([this, snapshot = std::move(snapshot), stats = std::move(stats),
               counts = std::move(counts), on_adopted = std::move(on_adopted)]() mutable {
    AdoptNow(snapshot, std::move(stats), counts);
    on_adopted();
  });
}

void Worker::AdoptNow(const SnapshotPtr& snapshot, std::shared_ptr<StatsTable> stats,
                      const CountsByPool& counts) {
  stats_ = std::move(stats);
  auto old = std::exchange(pools_, {});
  for (size_t i = 0; i < snapshot->pools.size(); ++i) {
    const PoolSnapshotPtr& pool = snapshot->pools[i];
    const std::string& name = pool->config.name;
    auto found = old.find(name);
    if (found != old.end() && found->second->CanBecome(*pool)) {
      found->second->Update(pool, stats_, i);
      pools_[name] = std::move(found->second);
      old.erase(found);
    } else {
      pools_[name] = std::make_unique<PoolRuntime>(parts_, pool, stats_, i, counts.at(name));
      pools_[name]->SetMemoryPressure(memory_pressure_);
    }
  }
  for (auto& [name, pool] : old) {
    pool->Leave();
    leaving_.push_back({.runtime = std::move(pool), .since = loop_->now()});
  }
  if (!leaving_.empty()) sweep_timer_.ArmAt(loop_->now() + kSweepInterval);
  uint64_t least = 0;
  ForEachPool([&least](const PoolRuntime& runtime) {
    const uint64_t limit = runtime.pool().config.pool_output_limit;
    if (limit != 0 && (least == 0 || limit < least)) least = limit;
  });
  guard_->SetPoolLimit(least);
}

PoolRuntime* Worker::FindPool(const std::string& name) {
  auto it = pools_.find(name);
  return it == pools_.end() ? nullptr : it->second.get();
}

template <typename Function>
void Worker::ForEachPool(const Function& function) {
  for (auto& [name, pool] : pools_) function(*pool);
  for (LeavingPool& leaving : leaving_) function(*leaving.runtime);
}

void Worker::SetHealth(PoolSnapshotPtr pool, std::shared_ptr<const Ring> ring,
                       std::vector<bool> live) {
  loop_->Post(
      [this, pool = std::move(pool), ring = std::move(ring), live = std::move(live)]() mutable {
        ForEachPool([&](PoolRuntime& runtime) {
          if (&runtime.pool() == pool.get()) runtime.SetHealth(ring, live);
        });
      });
}

void Worker::SpeakBaseVariant(PoolSnapshotPtr pool) {
  loop_->Post([this, pool = std::move(pool)] {
    PoolRuntime* runtime = FindPool(pool->config.name);
    if (runtime != nullptr && runtime->pool().config.servers == pool->config.servers) {
      runtime->SpeakBaseVariant();
    }
  });
}

void Worker::SetAddresses(Endpoint endpoint, std::vector<ResolvedAddress> addresses) {
  loop_->Post([this, endpoint = std::move(endpoint), addresses = std::move(addresses)] {
    ForEachPool([&](PoolRuntime& pool) { pool.SetAddresses(endpoint, addresses); });
  });
}

void Worker::AddListener(uint64_t listener, UniqueFd fd, Listener::OnAccept on_accept) {
  loop_->Post([this, listener, fd = std::move(fd), on_accept = std::move(on_accept)]() mutable {
    listeners_[listener] = std::make_unique<Listener>(*loop_, std::move(fd), std::move(on_accept));
    stats_->process().CountOpened();
  });
}

void Worker::RemoveListener(uint64_t listener, std::function<void()> on_removed) {
  loop_->Post([this, listener, on_removed = std::move(on_removed)] {
    auto it = listeners_.find(listener);
    if (it != listeners_.end()) {
      it->second->AcceptRest();
      loop_->DeleteLater(std::move(it->second));
      listeners_.erase(it);
      stats_->process().CountClosed();
    }
    on_removed();
  });
}

void Worker::AddSession(std::string pool, std::shared_ptr<SessionCounts> counts, UniqueFd fd) {
  loop_->Post(
      [this, pool = std::move(pool), counts = std::move(counts), fd = std::move(fd)]() mutable {
        PoolRuntime* runtime = FindPool(pool);
        for (LeavingPool& leaving : leaving_) {
          // Accepted before the pool was taken away: served, then closed with the others.
          if (runtime == nullptr && leaving.runtime->pool().config.name == pool) {
            runtime = leaving.runtime.get();
          }
        }
        if (runtime == nullptr) return counts->Remove(parts_.worker_index);
        runtime->AddSession(std::move(fd), *counts);
      });
}

void Worker::CountRefused(const std::string& pool) {
  if (PoolRuntime* runtime = FindPool(pool)) runtime->CountRefused();
}

void Worker::Drain(std::function<void()> on_empty) {
  loop_->Post([this, on_empty = std::move(on_empty)]() mutable {
    on_empty_ = std::move(on_empty);
    Sweep();
  });
}

void Worker::EndSessions() {
  loop_->Post([this] { ForEachPool([](PoolRuntime& pool) { pool.EndAllSessions(); }); });
}

void Worker::SetMemoryPressure(bool pressure) {
  memory_pressure_ = pressure;
  ForEachPool([&](PoolRuntime& pool) { pool.SetMemoryPressure(pressure); });
}

bool Worker::CloseLargestSession() {
  Session* largest = nullptr;
  ForEachPool([&](PoolRuntime& pool) {
    Session* session = pool.FindLargestSession();
    if (session != nullptr && (largest == nullptr || session->held() > largest->held())) {
      largest = session;
    }
  });
  if (largest == nullptr) return false;
  largest->context().stats.closed_by_memory_limit.Add();
  LOG_EVENT_LIMITED(LogLevel::kWarn, "closed_by_memory_limit",
                    {"pool", largest->context().pool->config.name}, {"session", largest->id()},
                    {"client", PeerOf(largest->fd())}, {"held_bytes", largest->held()},
                    {"limit", memory_.limit()});
  largest->Close();
  return true;
}

void Worker::KeepPoolLimits(uint64_t bytes_in_use) {
  ForEachPool([&](PoolRuntime& pool) { pool.KeepOutputLimit(bytes_in_use); });
}

void Worker::Sweep() {
  SweepLeavingPools();
  const bool draining = on_empty_ != nullptr;
  size_t left = leaving_.size();
  for (auto& [name, pool] : pools_) {
    if (draining) pool->CloseQuietSessions(kQuietTime);
    left += draining ? pool->session_count() : 0;
  }
  if (left > 0) return sweep_timer_.ArmAt(loop_->now() + kSweepInterval);
  if (draining) std::exchange(on_empty_, nullptr)();
}

void Worker::SweepLeavingPools() {
  std::vector<LeavingPool> left;
  for (LeavingPool& leaving : leaving_) {
    PoolRuntime& runtime = *leaving.runtime;
    const Duration age = loop_->now() - leaving.since;
    runtime.CloseQuietSessions(kQuietTime);
    if (age >= leave_limit_ && !std::exchange(leaving.ended, true)) runtime.EndAllSessions();
    if (leaving.ended && age - leave_limit_ >= kLastReplies) runtime.CloseAllSessions();
    // Stays for a while even without sessions: one may be on its way from the accepting worker.
    if (runtime.session_count() == 0 && age >= kQuietTime) {
      loop_->DeleteLater(std::move(leaving.runtime));
    } else {
      left.push_back(std::move(leaving));
    }
  }
  leaving_ = std::move(left);
}

}  // namespace weir
