// The cells that statistics are made of: one thread writes a cell, any thread may read it
// meanwhile.
//
// A write is a plain load, add and store: no lock prefix, no shared cache line if each writer has
// cells of its own. Relaxed atomics make the concurrent reads well defined (and clean under the
// thread sanitizer) without costing the writer anything. Two writers on one cell would lose counts:
// give each thread a StatsTable.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace weir {

// How cells of several writers become one number.
enum class StatKind {
  kCounter,    // only rises; added up
  kGauge,      // rises and falls; added up
  kTimestamp,  // microseconds since the epoch; the latest counts
};

// Something that is only ever counted up.
class Counter {
 public:
  static constexpr StatKind kKind = StatKind::kCounter;
  void Add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Something there is more or less of: connections, queued bytes.
class Gauge {
 public:
  static constexpr StatKind kKind = StatKind::kGauge;
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n = 1) { Set(Get() + n); }
  void Subtract(int64_t n = 1) { Set(Get() - n); }
  int64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// When something last happened: microseconds since the epoch, 0 for never.
class Timestamp {
 public:
  static constexpr StatKind kKind = StatKind::kTimestamp;
  void Set(uint64_t microseconds) { value_.store(microseconds, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Adds a cell's value to the total so far, as its kind asks for.
inline uint64_t MergeStat(StatKind kind, uint64_t total, uint64_t value) {
  return kind == StatKind::kTimestamp ? std::max(total, value) : total + value;
}

}  // namespace weir
