// PendingFragments: what one connection awaits replies for: the order, the deadlines, the places in
// the output, and the gauges that count it.
//
// Each fragment goes in by Push and comes out once: its reply came (FinishHead), its deadline
// passed before it was written (TakeDue, then Drop), or the connection was lost (FailAll). The sink
// is told of all but a reply that is wanted, which the connection passes on. The sink may close the
// connection from inside any of these.
//
// A member of its UpstreamConnection, used on that loop's thread; owns no fragment. It ends empty.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/base/clock.h"
#include "proxy/stats/pool_stats.h"
#include "proxy/upstream/fragment.h"
#include "proxy/upstream/pending_queue.h"
#include "proxy/upstream/reply_sink.h"

namespace weir {

class PendingFragments {
 public:
  PendingFragments(ReplySink& sink, PoolStats& pool_stats, ShardStats& stats)
      : sink_(sink), pool_stats_(pool_stats), stats_(stats) {}

  bool empty() const { return queue_.empty(); }
  uint32_t size() const { return queue_.size(); }
  // How many have expired and await their late reply.
  uint32_t expired() const { return expired_; }
  // Whose reply comes next, and last; null when there is none.
  Fragment* head() const { return queue_.head(); }
  Fragment* tail() const { return queue_.tail(); }
  // The end of all output so far, in bytes since the connection object was made.
  uint64_t end_position() const { return end_position_; }

  // `bytes` of it were added to the output.
  void Push(Fragment* fragment, size_t bytes, Moment deadline);
  // `bytes` were added to the last one.
  void Extend(size_t bytes);
  // The head's reply is complete: takes it out. One that has expired is released.
  void FinishHead();
  // Takes all out.
  void FailAll(Failure failure);

  // The next deadline that counts; kNever when there is none.
  Moment next_deadline() const {
    return queue_.first_live() == nullptr ? kNever : queue_.first_live()->deadline;
  }
  // No deadline is later than `latest`, save that of `open`.
  void ShortenDeadlines(Moment latest, const Fragment* open);
  // Fails what is due and begins in front of `sent`; its late reply is still awaited. Answers the
  // latest deadline that passed so, Moment::min() when none did.
  Moment ExpireWritten(Moment now, uint64_t sent);
  // Takes out what else is due: none of it was written. The caller cuts those bytes out of the
  // output, then calls Drop.
  FragmentRange TakeDue(Moment now) { return queue_.TakeDue(now); }
  void Drop(const FragmentRange& range);

  // What is pending belongs to this shard from here on.
  void SetShard(uint32_t shard);
  // twemproxy's gauges: out_queue counts what was sent, in_queue what waits for a connection.
  void CountAsSent(bool sent);

 private:
  Gauge& QueueGauge() { return counted_as_sent_ ? stats_.out_queue : stats_.in_queue; }
  Gauge& BytesGauge() { return counted_as_sent_ ? stats_.out_queue_bytes : stats_.in_queue_bytes; }
  void Count(int64_t fragments, int64_t bytes);

  ReplySink& sink_;
  PoolStats& pool_stats_;
  ShardStats& stats_;
  PendingQueue queue_;
  uint32_t expired_ = 0;
  bool counted_as_sent_ = false;
  int64_t bytes_ = 0;  // of the requests in the queue
  uint64_t end_position_ = 0;
};

}  // namespace weir
