#include "proxy/downstream/session.h"

#include <algorithm>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/log.h"

namespace weir {

Session::Session(SessionContext& context, uint64_t id, std::unique_ptr<Transport> transport)
    : context_(context),
      id_(id),
      slot_(context.connections.SlotOf(id)),
      fd_(transport->fd()),
      hold_at_(context.pool->config.session_output_limit / 2),
      stream_(context.loop, context.chunks, std::move(transport), *this),
      state_(context.handler.NewState()),
      last_active_(context.loop.now()) {
  context_.stats.sessions_total.Add();
  context_.stats.client_connections.Add();
}

Session::~Session() { CHECK(closed_); }

// --- Input ---

void Session::OnBytes(std::string_view bytes) {
  last_active_ = context_.loop.now();
  context_.stats.request_bytes.Add(bytes.size());
  if (!input_.empty()) {
    input_.append(bytes);
    return HandleHeldInput();
  }
  const size_t used = HandleInput(bytes);
  if (used < bytes.size() && !closed_) KeepInput(bytes.substr(used));
  EmitDone();
  UpdateReading();
  CloseIfOver();
}

size_t Session::HandleInput(std::string_view input) {
  handling_ = true;
  const size_t used = context_.handler.HandleInput(*this, input);
  handling_ = false;
  // Requests that failed while they were taken make room again as soon as they are emitted, and no
  // later reply will: look again.
  input_waits_ = used < input.size() && !CanTake();
  if (input_waits_) Resume();
  return used;
}

void Session::HandleHeldInput() {
  input_begin_ += HandleInput(std::string_view(input_).substr(input_begin_));
  if (input_begin_ == input_.size()) {
    // An idle session owns no buffer.
    std::string().swap(input_);
    input_begin_ = 0;
  } else if (input_begin_ > EventLoop::kScratchBytes) {
    input_.erase(0, std::exchange(input_begin_, 0));
  }
  EmitDone();
  UpdateReading();
  CloseIfOver();
}

void Session::KeepInput(std::string_view rest) {
  if (ending_) return;
  input_.assign(rest);
}

void Session::UpdateReading() {
  if (closed_) return;
  // Input that is held although there is room is an unfinished request: read on.
  held_back_ = !ending_ && !uploading_ && !CanTake();
  const bool paced = uploading_ && lease_ != nullptr && lease_->unsent() > kPaceBytes;
  stream_.SetReading(!ending_ && (!peer_ended_ || uploading_) && !held_back_ && !paced);
  stream_.NotifySent(HoldsTooMuch() || lease_ != nullptr);
}

void Session::OnTurnEnd() {
  if (closed_) return;
  if (input_waits_ && !input_.empty() && CanTake()) return HandleHeldInput();
  UpdateReading();
  CloseIfOver();
}

void Session::Resume() {
  if (!closed_) context_.loop.AtTurnEnd(this);
}

void Session::OnEnd() {
  context_.stats.client_eof.Add();
  peer_ended_ = true;
  // The rest of a request that streams will never come.
  if (uploading_) return Close();
  CloseIfOver();
}

void Session::OnStreamBroken(int error) {
  context_.stats.client_err.Add();
  LOG_EVENT(LogLevel::kInfo, "session_broken", {"pool", context_.pool->config.name},
            {"session", id_}, {"errno", error});
  Close();
}

// --- Requests and replies ---

Request* Session::NewRequest(bool silent) {
  Request* request = context_.requests.New(this, context_.loop.now());
  request->silent = silent;
  (tail_ == nullptr ? head_ : tail_->next) = request;
  tail_ = request;
  ++in_flight_;
  return request;
}

void Session::Reply(std::string_view encoded) {
  context_.stats.local_replies.Add();
  if (head_ == nullptr) return stream_.Write(encoded);
  Request* request = NewRequest(/*silent=*/false);
  request->fragment.reply.Append(context_.chunks, encoded);
  gathered_bytes_ += encoded.size();
  request->done = true;
}

void Session::RefuseFragment(Fragment* fragment, uint32_t shard, Failure failure) {
  fragment->shard = shard;
  fragment->state = FragmentState::kDone;
  context_.stats.unavailable.Add();
  OnFragmentFailed(fragment->request, fragment, failure);
}

// --- Leases ---

void Session::SendOnLease(Fragment* fragment, uint32_t shard, RespVersion version,
                          std::string_view bytes) {
  DCHECK(lease_ == nullptr && in_flight_ == 1);
  if (context_.selector.ejected(shard)) return RefuseFragment(fragment, shard, Failure::kEjected);
  lease_ = context_.connections.BeginLease(shard, version);
  if (lease_ == nullptr) {
    // A request that is whole need not wait for one: the shared connections take it as any other.
    if (!uploading_) return Send(fragment, shard, version, bytes);
    return RefuseFragment(fragment, shard, Failure::kNoLease);
  }
  lease_->SetSentCallback([this] { Resume(); });
  stream_.NotifySent(true);
  context_.requests.Hold(fragment->request);
  if (std::optional<Failure> refused =
          uploading_ ? lease_->SendBeginning(fragment, bytes) : lease_->Send(fragment, bytes)) {
    context_.requests.Release(fragment->request);
    RefuseFragment(fragment, shard, *refused);
  }
}

void Session::SendMoreOnLease(Fragment* fragment, std::string_view bytes, bool last) {
  if (lease_ != nullptr) lease_->SendMore(fragment, bytes, last);
}

void Session::EndUpload() {
  // Answered before its end was here: the lease ends with half a request on its connection.
  if (in_flight_ == 0) EndLease();
  uploading_ = false;
}

void Session::TakeAsLease(UpstreamConnection* connection) {
  for (const Fragment* f = connection->first_pending(); f != nullptr; f = f->next) {
    if (f->request->session != this) return;
  }
  lease_ = context_.connections.TakeAsLease(connection);
  if (lease_ == nullptr) return;
  stream_.NotifySent(true);
  // A later request for this shard would go by another connection and could overtake earlier ones.
  WaitUntilEmpty();
}

void Session::PaceLease() {
  // Replies gathered behind this one do not count: they leave only after it.
  if (lease_ != nullptr) lease_->SetReading(stream_.unsent() <= kPaceBytes);
}

void Session::EndLease() {
  if (lease_ == nullptr) return;
  if (uploading_) lease_->Close(Failure::kReset);
  context_.connections.EndLease(std::exchange(lease_, nullptr));
  stream_.NotifySent(false);
}

void Session::CheckProgress(Duration limit) {
  // Input that is not held back is a request that has begun to arrive.
  const bool receiving = uploading_ || (!input_.empty() && CanTake());
  const uint64_t mark = stream_.sent_bytes() + stream_.received_bytes();
  const bool moved = mark != std::exchange(progress_mark_, mark);
  if (moved || (!receiving && stream_.unsent() == 0)) {
    progress_at_ = context_.loop.now();
    return;
  }
  if (context_.loop.now() - progress_at_ < limit) return;
  context_.stats.closed_by_progress_limit.Add();
  LOG_EVENT_LIMITED(LogLevel::kWarn, "session_progress_limit", {"pool", context_.pool->config.name},
                    {"session", id_}, {"unsent_bytes", unsent()}, {"receiving", receiving});
  Close();
}

// --- Replies ---

void Session::OnReplyPart(Request* request, const ReplyPart& part) {
  Fragment* fragment = part.fragment;
  if (request == head_ && request->split == nullptr && !request->silent && !request->done) {
    // The common case, copied once: a whole reply whose turn it is.
    bool pass_on = part.last || fragment->passed_on ||
                   fragment->reply.size() + part.bytes.size() > kGatherBytes;
    if (pass_on) {
      if (!fragment->reply.empty()) {
        head_passed_on_ += fragment->reply.size();
        gathered_bytes_ -= fragment->reply.size();
        stream_.Write(std::move(fragment->reply));
      }
      stream_.Write(part.bytes);
      head_passed_on_ += part.bytes.size();
      fragment->passed_on = true;
      if (part.last) {
        FinishFragment(request, fragment);
      } else if (lease_ == nullptr &&
                 unsent() + part.announced > context_.pool->config.session_output_limit / 2) {
        // It does not fit: from here on at this client's pace, if nobody waits behind it.
        TakeAsLease(part.connection);
      }
      PaceLease();
      return CheckOutput();
    }
  }
  AppendReply(request, part);
  if (part.last) FinishFragment(request, fragment);
  CheckOutput();
}

void Session::AppendReply(Request* request, const ReplyPart& part) {
  if (request->silent) return;
  if (Split* split = request->split.get()) {
    split->gathered += part.bytes.size();
    if (split->gathered > context_.pool->config.session_output_limit) return DropReplies(*split);
  }
  part.fragment->reply.Append(context_.chunks, part.bytes);
  gathered_bytes_ += part.bytes.size();
}

void Session::DropReplies(Split& split) {
  split.too_large = true;
  for (Fragment& fragment : split.fragments) {
    gathered_bytes_ -= fragment.reply.size();
    fragment.reply.Clear();
  }
}

void Session::OnFragmentFailed(Request* request, Fragment* fragment, Failure failure) {
  context_.stats.forward_error.Add();
  if (fragment->passed_on) {
    // Half of the reply is out: nothing can make it whole.
    return Close();
  }
  gathered_bytes_ -= fragment->reply.size();
  fragment->reply.Clear();
  context_.handler.EncodeFailure(*request, failure, fragment->shard, &fragment->reply);
  gathered_bytes_ += fragment->reply.size();
  if (request->split != nullptr) ++request->split->failed;
  FinishFragment(request, fragment);
}

void Session::FinishFragment(Request* request, Fragment* fragment) {
  if (request->split != nullptr && --request->split->remaining > 0) return;
  request->done = true;
  // While requests are being taken the end of the turn's work emits: a refused request must not
  // overtake the taking of those behind it.
  if (request == head_ && !handling_) EmitDone();
}

void Session::EmitDone() {
  const bool emits = head_ != nullptr && head_->done && !closed_;
  while (head_ != nullptr && head_->done && !closed_) {
    Request* request = head_;
    Emit(request);
    head_ = request->next;
    if (head_ == nullptr) tail_ = nullptr;
    --in_flight_;
    request->session = nullptr;
    context_.stats.request_microseconds.Record(static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(context_.loop.now() - request->start)
            .count()));
    context_.requests.Release(request);
    head_passed_on_ = 0;
  }
  if (in_flight_ == 0) {
    waits_until_empty_ = false;
    if (!uploading_) EndLease();
  }
  // Without anything emitted nothing has changed, and to look again would go on for ever.
  if (closed_ || !emits) return;
  if (!stream_.reading() && in_flight_ <= window_ / 2) Resume();
  if (ending_ || peer_ended_) Resume();
}

