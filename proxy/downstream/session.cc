#include "proxy/downstream/session.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/base/socket_ends.h"

namespace weir {

// Idle clients are many (docs/performance.md, W7). What the protocol keeps comes beside it.
static_assert(sizeof(Session) <= 512);

Session::Session(SessionContext& context, uint64_t id, std::unique_ptr<Transport> transport)
    : context_(context),
      id_(id),
      slot_(context.connections.NextSlot()),
      fd_(transport->fd()),
      stream_(context.loop, context.chunks, std::move(transport), *this),
      input_(context.chunks),
      replies_(context, stream_),
      lease_(context.connections, [this] { Resume(); }),
      state_(context.handler.NewState()),
      last_active_(context.loop.now()),
      set_aside_version_(context.connections.set_aside_version()) {
  context_.stats.sessions_total.Add();
  context_.stats.client_connections.Add();
}

Session::~Session() { CHECK(life_ == Life::kClosed); }

// --- What may go on ---

bool Session::MayRead() const {
  if (life_ == Life::kLingering) return true;
  if (life_ >= Life::kLastReplies) return false;
  // The rest of a request that streams is read also after EndAfterInput.
  if (lease_.uploading()) return lease_.TakesMore();
  return life_ == Life::kOpen && !rests_ && (CanTake() || ReadsAhead());
}

bool Session::IsOver() const {
  switch (life_) {
    case Life::kOpen:
    case Life::kLingering:
    case Life::kClosed:
      return false;
    case Life::kLastInput:
      // Input that does not wait for room will never become a request.
      return replies_.empty() && !input_waits_ && stream_.unsent() == 0;
    case Life::kLastReplies:
      return replies_.empty() && stream_.unsent() == 0;
  }
  return false;
}

// --- Input ---

void Session::OnBytes(std::string_view bytes) {
  if (life_ == Life::kLingering) return Discard();
  last_active_ = context_.loop.now();
  context_.stats.request_bytes.Add(bytes.size());
  if (!input_.empty()) {
    input_.Append(bytes);
    return HandleHeldInput();
  }
  const size_t used = HandleInput(bytes);
  if (used < bytes.size() && life_ <= Life::kLastInput) input_.Append(bytes.substr(used));
  AfterInput();
}

size_t Session::HandleInput(std::string_view input) {
  handling_ = true;
  const size_t used = context_.handler.HandleInput(*this, input);
  handling_ = false;
  // Requests that failed while they were taken make room again as soon as they are emitted, and no
  // later reply will: look again.
  input_waits_ = used < input.size() && (rests_ || !CanTake());
  if (input_waits_) Resume();
  return used;
}

void Session::HandleHeldInput() {
  const size_t used = HandleInput(input_.rest());
  if (life_ != Life::kClosed) input_.Consume(used);
  AfterInput();
}

void Session::AfterInput() {
  EmitDone();
  UpdateReading();
  EndIfOver();
}

void Session::UpdateReading() {
  if (life_ == Life::kClosed) return;
  replies_.SetInputWaits(life_ <= Life::kLastInput && !lease_.uploading());
  stream_.SetReading(MayRead());
  stream_.NotifySent(HoldsTooMuch() || lease_.held());
}

void Session::OnTurnEnd() {
  if (life_ == Life::kClosed) return;
  lease_.EndDrained();
  if (rests_ && context_.loop.turn() == answers_turn_) return Resume();
  rests_ = false;
  if (input_waits_ && !input_.empty() && CanTake()) return HandleHeldInput();
  UpdateReading();
  EndIfOver();
}

void Session::Resume() {
  if (life_ != Life::kClosed) context_.loop.AtTurnEnd(this);
}

void Session::OnEnd() {
  if (life_ == Life::kLingering) return Close();
  client_ended_ = true;
  context_.stats.client_eof.Add();
  // The rest of a request that streams will never come.
  if (lease_.uploading()) return Close();
  Advance(Life::kLastInput);
  EndIfOver();
}

void Session::OnStreamBroken(int error) {
  if (life_ == Life::kLingering) return Close();
  context_.stats.client_err.Add();
  LOG_EVENT_LIMITED(LogLevel::kInfo, "session_broken", {"pool", context_.pool->config.name},
                    {"client", PeerOf(fd_)}, {"session", id_}, {"errno", error});
  Close();
}

void Session::OnSent() {
  if (!stream_.reading() || input_waits_) Resume();
  lease_.PaceReply(stream_.unsent());
  EndIfOver();
}

void Session::CheckProgress(Duration limit) {
  // Input that is not held back is a request that has begun to arrive.
  const bool receiving =
      lease_.uploading() ? lease_.TakesMore() : !input_.empty() && !input_waits_ && CanTake();
  const uint64_t mark = stream_.sent_bytes() + stream_.received_bytes();
  const bool moved = mark != std::exchange(progress_mark_, mark);
  if (moved || (!receiving && stream_.unsent() == 0)) {
    progress_at_ = context_.loop.now();
    return;
  }
  if (context_.loop.now() - progress_at_ < limit) return;
  context_.stats.closed_by_progress_limit.Add();
  LOG_EVENT_LIMITED(LogLevel::kWarn, "session_progress_limit", {"pool", context_.pool->config.name},
                    {"client", PeerOf(fd_)}, {"session", id_}, {"unsent_bytes", unsent()},
                    {"receiving", receiving});
  Close();
}

// --- Requests ---

void Session::Reply(std::string_view encoded) {
  context_.stats.local_replies.Add();
  if (replies_.empty()) return stream_.Write(encoded);
  replies_.Answer(NewRequest(/*silent=*/false), encoded);
}

bool Session::MayAnswerOn() {
  const uint64_t turn = context_.loop.turn();
  if (turn == answers_turn_) {
    rests_ = true;
    Resume();
    return false;
  }
  answers_turn_ = turn;
  answers_in_turn_ = 0;
  return true;
}

void Session::RefuseFragment(Fragment* fragment, uint32_t shard, Failure failure) {
  fragment->shard = shard;
  fragment->state = FragmentState::kDone;
  context_.stats.unavailable.Add();
  OnFragmentFailed(fragment->request, fragment, failure);
}

// --- Order ---

bool Session::SwitchVariant(ConnectionVariant variant) {
  if (in_flight() > 0) {
    WaitUntilEmpty();
    return false;
  }
  variant_ = variant;
  switched_ = switched_ || timed_out_;
  return true;
}

UpstreamConnection* Session::FindLastWay(uint32_t shard) {
  PoolConnections& connections = context_.connections;
  // On a late connection also what has not expired would be overtaken.
  if (!connections.any_expired() && !lease_.any_late()) timed_out_ = switched_ = false;
  lease_.DropRemoved();
  if (UpstreamConnection* late = lease_.LateTo(shard)) return late;
  const auto waits_on = [this](const UpstreamConnection& connection) {
    return WaitsOn(connection);
  };
  if (set_aside_version_ != connections.set_aside_version()) {
    const bool waits = (in_flight() > 1 || timed_out_) && connections.AnySetAside(slot_, waits_on);
    if (!waits) set_aside_version_ = connections.set_aside_version();
  }
  const bool look_aside = set_aside_version_ != connections.set_aside_version();
  const auto find_aside = [&](ConnectionVariant variant) {
    return look_aside ? connections.FindSetAside(shard, slot_, variant, waits_on) : nullptr;
  };
  if (switched_) {
    for (ConnectionVariant other : kConnectionVariants) {
      if (other == variant_) continue;
      if (UpstreamConnection* aside = find_aside(other)) return aside;
      if (UpstreamConnection* shared = ExpiredOnShared(shard, other)) return shared;
    }
  }
  return find_aside(variant_);
}

UpstreamConnection* Session::ExpiredOnShared(uint32_t shard, ConnectionVariant variant) const {
  if (!timed_out_) return nullptr;
  // What others have there would not be overtaken.
  return context_.connections.SharedWithExpired(
      shard, slot_, variant, [this](const UpstreamConnection& c) { return WaitsOn(c); });
}

bool Session::WaitsOn(const UpstreamConnection& connection) const {
  for (const Fragment* f = connection.first_pending(); f != nullptr; f = f->next) {
    if (f->request->session_id == id_) return true;
  }
  return false;
}

bool Session::MayFollow(const UpstreamConnection& last_way) {
  // A reply in another variant is of no use to the client.
  if (last_way.variant() != variant_) return false;
  // The late replies on a lease have come, or the connection was set aside: once all is answered
  // there is another way.
  if (last_way.expired() == 0) WaitUntilEmpty();
  return true;
}

// --- Leases ---

template <typename Frames>
void Session::SendOverLease(Fragment* fragment, uint32_t shard, Frames&& frames) {
  DCHECK(!lease_.held() && in_flight() == 1);
  WaitUntilEmpty();
  if (context_.selector.ejected(shard)) return RefuseFragment(fragment, shard, Failure::kEjected);
  const bool too_large_to_share =
      lease_.uploading() || frames.size() > context_.pool->config.large_request;
  UpstreamConnection* last_way = LastWay(shard);
  if (last_way == nullptr) last_way = ExpiredOnShared(shard, variant_);
  if (last_way != nullptr && (last_way != lease_.LateTo(shard) || !MayFollow(*last_way))) {
    if (!too_large_to_share) return Send(fragment, shard, std::forward<Frames>(frames));
    return RefuseFragment(fragment, shard, Failure::kOutOfOrder);
  }
  if (!lease_.Begin(shard, variant_)) {
    if (!too_large_to_share) return Send(fragment, shard, std::forward<Frames>(frames));
    return RefuseFragment(fragment, shard, Failure::kNoLease);
  }
  stream_.NotifySent(true);
  Mark(fragment, frames);
  context_.requests.Hold(fragment->request);
  if (std::optional<Failure> refused = lease_.Send(fragment, std::forward<Frames>(frames))) {
    context_.requests.Release(fragment->request);
    EndLease();
    RefuseFragment(fragment, shard, *refused);
  } else if (fragment->request->split != nullptr) {
    // Other fragments may need one each. With its reply it is given back.
    EndLease();
  }
}

template void Session::SendOverLease(Fragment*, uint32_t, std::string_view&);
template void Session::SendOverLease(Fragment*, uint32_t, ByteQueue&&);

void Session::EndUpload() {
  // Answered before its end was here.
  if (replies_.empty()) EndLease();
  lease_.EndUpload();
}

void Session::BreakUpload(Request* request, std::string_view encoded) {
  if (request->session == nullptr) {
    Reply(encoded);  // it has its reply, an early error
  } else if (request->fragment.passed_on) {
    return Close();
  } else {
    replies_.Answer(request, encoded);
    replies_.EmitDone();
  }
  // The shard has half a request that will never end: the connection goes, and nothing that comes
  // of that has to do with this session.
  EndLease();
  lease_.EndUpload();
  EndAfterReplies();
}

void Session::LeaseIfTooLarge(const ReplyPart& part) {
  if (lease_.held()) return;
  if (unsent() + part.announced <= OutputToHoldAt()) return;
  // From here on at this client's pace, if nobody waits behind it.
  if (!lease_.Take(part.connection, this)) return;
  stream_.NotifySent(true);
  // A later request for this shard would go by another connection and could overtake earlier ones.
  WaitUntilEmpty();
}

void Session::EndLease() {
  if (!lease_.held()) return;
  lease_.End();
  stream_.NotifySent(false);
}

// --- Replies ---

void Session::OnReplyPart(Request* request, const ReplyPart& part) {
  if (part.last && part.fragment->mark != 0) [[unlikely]] {
    if (replies_.SizeOf(part) <= UpstreamConnection::kLargeReplyBytes) {
      context_.connections.large_replies().Forget(part.fragment->mark);
    }
  }
  const bool passed_on = replies_.Take(request, part);
  if (part.last) FinishFragment(request);
  if (passed_on) {
    if (!part.last) LeaseIfTooLarge(part);
    // Replies gathered behind this one do not count: they leave only after it.
    lease_.PaceReply(stream_.unsent());
  }
  CheckOutput();
}

void Session::OnFragmentFailed(Request* request, Fragment* fragment, Failure failure) {
  context_.stats.forward_error.Add();
  if (failure == Failure::kTimedOut) timed_out_ = true;
  // Half of the reply is out: nothing can make it whole.
  if (fragment->passed_on) return Close();
  replies_.Fail(request, fragment, failure);
  FinishFragment(request);
}

void Session::FinishFragment(Request* request) {
  // While requests are being taken the end of the turn's work emits: a refused request must not
  // overtake the taking of those behind it.
  if (replies_.FinishFragment(request) && !handling_) EmitDone();
}

void Session::EmitDone() {
  // Without anything emitted nothing has changed, and to look again would go on for ever.
  if (!replies_.EmitDone()) return;
  if (replies_.empty() && !lease_.uploading()) EndLease();
  const bool held_back = !stream_.reading() || input_waits_;
  if (life_ != Life::kOpen || (held_back && replies_.half_empty())) Resume();
}

void Session::CheckOutput() {
  if (life_ == Life::kClosed) return;
  const uint64_t limit = context_.pool->config.session_output_limit;
  // Output of this turn, which the client may take at once, counts only if it does not.
  if (unsent() > limit && !stream_.FlushNow()) return;
  // A reply that waits to be merged can still become an error; of others the client may have half.
  while (unsent() > limit && replies_.DropMerge()) {
  }
  if (unsent() <= limit) return;
  context_.stats.closed_by_output_limit.Add();
  LOG_EVENT_LIMITED(LogLevel::kWarn, "session_output_limit", {"pool", context_.pool->config.name},
                    {"client", PeerOf(fd_)}, {"session", id_}, {"unsent_bytes", unsent()});
  Close();
}

// --- Endings ---

void Session::Advance(Life life) { life_ = std::max(life_, life); }

void Session::EndAfterReplies() {
  Advance(Life::kLastReplies);
  Resume();
}

void Session::EndAfterInput() {
  Advance(Life::kLastInput);
  Resume();
}

void Session::EndIfOver() {
  if (IsOver()) return client_ended_ ? Close() : Linger();
  if (life_ != Life::kLastInput && life_ != Life::kLastReplies) return;
  // Until then each reply looks again, and at the end the last bytes that are sent.
  if (!replies_.empty()) return;
  stream_.NotifySent(true);
  if (input_waits_ && CanTake()) Resume();
}

void Session::Linger() {
  Advance(Life::kLingering);
  input_.Clear();
  input_waits_ = false;
  lease_.EndAll();
  lease_.EndUpload();
  stream_.EndOutput();
  linger_until_ = stream_.received_bytes() + kLingerBytes;
  linger_timer_ = std::make_unique<Timer>(context_.loop.timers(), [this] { Close(); });
  linger_timer_->ArmAt(context_.loop.now() + kLinger);
  UpdateReading();
}

void Session::Discard() {
  if (stream_.received_bytes() > linger_until_) Close();
}

void Session::Close() {
  if (life_ == Life::kClosed) return;
  life_ = Life::kClosed;
  stream_.Close();
  replies_.Clear();
  lease_.EndAll();
  input_.Clear();
  context_.stats.client_connections.Subtract();
  context_.owner.OnSessionClosed(this);
}

}  // namespace weir
