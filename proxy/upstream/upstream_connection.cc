#include "proxy/upstream/upstream_connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr Duration kFirstBackOff = std::chrono::milliseconds(50);
constexpr Duration kLongestBackOff = std::chrono::seconds(1);

Moment After(Moment now, Duration duration) {
  return duration == Duration::max() ? kNever : now + duration;
}

// Stays at the largest value: of what is that large, something has always been sent.
uint32_t Sum32(uint32_t a, size_t b) {
  return static_cast<uint32_t>(std::min<uint64_t>(uint64_t{a} + b, UINT32_MAX));
}

}  // namespace

UpstreamConnection::UpstreamConnection(const UpstreamContext& context,
                                       const ConnectionSettings& settings,
                                       const std::vector<ResolvedAddress>& addresses,
                                       ShardStats& stats, uint32_t shard, RespVersion version)
    : context_(context),
      settings_(settings),
      addresses_(addresses),
      stats_(stats),
      shard_(shard),
      version_(version),
      timer_(context.loop.timers(), [this] { OnTimer(); }) {}

UpstreamConnection::~UpstreamConnection() { Close(Failure::kRemoved); }

// --- Sending ---

std::optional<Failure> UpstreamConnection::Send(Fragment* fragment, std::string_view frames) {
  if (std::optional<Failure> refused = Admit()) return refused;
  Enqueue(fragment, frames.size());
  if (state_ == State::kReady) {
    stream_->Write(frames);
  } else {
    waiting_.Append(context_.chunks, frames);
  }
  return std::nullopt;
}

std::optional<Failure> UpstreamConnection::Send(Fragment* fragment, ByteQueue&& frames) {
  if (std::optional<Failure> refused = Admit()) return refused;
  Enqueue(fragment, frames.size());
  if (state_ == State::kReady) {
    stream_->Write(std::move(frames));
  } else {
    waiting_.Splice(context_.chunks, std::move(frames));
  }
  return std::nullopt;
}

std::optional<Failure> UpstreamConnection::SendBeginning(Fragment* fragment,
                                                         std::string_view bytes) {
  std::optional<Failure> refused = Send(fragment, bytes);
  if (refused.has_value()) return refused;
  request_open_ = true;
  fragment->deadline = kNever;
  return std::nullopt;
}

void UpstreamConnection::SendMore(Fragment* fragment, std::string_view bytes, bool last) {
  if (fragment->state != FragmentState::kPending) return;
  DCHECK(pending_.tail() == fragment && request_open_);
  fragment->bytes = Sum32(fragment->bytes, bytes.size());
  queued_position_ += bytes.size();
  fragment->end_position = queued_position_;
  stats_.request_bytes.Add(bytes.size());
  pending_bytes_ += bytes.size();
  QueueBytesGauge().Add(static_cast<int64_t>(bytes.size()));
  if (state_ == State::kReady) {
    stream_->Write(bytes);
  } else {
    waiting_.Append(context_.chunks, bytes);
  }
  if (!last) return;
  request_open_ = false;
  last_received_ = context_.loop.now();
  fragment->deadline = After(last_received_, settings_.timeout);
  ArmTimer();
}

std::optional<Failure> UpstreamConnection::Admit() const {
  if (state_ == State::kBackingOff) return Failure::kUnavailable;
  if (suspect_ && (pending_.size() >= kMaxSuspectRequests || unsent() >= kMaxSuspectBytes)) {
    return Failure::kOverloaded;
  }
  return std::nullopt;
}

void UpstreamConnection::Enqueue(Fragment* fragment, size_t bytes) {
  if (state_ == State::kIdle) Connect();
  if (pending_.empty()) last_received_ = context_.loop.now();
  queued_position_ += bytes;
  fragment->bytes = Sum32(0, bytes);
  fragment->end_position = queued_position_;
  fragment->deadline = After(context_.loop.now(), settings_.timeout);
  fragment->state = FragmentState::kPending;
  fragment->shard = shard_;
  pending_.Push(fragment);
  stats_.requests.Add();
  stats_.request_bytes.Add(bytes);
  pending_bytes_ += bytes;
  QueueGauge().Add();
  QueueBytesGauge().Add(static_cast<int64_t>(bytes));
  // It may be armed for something later: the end of a connect, or silence behind expired requests.
  if (!timer_.armed() || fragment->deadline < timer_.deadline()) ArmTimer();
}