void Session::Emit(Request* request) {
  uint64_t bytes = head_passed_on_;
  if (request->split != nullptr) {
    for (const Fragment& fragment : request->split->fragments) {
      gathered_bytes_ -= fragment.reply.size();
    }
    ByteQueue merged;
    if (!request->silent) context_.handler.Merge(*request, &merged);
    bytes += merged.size();
    stream_.Write(std::move(merged));
    // A fragment that expired keeps the request until its late reply; not the others' replies.
    for (Fragment& fragment : request->split->fragments) fragment.reply.Clear();
  } else if (!request->fragment.reply.empty()) {
    ByteQueue& reply = request->fragment.reply;
    bytes += reply.size();
    gathered_bytes_ -= reply.size();
    if (request->silent) {
      reply.Clear();
    } else {
      stream_.Write(std::move(reply));
    }
  }
  NoteReplySize(bytes);
}

void Session::NoteReplySize(uint64_t bytes) {
  context_.stats.replies.Add();
  context_.stats.reply_bytes.Add(bytes);
  typical_reply_ = std::max(bytes, typical_reply_ - typical_reply_ / 8);
  const uint64_t room = context_.pool->config.session_output_limit / 2;
  if (window_ * typical_reply_ > room) {
    window_ = static_cast<uint32_t>(std::max<uint64_t>(1, room / typical_reply_));
    context_.stats.window_shrunk.Add();
  } else if (held_back_ && window_ < kLargestWindow && 2 * window_ * typical_reply_ <= room) {
    window_ *= 2;
    held_back_ = false;  // doubles once each time it holds input back
    context_.stats.window_grown.Add();
  }
}

