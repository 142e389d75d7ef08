#include "proxy/upstream/pending_fragments.h"

#include <algorithm>
#include <utility>

namespace weir {
namespace {

// Stays at the largest value: of what is that large, something has always been sent.
uint32_t Sum32(uint32_t a, size_t b) {
  return static_cast<uint32_t>(std::min<uint64_t>(uint64_t{a} + b, UINT32_MAX));
}

}  // namespace

void PendingFragments::Count(int64_t fragments, int64_t bytes) {
  bytes_ += bytes;
  QueueGauge().Add(fragments);
  BytesGauge().Add(bytes);
}

void PendingFragments::CountAsSent(bool sent) {
  if (counted_as_sent_ == sent) return;
  const int64_t bytes = bytes_;
  Count(-static_cast<int64_t>(size()), -bytes);
  counted_as_sent_ = sent;
  Count(size(), bytes);
}

void PendingFragments::Push(Fragment* fragment, size_t bytes, Moment deadline) {
  end_position_ += bytes;
  fragment->bytes = Sum32(0, bytes);
  fragment->end_position = end_position_;
  fragment->deadline = deadline;
  fragment->state = FragmentState::kPending;
  queue_.Push(fragment);
  stats_.requests.Add();
  stats_.request_bytes.Add(bytes);
  Count(1, fragment->bytes);
}

void PendingFragments::Extend(size_t bytes) {
  Fragment& fragment = *queue_.tail();
  const uint32_t before = fragment.bytes;
  end_position_ += bytes;
  fragment.bytes = Sum32(before, bytes);
  fragment.end_position = end_position_;
  stats_.request_bytes.Add(bytes);
  Count(0, fragment.bytes - before);
}

void PendingFragments::FinishHead() {
  Fragment* fragment = queue_.PopHead();
  stats_.responses.Add();
  Count(-1, -int64_t{fragment->bytes});
  const bool expired = fragment->state == FragmentState::kExpired;
  fragment->state = FragmentState::kDone;
  if (!expired) return;
  --expired_;
  pool_stats_.late_replies_awaited.Subtract();
  pool_stats_.late_replies_discarded.Add();
  sink_.OnFragmentReleased(fragment);
}

void PendingFragments::FailAll(Failure failure) {
  pool_stats_.late_replies_awaited.Subtract(std::exchange(expired_, 0));
  for (Fragment* next = queue_.TakeAll(); next != nullptr;) {
    Fragment* fragment = std::exchange(next, next->next);
    Count(-1, -int64_t{fragment->bytes});
    const bool expired = fragment->state == FragmentState::kExpired;
    fragment->state = FragmentState::kDone;
    if (expired) {
      sink_.OnFragmentReleased(fragment);
    } else {
      sink_.OnFragmentFailed(fragment, failure);
    }
  }
}

void PendingFragments::ShortenDeadlines(Moment latest, const Fragment* open) {
  // Expiry relies on deadlines that rise along the queue.
  for (Fragment* fragment = queue_.first_live(); fragment != nullptr; fragment = fragment->next) {
    if (fragment == open) break;
    fragment->deadline = std::min(fragment->deadline, latest);
  }
}

Moment PendingFragments::ExpireWritten(Moment now, uint64_t sent) {
  Moment latest = Moment::min();
  while (Fragment* fragment = queue_.first_live()) {
    if (fragment->deadline > now || fragment->begin_position() >= sent) break;
    queue_.PassFirstLive();
    // Its reply has begun to flow downstream: only silence can end it now.
    if (fragment->passed_on) continue;
    latest = fragment->deadline;
    stats_.server_timedout.Add();
    pool_stats_.timeouts_pending.Add();
    fragment->state = FragmentState::kExpired;
    ++expired_;
    pool_stats_.late_replies_awaited.Add();
    sink_.OnFragmentFailed(fragment, Failure::kTimedOut);
  }
  return latest;
}

void PendingFragments::Drop(const FragmentRange& range) {
  // Positions in front of the gap move up to it. Only the last of them may still be leaving.
  if (Fragment* before = queue_.last_passed()) before->end_position += range.bytes;
  for (Fragment* next = range.first; next != nullptr;) {
    Fragment* fragment = std::exchange(next, next->next);
    Count(-1, -int64_t{fragment->bytes});
    pool_stats_.timeouts_queued.Add();
    fragment->state = FragmentState::kDone;
    sink_.OnFragmentFailed(fragment, Failure::kTimedOutUnsent);
  }
}

void PendingFragments::SetShard(uint32_t shard) {
  for (Fragment* fragment = head(); fragment != nullptr; fragment = fragment->next) {
    fragment->shard = shard;
  }
}

}  // namespace weir