// --- Reloads ---

void UpstreamConnection::SetShard(uint32_t shard) {
  shard_ = shard;
  for (Fragment* fragment = pending_.head(); fragment != nullptr; fragment = fragment->next) {
    fragment->shard = shard;
  }
}

void UpstreamConnection::ShortenDeadlines() {
  // Expiry relies on deadlines that rise along the queue.
  const Moment latest = After(context_.loop.now(), settings_.timeout);
  for (Fragment* fragment = pending_.first_live(); fragment != nullptr; fragment = fragment->next) {
    if (request_open_ && fragment == pending_.tail()) break;
    fragment->deadline = std::min(fragment->deadline, latest);
  }
  ArmTimer();
}

// --- Connecting ---

void UpstreamConnection::Connect() {
  if (state_ != State::kIdle && state_ != State::kBackingOff) return;
  state_ = State::kConnecting;
  CountAsSent(false);
  attempt_deadline_ = After(context_.loop.now(), settings_.silence_limit);
  if (addresses_.empty()) {
    suspect_ = true;
    return ArmTimer();
  }
  addresses_untried_ = addresses_.size();
  TryNextAddress();
}

void UpstreamConnection::TryNextAddress() {
  while (addresses_untried_ > 0 && !addresses_.empty()) {
    --addresses_untried_;
    const ResolvedAddress& address = addresses_[address_ % addresses_.size()];
    absl::StatusOr<UniqueFd> fd = StartConnect(address);
    if (fd.ok()) {
      connecting_ = *std::move(fd);
      context_.loop.Watch(connecting_.get(), Interest::kWrite, this);
      return ArmTimer();
    }
    ++address_;
    LOG_EVENT_LIMITED(LogLevel::kWarn, "connect_failed", {"address", address.ToString()},
                      {"error", FromAbsl(fd.status().message())});
  }
  // Fails by the timer, never inside of Send.
  attempt_deadline_ = context_.loop.now();
  ArmTimer();
}

void UpstreamConnection::OnAddressesChanged() {
  const bool waits = state_ == State::kConnecting && !connecting_.valid();
  if (waits && addresses_.empty()) return Lose(Failure::kUnavailable, ShardFailure::kConnect);
  if (waits) state_ = State::kIdle;
  if (waits || (backing_off() && !addresses_.empty())) Connect();
}

void UpstreamConnection::OnReady(Readiness ready) {
  if (!connecting_.valid()) return;
  int error = ConnectError(connecting_.get());
  if (error == 0 && ConnectedToItself(connecting_.get())) error = ECONNREFUSED;
  if (error != 0) {
    LOG_EVENT_LIMITED(LogLevel::kWarn, "connect_failed", {"shard", shard_},
                      {"error", std::strerror(error)});
    ++address_;
    context_.loop.Unwatch(connecting_.get());
    connecting_.Close();
    if (addresses_untried_ > 0) return TryNextAddress();
    return Lose(Failure::kUnavailable, ShardFailure::kConnect);
  }
  OnConnected();
}

void UpstreamConnection::OnConnected() {
  context_.loop.Unwatch(connecting_.get());
  StreamOwner& owner = *this;
  stream_ =
      std::make_unique<Stream>(context_.loop, context_.chunks,
                               std::make_unique<PlainTransport>(std::move(connecting_)), owner);
  stats_.server_connections.Add();
  scanner_.Reset();
  handshake_ = std::make_unique<Handshake>(settings_.auth, settings_.db, version_);
  state_ = State::kHandshaking;
  if (handshake_->state() == Handshake::State::kDone) return BecomeReady();
  stream_->Write(handshake_->output());
}

void UpstreamConnection::OnHandshakeBytes(std::string_view bytes) {
  switch (handshake_->OnBytes(bytes)) {
    case Handshake::State::kWaiting:
      return;
    case Handshake::State::kDone:
      return BecomeReady();
    case Handshake::State::kFailed:
      LOG_EVENT_LIMITED(LogLevel::kWarn, "handshake_failed", {"shard", shard_},
                        {"error", handshake_->error()});
      // A shard that knows RESP2 only is not at fault.
      if (handshake_->refused_resp3()) {
        context_.observer.OnResp3Refused(shard_);
        return Lose(Failure::kResp3Refused, std::nullopt);
      }
      ++address_;
      return Lose(Failure::kUnavailable, ShardFailure::kConnect);
  }
}

