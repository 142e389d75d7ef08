// ReplyQueue: a session's requests in their order, and their replies on the way back to it.
//
//   head                                            tail
//   [its reply passes] [done: waits] [half gathered] [sent]
//
// The reply of the head is passed on to the session's stream as it arrives, beyond a few bytes;
// those behind it are gathered until it is their turn. Replies of split requests are gathered and
// merged. All that the queue gathers counts as the session's unsent output.
//
// A part of its Session, used on the worker's thread. Holds each of its requests until its reply
// was handed on, or until Clear. It closes nothing itself: limits are the session's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/downstream/request_window.h"
#include "proxy/downstream/session_context.h"
#include "proxy/event/stream.h"
#include "proxy/request/request.h"
#include "proxy/upstream/reply_sink.h"

namespace weir {

class ReplyQueue {
 public:
  // A reply up to this size is gathered before it is passed on, so that a shard that fails in the
  // middle of it costs an error and not the session.
  static constexpr size_t kGatherBytes = 16384;

  // `output` is where replies go; both are borrowed and outlive the queue.
  ReplyQueue(SessionContext& context, Stream& output) : context_(context), output_(output) {}
  ReplyQueue(const ReplyQueue&) = delete;
  ReplyQueue& operator=(const ReplyQueue&) = delete;

  bool empty() const { return head_ == nullptr; }
  uint32_t in_flight() const { return in_flight_; }
  // Whether one more request may be taken: the window has room, and what was sent for those in
  // flight is at most 4 × large_request. One may always, however large; under memory pressure only
  // one.
  bool HasRoom() const {
    if (in_flight_ == 0) return true;
    return !waits_until_empty_ && !context_.memory_pressure && in_flight_ < window_.size() &&
           sent_bytes_ <= kLargeRequests * context_.pool->config.large_request;
  }
  // At most half of the window is in use.
  bool half_empty() const { return in_flight_ <= window_.size() / 2; }
  // Has no room until it is empty.
  void WaitUntilEmpty() { waits_until_empty_ = in_flight_ > 0; }
  // Tells the window whether input waits; when for its sake, it may grow.
  void SetInputWaits(bool waits) { window_.SetHoldsBack(waits && in_flight_ >= window_.size()); }
  uint64_t typical_reply() const { return window_.typical_reply(); }
  // The size of a reply of which `part` is the last one, before it is taken.
  uint64_t SizeOf(const ReplyPart& part) const {
    const Fragment& fragment = *part.fragment;
    return (fragment.passed_on ? head_passed_on_ : 0) + fragment.reply.size() + part.bytes.size();
  }
  // Of replies that wait for their turn or their end.
  size_t gathered_bytes() const { return gathered_bytes_; }

  // A new request of `session` at the end. `silent`: its reply is dropped.
  Request* Add(Session* session, bool silent);
  // `bytes` of the request's frames are sent. They count until it leaves the queue: its shard may
  // not have taken them before.
  void CountSent(Request* request, size_t bytes) {
    const size_t room = UINT32_MAX - request->sent_bytes;
    const auto counted = static_cast<uint32_t>(bytes < room ? bytes : room);
    request->sent_bytes += counted;
    sent_bytes_ += counted;
  }
  // The whole reply of a request, the proxy's own. What was gathered of another is dropped.
  void Answer(Request* request, std::string_view encoded);

  // Takes the next bytes of a reply; true when they were passed on to the output. The common case,
  // a whole reply whose turn it is, is copied once.
  bool Take(Request* request, const ReplyPart& part) {
    Fragment& fragment = *part.fragment;
    const bool its_turn =
        request == head_ && request->split == nullptr && !request->silent && !request->done;
    const bool passes =
        part.last || fragment.passed_on || fragment.reply.size() + part.bytes.size() > kGatherBytes;
    if (!its_turn || !passes) {
      Gather(request, part);
      return false;
    }
    if (!fragment.reply.empty()) [[unlikely]] {
      PassOnGathered(fragment);
    }
    output_.Write(part.bytes);
    head_passed_on_ += part.bytes.size();
    fragment.passed_on = true;
    return true;
  }
  // Puts an error in the place of a fragment's reply. REQUIRES: nothing of it was passed on.
  void Fail(Request* request, Fragment* fragment, Failure failure);
  // After the last part or failure of a fragment. True: the head is complete, see EmitDone.
  bool FinishFragment(Request* request) {
    if (request->split != nullptr && --request->split->remaining > 0) return false;
    request->done = true;
    return request == head_;
  }

  // Drops the replies of the split request of which most is gathered, the last of equal ones: it
  // will get one error. False when there is none.
  bool DropMerge();

  // Hands on the replies that are complete, from the head on; false when there was none.
  bool EmitDone();
  // The session is over: lets go of all requests, unanswered.
  void Clear();

 private:
  // As many bytes in flight as so many requests that are just not large.
  static constexpr uint64_t kLargeRequests = 4;

  void Gather(Request* request, const ReplyPart& part);
  void PassOnGathered(Fragment& fragment);
  void Emit(Request* request);
  void EmitMerged(Request* request);
  void NoteReply(const Request& request, uint64_t bytes);

  SessionContext& context_;
  Stream& output_;
  Request* head_ = nullptr;
  Request* tail_ = nullptr;
  uint32_t in_flight_ = 0;
  uint64_t sent_bytes_ = 0;  // of the requests in flight
  bool waits_until_empty_ = false;
  uint64_t head_passed_on_ = 0;  // bytes of the head's reply
  size_t gathered_bytes_ = 0;
  RequestWindow window_;
};

}  // namespace weir