void Session::CheckOutput() {
  if (closed_ || unsent() <= context_.pool->config.session_output_limit) return;
  context_.stats.closed_by_output_limit.Add();
  LOG_EVENT_LIMITED(LogLevel::kWarn, "session_output_limit", {"pool", context_.pool->config.name},
                    {"session", id_}, {"unsent_bytes", unsent()});
  Close();
}

// --- Endings ---

void Session::EndAfterReplies() {
  ending_ = true;
  Resume();
}

void Session::EndAfterInput() {
  peer_ended_ = true;
  Resume();
}

void Session::OnSent() {
  if (held_back_) Resume();
  PaceLease();
  CloseIfOver();
}

void Session::CloseIfOver() {
  if (closed_ || (!ending_ && !peer_ended_)) return;
  if (in_flight_ > 0) return;
  // What did not wait for room will never become a request.
  if (input_waits_ && !ending_) {
    if (CanTake()) Resume();
    return;
  }
  if (stream_.unsent() > 0) return stream_.NotifySent(true);
  Close();
}

void Session::Close() {
  if (closed_) return;
  closed_ = true;
  stream_.Close();
  for (Request* request = head_; request != nullptr;) {
    Request* next = request->next;
    request->session = nullptr;
    request->fragment.reply.Clear();
    if (request->split != nullptr) {
      for (Fragment& fragment : request->split->fragments) fragment.reply.Clear();
    }
    context_.requests.Release(request);
    request = next;
  }
  head_ = tail_ = nullptr;
  in_flight_ = 0;
  EndLease();
  std::string().swap(input_);
  context_.stats.client_connections.Subtract();
  context_.owner.OnSessionClosed(this);
}

}  // namespace weir