void UpstreamConnection::BecomeReady() {
  CountAsSent(true);
  state_ = State::kReady;
  handshake_.reset();
  attempt_deadline_ = kNever;
  failed_attempts_ = 0;
  last_received_ = context_.loop.now();
  position_base_ = queued_position_ - waiting_.size() - stream_->sent_bytes();
  if (on_sent_) stream_->NotifySent(true);
  if (pending_.empty() && failure_told_) NoteAlive();
  if (!waiting_.empty()) stream_->Write(std::move(waiting_));
  ArmTimer();
}

// --- Replies ---

void UpstreamConnection::OnBytes(std::string_view bytes) {
  if (state_ == State::kHandshaking) return OnHandshakeBytes(bytes);
  last_received_ = context_.loop.now();
  if (suspect_ || failure_told_ || silence_counted_) NoteAlive();
  stats_.response_bytes.Add(bytes.size());
  OnReplyBytes(bytes);
}

void UpstreamConnection::NoteAlive() {
  suspect_ = false;
  silence_counted_ = false;
  if (std::exchange(failure_told_, false)) context_.observer.OnShardSuccess(shard_);
}

void UpstreamConnection::OnReplyBytes(std::string_view bytes) {
  ReplyPart parts[kPartsPerBatch];
  size_t count = 0;
  const uint64_t sent = SentPosition();
  // Requests that end here or before are written whole; the one that is open has no end yet.
  const uint64_t whole = request_open_ ? std::min(sent, queued_position_ - 1) : sent;
  std::string_view wrong;  // how the shard broke the protocol
  bool answered_early = false;
  while (!bytes.empty() && !answered_early) {
    ParseResult result = scanner_.Scan(bytes);
    if (result.status == ParseStatus::kError) {
      wrong = scanner_.error();
      break;
    }
    std::string_view piece = bytes.substr(0, result.consumed);
    bytes.remove_prefix(result.consumed);
    bool last = result.status == ParseStatus::kFrame;
    if (scanner_.type() == '>') {
      if (last) context_.pool_stats.pushes_dropped.Add();
      continue;
    }
    Fragment* fragment = pending_.head();
    if (fragment == nullptr) {
      wrong = "a reply nobody waits for";
      break;
    }
    if (fragment->end_position > whole) [[unlikely]] {
      if (!MayAnswerEarly(*fragment, sent)) {
        wrong = "a reply to a request that is not written yet";
        break;
      }
      answered_early = last && fragment->replies_to_skip == 0;
    }
    if (fragment->replies_to_skip > 0) {
      if (last) --fragment->replies_to_skip;
      continue;
    }
    if (last) {
      pending_.PopHead();
      stats_.responses.Add();
      Uncount(*fragment);
      if (fragment->state == FragmentState::kExpired) {
        context_.pool_stats.late_replies_discarded.Add();
        fragment->state = FragmentState::kDone;
        context_.sink.OnFragmentReleased(fragment);
        continue;
      }
      fragment->state = FragmentState::kDone;
    } else if (fragment->state == FragmentState::kExpired) {
      continue;
    }
    parts[count++] = {fragment, piece, scanner_.type(), last, last ? 0 : scanner_.announced_bytes(),
                      this};
    if (count == kPartsPerBatch) {
      context_.sink.OnReplyParts({parts, std::exchange(count, 0)});
      // A session that ends its lease closes this connection.
      if (state_ != State::kReady) return;
    }
  }
  if (count > 0) context_.sink.OnReplyParts({parts, count});
  if (state_ != State::kReady) return;
  if (!wrong.empty()) {
    LOG_EVENT_LIMITED(LogLevel::kWarn, "shard_broke_protocol", {"shard", shard_}, {"error", wrong});
    return Lose(Failure::kProtocol, ShardFailure::kProtocol);
  }
  // The rest of that request must not meet a shard that takes it for another one. As if the shard
  // had closed the connection, which redis does then.
  if (answered_early) Lose(Failure::kReset, ShardFailure::kReset);
}

