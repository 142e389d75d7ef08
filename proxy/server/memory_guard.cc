#include "proxy/server/memory_guard.h"

#include <malloc.h>

#include <algorithm>
#include <utility>

#include "proxy/base/log.h"

namespace weir {
namespace {

constexpr Duration kCheckInterval = std::chrono::milliseconds(10);
constexpr Duration kTrimInterval = std::chrono::milliseconds(100);
// A burst: what is worth giving back to the system when it is over.
constexpr size_t kBurst = 8 << 20;
constexpr size_t kWorthATrim = 4 << 20;
// Blocks of this size and more are the system's own and return to it when they are freed.
constexpr int kMmapThreshold = 128 << 10;

}  // namespace

// --- ProcessMemory ---

ProcessMemory::ProcessMemory(uint64_t limit, std::function<void()> post_trim)
    : limit_(limit), post_trim_(std::move(post_trim)) {
  // Left alone, glibc raises it to the largest block that was ever freed, and keeps up to twice as
  // much of free memory for itself.
  mallopt(M_MMAP_THRESHOLD, kMmapThreshold);
}

uint64_t ProcessMemory::bytes_in_use() const {
  uint64_t total = 0;
  for (const ChunkPool* pool : pools_) total += pool->bytes_in_use();
  return total;
}

bool ProcessMemory::IsLargest(const ChunkPool& pool) const {
  return std::ranges::all_of(
      pools_, [&](const ChunkPool* other) { return other->bytes_in_use() <= pool.bytes_in_use(); });
}

size_t ProcessMemory::unwatched_bytes(uint64_t pool_limit) const {
  size_t bytes = kBurst;
  // All workers together stay below a quarter of a limit unwatched.
  for (const uint64_t limit : {limit_, pool_limit}) {
    if (limit != 0) bytes = std::min(bytes, limit / (4 * std::max<size_t>(1, pools_.size())));
  }
  return bytes;
}

void ProcessMemory::RequestTrim() {
  if (!trim_requested_.exchange(true)) post_trim_();
}

void ProcessMemory::TrimNow() {
  trim_requested_.store(false);
  malloc_trim(0);
}

// --- MemoryGuard ---

MemoryGuard::MemoryGuard(EventLoop& loop, ChunkPool& pool, ProcessMemory& memory,
                         SessionsOfWorker& sessions)
    : loop_(loop), pool_(pool), memory_(memory), sessions_(sessions), timer_(loop.timers(), [this] {
        loop_.AtTurnEnd(this);
      }) {
  pool_.Watch(memory_.unwatched_bytes(pool_limit_), this);
}

void MemoryGuard::SetPoolLimit(uint64_t limit) {
  if (std::exchange(pool_limit_, limit) == limit) return;
  if (limit == 0) pools_told_ = false;  // nobody is left to be told of less
  pool_.Watch(memory_.unwatched_bytes(pool_limit_), this);
  loop_.AtTurnEnd(this);
}

MemoryGuard::~MemoryGuard() {
  pool_.Watch(ChunkPool::kUnwatched, nullptr);
  pool_.SetScarce(false);
}

void MemoryGuard::OnTurnEnd() {
  peak_ = std::max(peak_, pool_.bytes_in_use());
  flushed_ = !flushed_;
  // Streams that were written to have asked for the end of this turn as well.
  flushed_ ? loop_.AtTurnEnd(this) : Judge();
}

void MemoryGuard::Judge() {
  if (memory_.limit() != 0) KeepLimit();
  if (pool_limit_ != 0 && loop_.now() >= next_pool_check_) {
    next_pool_check_ = loop_.now() + kCheckInterval;
    sessions_.KeepPoolLimits(memory_.bytes_in_use());
    pools_told_ = pool_.bytes_in_use() > memory_.unwatched_bytes(pool_limit_);
  }
  if (loop_.now() >= next_trim_) TrimAfterBurst();
  const bool holds_much = pool_.bytes_in_use() > memory_.unwatched_bytes(pool_limit_);
  const bool trim_due = peak_ >= kBurst;
  if (!holds_much && !pressure_ && !trim_due && !pools_told_) return timer_.Disarm();
  const bool limited = memory_.limit() != 0 || pool_limit_ != 0;
  const bool near_limit = limited && (holds_much || pressure_ || pools_told_);
  timer_.ArmAt(loop_.now() + (near_limit ? kCheckInterval : kTrimInterval));
}

void MemoryGuard::KeepLimit() {
  const uint64_t limit = memory_.limit();
  while (memory_.bytes_in_use() >= limit && memory_.IsLargest(pool_)) {
    if (!sessions_.CloseLargestSession()) {
      LOG_EVENT_LIMITED(LogLevel::kWarn, "memory_limit_exceeded", {"bytes", memory_.bytes_in_use()},
                        {"limit", limit});
      break;
    }
  }
  const uint64_t total = memory_.bytes_in_use();
  pool_.SetScarce(total >= limit / 10 * 9);
  const bool pressure = total >= limit / 10 * (pressure_ ? 7 : 8);
  if (pressure == pressure_) return;
  pressure_ = pressure;
  LOG_EVENT_LIMITED(LogLevel::kWarn, pressure ? "memory_pressure" : "memory_pressure_over",
                    {"bytes", total}, {"limit", limit});
  sessions_.SetMemoryPressure(pressure);
}

void MemoryGuard::TrimAfterBurst() {
  next_trim_ = loop_.now() + kTrimInterval;
  const size_t in_use = pool_.bytes_in_use();
  if (peak_ < kBurst || in_use > peak_ / 2) return;
  if (peak_ - in_use >= kWorthATrim) memory_.RequestTrim();
  peak_ = in_use;
}

}  // namespace weir
