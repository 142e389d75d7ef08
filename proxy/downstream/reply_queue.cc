#include "proxy/downstream/reply_queue.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir {

Request* ReplyQueue::Add(Session* session, bool silent) {
  Request* request = context_.requests.New(session, context_.loop.now());
  request->silent = silent;
  (tail_ == nullptr ? head_ : tail_->next) = request;
  tail_ = request;
  ++in_flight_;
  return request;
}

void ReplyQueue::Answer(Request* request, std::string_view encoded) {
  ByteQueue& reply = request->fragment.reply;
  gathered_bytes_ -= reply.size();
  reply.Clear();
  reply.Append(context_.chunks, encoded);
  gathered_bytes_ += reply.size();
  request->done = true;
}

void ReplyQueue::Gather(Request* request, const ReplyPart& part) {
  if (request->silent) return;
  if (request->split != nullptr && request->split->dropped) return;
  part.fragment->reply.Append(context_.chunks, part.bytes);
  gathered_bytes_ += part.bytes.size();
}

void ReplyQueue::PassOnGathered(Fragment& fragment) {
  head_passed_on_ += fragment.reply.size();
  gathered_bytes_ -= fragment.reply.size();
  output_.Write(std::move(fragment.reply));
}

bool ReplyQueue::DropMerge() {
  Split* largest = nullptr;
  size_t most = 1;
  for (Request* request = head_; request != nullptr; request = request->next) {
    Split* split = request->split.get();
    if (split == nullptr || split->dropped) continue;
    size_t gathered = 0;
    for (const Fragment& fragment : split->fragments) gathered += fragment.reply.size();
    if (gathered < most) continue;
    most = gathered;
    largest = split;
  }
  if (largest == nullptr) return false;
  largest->dropped = true;
  for (Fragment& fragment : largest->fragments) fragment.reply.Clear();
  gathered_bytes_ -= most;
  return true;
}

void ReplyQueue::Fail(Request* request, Fragment* fragment, Failure failure) {
  gathered_bytes_ -= fragment->reply.size();
  fragment->reply.Clear();
  context_.handler.EncodeFailure(*request, failure, fragment->shard, &fragment->reply);
  gathered_bytes_ += fragment->reply.size();
}

bool ReplyQueue::EmitDone() {
  if (head_ == nullptr || !head_->done) return false;
  do {
    Request* request = head_;
    Emit(request);
    head_ = request->next;
    if (head_ == nullptr) tail_ = nullptr;
    --in_flight_;
    sent_bytes_ -= request->sent_bytes;
    request->session = nullptr;
    context_.requests.Release(request);
    head_passed_on_ = 0;
  } while (head_ != nullptr && head_->done);
  if (head_ == nullptr) waits_until_empty_ = false;
  return true;
}

void ReplyQueue::Emit(Request* request) {
  if (request->split != nullptr) return EmitMerged(request);
  uint64_t bytes = head_passed_on_;
  if (ByteQueue& reply = request->fragment.reply; !reply.empty()) {
    bytes += reply.size();
    gathered_bytes_ -= reply.size();
    if (request->silent) {
      reply.Clear();
    } else {
      output_.Write(std::move(reply));
    }
  }
  NoteReply(*request, bytes);
}

void ReplyQueue::EmitMerged(Request* request) {
  for (const Fragment& fragment : request->split->fragments) {
    gathered_bytes_ -= fragment.reply.size();
  }
  ByteQueue merged;
  if (!request->silent) context_.handler.Merge(*request, &merged);
  const uint64_t bytes = merged.size();
  output_.Write(std::move(merged));
  // A fragment that expired keeps the request until its late reply; not the others' replies.
  for (Fragment& fragment : request->split->fragments) fragment.reply.Clear();
  NoteReply(*request, bytes);
}

void ReplyQueue::NoteReply(const Request& request, uint64_t bytes) {
  PoolStats& stats = context_.stats;
  const Duration took = context_.loop.now() - request.start;
  stats.request_microseconds.Record(
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  stats.replies.Add();
  stats.reply_bytes.Add(bytes);
  switch (window_.NoteReply(bytes, context_.pool->config.session_output_limit / 2)) {
    case RequestWindow::Change::kNone:
      break;
    case RequestWindow::Change::kGrown:
      stats.window_grown.Add();
      break;
    case RequestWindow::Change::kShrunk:
      stats.window_shrunk.Add();
      break;
  }
}

void ReplyQueue::Clear() {
  while (head_ != nullptr) {
    Request* request = std::exchange(head_, head_->next);
    request->session = nullptr;
    request->fragment.reply.Clear();
    if (request->split != nullptr) {
      for (Fragment& fragment : request->split->fragments) fragment.reply.Clear();
    }
    context_.requests.Release(request);
  }
  tail_ = nullptr;
  in_flight_ = 0;
  sent_bytes_ = 0;
  gathered_bytes_ = 0;
}

}  // namespace weir