bool UpstreamConnection::MayAnswerEarly(const Fragment& fragment, uint64_t sent) const {
  if (fragment.begin_position() >= sent) return false;
  // The frames of a transaction are answered one by one; the beginning of a request can be refused.
  return fragment.replies_to_skip > 0 || scanner_.type() == '-';
}

void UpstreamConnection::SetReading(bool reading) {
  if (stream_ == nullptr) return;
  if (reading && !stream_->reading()) last_received_ = context_.loop.now();
  stream_->SetReading(reading);
}

void UpstreamConnection::SetSentCallback(absl::AnyInvocable<void()> callback) {
  on_sent_ = std::move(callback);
  if (stream_ != nullptr) stream_->NotifySent(static_cast<bool>(on_sent_));
}

// --- Time ---

void UpstreamConnection::ArmTimer() {
  Moment next = attempt_deadline_;
  if (Fragment* live = pending_.first_live()) next = std::min(next, live->deadline);
  if (state_ == State::kReady && !pending_.empty()) {
    next = std::min(next, After(LastSign(), settings_.silence_limit));
  }
  if (next == kNever) return timer_.Disarm();
  timer_.ArmAt(next);
}

void UpstreamConnection::OnTimer() {
  Moment now = context_.loop.now();
  if (Expire(now)) CountSilence();
  if (attempt_deadline_ <= now) {
    if (state_ == State::kBackingOff) {
      Connect();
    } else {
      ++address_;
      Lose(Failure::kUnavailable, ShardFailure::kConnect);
    }
    return;
  }
  // Who is not listened to, or has not heard the whole request, cannot be called silent.
  const bool awaited = stream_ != nullptr && stream_->reading() && !request_open_;
  if (state_ == State::kReady && !pending_.empty() && awaited &&
      After(LastSign(), settings_.silence_limit) <= now) {
    return Lose(Failure::kSilent, ShardFailure::kSilence);
  }
  if (!awaited) last_received_ = now;
  ArmTimer();
}

bool UpstreamConnection::Expire(Moment now) {
  const bool silent = ExpireWritten(now);
  // What is due and left was never written: neighbours in the output.
  const FragmentRange unsent = pending_.TakeDue(now);
  if (unsent.first != nullptr) DropUnsent(unsent);
  for (Fragment* next = unsent.first; next != nullptr;) {
    Fragment* fragment = std::exchange(next, next->next);
    Uncount(*fragment);
    context_.pool_stats.timeouts_queued.Add();
    fragment->state = FragmentState::kDone;
    context_.sink.OnFragmentFailed(fragment, Failure::kTimedOutUnsent);
  }
  return silent;
}

bool UpstreamConnection::ExpireWritten(Moment now) {
  bool silent = false;
  while (Fragment* fragment = pending_.first_live()) {
    if (fragment->deadline > now || fragment->begin_position() >= SentPosition()) break;
    pending_.PassFirstLive();
    // Its reply has begun to flow downstream: only silence can end it now.
    if (fragment->passed_on) continue;
    stats_.server_timedout.Add();
    context_.pool_stats.timeouts_pending.Add();
    fragment->state = FragmentState::kExpired;
    silent = silent || After(LastSign(), settings_.timeout) <= fragment->deadline;
    context_.sink.OnFragmentFailed(fragment, Failure::kTimedOut);
  }
  return silent;
}

Moment UpstreamConnection::LastSign() const {
  // Only output that had to wait tells of the shard: the rest goes to the socket's buffer, however
  // dead the other side is.
  return stream_ == nullptr ? last_received_ : std::max(last_received_, stream_->went_on_at());
}

void UpstreamConnection::CountSilence() {
  suspect_ = true;
  if (std::exchange(silence_counted_, true)) return;
  failure_told_ = true;
  context_.observer.OnShardFailure(shard_, ShardFailure::kSilence);
}

uint64_t UpstreamConnection::SentPosition() const {
  if (state_ != State::kReady) return queued_position_ - waiting_.size();
  return position_base_ + stream_->sent_bytes();
}

void UpstreamConnection::DropUnsent(const FragmentRange& range) {
  const uint64_t offset = range.first->begin_position() - SentPosition();
  if (state_ != State::kReady) {
    // SentPosition() moves on with the front of what waits.
    DCHECK(offset == 0);
    waiting_.Consume(range.bytes);
    return;
  }
  stream_->DropUnsent(offset, range.bytes);
  // Positions in front of the gap move up to it. Only the last of them may still be leaving.
  position_base_ += range.bytes;
  if (Fragment* before = pending_.last_passed()) before->end_position += range.bytes;
}

// --- Endings ---

void UpstreamConnection::Lose(Failure failure, std::optional<ShardFailure> reported) {
  bool was_ready = state_ == State::kReady;
  // A client can make a shard close the connection in the middle of its upload: no failure either.
  bool idle_close =
      was_ready && (pending_.empty() || request_open_) && reported == ShardFailure::kReset;
  if (failure == Failure::kReset) stats_.server_eof.Add();
  if (reported != ShardFailure::kReset) stats_.server_err.Add();
  Disconnect();
  bool counted = std::exchange(silence_counted_, false) && reported == ShardFailure::kSilence;
  if (was_ready) {
    state_ = State::kIdle;
    suspect_ = suspect_ || !idle_close;
  } else {
    BackOff();
  }
  FailAll(failure);
  if (!idle_close && !counted && reported.has_value()) {
    failure_told_ = true;
    context_.observer.OnShardFailure(shard_, *reported);
  }
  ArmTimer();
}

bool UpstreamConnection::ConnectAnew() {
  // Once only until bytes come again: a shard that accepts and closes must not be asked for ever.
  if (state_ != State::kReady || pending_.empty() || suspect_ || on_sent_) return false;
  const Fragment& first = *pending_.head();
  if (first.begin_position() < SentPosition()) return false;
  ByteQueue unsent = stream_->TakeUnsent();
  CHECK_EQ(unsent.size(), queued_position_ - SentPosition());
  stats_.server_eof.Add();
  Disconnect();
  waiting_ = std::move(unsent);
  suspect_ = true;
  state_ = State::kIdle;
  Connect();
  return true;
}

void UpstreamConnection::BackOff() {
  state_ = State::kBackingOff;
  suspect_ = true;
  Duration delay = kFirstBackOff * (1 << std::min(failed_attempts_, 5u));
  ++failed_attempts_;
  attempt_deadline_ = context_.loop.now() + std::min(delay, kLongestBackOff);
}

void UpstreamConnection::Disconnect() {
  if (connecting_.valid()) {
    context_.loop.Unwatch(connecting_.get());
    connecting_.Close();
  }
  if (stream_ != nullptr) {
    stream_->Close();
    context_.loop.DeleteLater(std::move(stream_));
    stats_.server_connections.Subtract();
  }
  handshake_.reset();
  scanner_.Reset();
  waiting_.Clear();
  request_open_ = false;
  attempt_deadline_ = kNever;
}

// The gauges, as twemproxy has them: in_queue is what waits to be sent, out_queue what was.

void UpstreamConnection::CountAsSent(bool sent) {
  if (counted_as_sent_ == sent) return;
  QueueGauge().Subtract(pending_.size());
  QueueBytesGauge().Subtract(static_cast<int64_t>(pending_bytes_));
  counted_as_sent_ = sent;
  QueueGauge().Add(pending_.size());
  QueueBytesGauge().Add(static_cast<int64_t>(pending_bytes_));
}

void UpstreamConnection::Uncount(const Fragment& fragment) {
  pending_bytes_ -= fragment.bytes;
  QueueGauge().Subtract();
  QueueBytesGauge().Subtract(fragment.bytes);
}

void UpstreamConnection::FailAll(Failure failure) {
  Fragment* next = pending_.TakeAll();
  while (next != nullptr) {
    Fragment* fragment = std::exchange(next, next->next);
    Uncount(*fragment);
    bool expired = fragment->state == FragmentState::kExpired;
    fragment->state = FragmentState::kDone;
    if (expired) {
      context_.sink.OnFragmentReleased(fragment);
    } else {
      context_.sink.OnFragmentFailed(fragment, failure);
    }
  }
}

void UpstreamConnection::Close(Failure failure) {
  Disconnect();
  state_ = State::kIdle;
  FailAll(failure);
  timer_.Disarm();
}

}  // namespace weir
