#include "proxy/upstream/upstream_connection.h"

#include <algorithm>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/log.h"

namespace weir {

UpstreamConnection::UpstreamConnection(const UpstreamContext& context,
                                       const ConnectionSettings& settings,
                                       const std::vector<ResolvedAddress>& addresses,
                                       ShardStats& stats, uint32_t shard, ConnectionVariant variant)
    : context_(context),
      settings_(settings),
      addresses_(addresses),
      stats_(stats),
      shard_(shard),
      variant_(variant),
      connector_(context.loop, addresses, settings.silence_limit, settings.label, *this),
      scanner_(settings.login.protocol),
      pending_(context.sink, context.pool_stats, stats),
      timer_(context.loop.timers(), [this] { OnTimer(); }) {}

UpstreamConnection::~UpstreamConnection() { Close(Failure::kRemoved); }

// --- Sending ---

std::optional<Failure> UpstreamConnection::Send(Fragment* fragment, std::string_view frames) {
  if (std::optional<Failure> refused = Admit()) return refused;
  Enqueue(fragment, frames.size());
  Write(frames);
  return std::nullopt;
}

std::optional<Failure> UpstreamConnection::Send(Fragment* fragment, ByteQueue&& frames) {
  if (std::optional<Failure> refused = Admit()) return refused;
  Enqueue(fragment, frames.size());
  Write(std::move(frames));
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
  pending_.Extend(bytes.size());
  // It was the client's turn until now.
  if (!AwaitsShard() || last) last_received_ = context_.loop.now();
  Write(bytes);
  if (!last) return;
  request_open_ = false;
  fragment->deadline = After(last_received_, settings_.timeout);
  ArmTimer();
}

std::optional<Failure> UpstreamConnection::Admit() const {
  if (backing_off()) return unavailable_;
  if (suspect_ && (pending_.size() >= kMaxSuspectRequests || unsent() >= kMaxSuspectBytes)) {
    return Failure::kOverloaded;
  }
  const bool waits = !ready() || stream_->blocked();
  if (context_.chunks.scarce() && waits && unsent() >= kMaxScarceBytes) return Failure::kOverloaded;
  return std::nullopt;
}

void UpstreamConnection::Enqueue(Fragment* fragment, size_t bytes) {
  if (stream_ == nullptr) Connect();
  const Moment now = context_.loop.now();
  if (pending_.empty()) last_received_ = now;
  fragment->shard = shard_;
  pending_.Push(fragment, bytes, After(now, settings_.timeout));
  // It may be armed for something later: silence behind expired requests.
  if (!timer_.armed() || fragment->deadline < timer_.deadline()) ArmTimer();
}

void UpstreamConnection::Write(std::string_view bytes) {
  if (ready()) {
    stream_->Write(bytes);
  } else {
    waiting_.Append(context_.chunks, bytes);
  }
}

void UpstreamConnection::Write(ByteQueue&& bytes) {
  if (ready()) {
    stream_->Write(std::move(bytes));
  } else {
    waiting_.Splice(context_.chunks, std::move(bytes));
  }
}

bool UpstreamConnection::may_move() const {
  // Until there is a socket the next address is tried, and see ConnectAnew. A connection that fails
  // to introduce itself fails what waits.
  return stream_ == nullptr || (ready() && pending_.head()->begin_position() >= SentPosition());
}

uint64_t UpstreamConnection::SentPosition() const {
  if (!ready()) return pending_.end_position() - waiting_.size();
  return position_base_ + stream_->sent_bytes();
}

// --- Reloads ---

void UpstreamConnection::SetShard(uint32_t shard) {
  shard_ = shard;
  pending_.SetShard(shard);
}

void UpstreamConnection::ShortenDeadlines() {
  pending_.ShortenDeadlines(After(context_.loop.now(), settings_.timeout),
                            request_open_ ? pending_.tail() : nullptr);
  ArmTimer();
}

// --- Connecting ---

void UpstreamConnection::Connect() {
  if (stream_ != nullptr) return;
  pending_.CountAsSent(false);
  if (addresses_.empty()) suspect_ = true;
  connector_.Connect();
}

void UpstreamConnection::OnConnected(UniqueFd socket) {
  StreamOwner& owner = *this;
  stream_ = std::make_unique<Stream>(context_.loop, context_.chunks,
                                     std::make_unique<PlainTransport>(std::move(socket)), owner);
  stats_.server_connections.Add();
  context_.process_stats.CountOpened();
  scanner_.Reset();
  handshake_ = std::make_unique<Handshake>(settings_.login, variant_);
  if (handshake_->state() == Handshake::State::kDone) return BecomeReady();
  stream_->Write(handshake_->output());
}

void UpstreamConnection::OnConnectFailed(ConnectFailure failure) {
  if (failure == ConnectFailure::kShard) return Lose(Failure::kUnavailable, ShardFailure::kConnect);
  // Says nothing of the shard.
  Lose(Failure::kNoSocket, std::nullopt);
}

void UpstreamConnection::OnHandshakeBytes(std::string_view bytes) {
  switch (handshake_->OnBytes(bytes)) {
    case Handshake::State::kWaiting:
      return;
    case Handshake::State::kDone:
      if (handshake_->needless_password()) {
        LOG_EVENT_LIMITED(LogLevel::kWarn, "shard_has_no_password", {"pool", settings_.label.pool},
                          {"shard", settings_.label.shard});
      }
      return BecomeReady();
    case Handshake::State::kFailed:
      LOG_EVENT_LIMITED(LogLevel::kWarn, "handshake_failed", {"pool", settings_.label.pool},
                        {"shard", settings_.label.shard}, {"error", handshake_->error()});
      // A shard that knows the base variant only is not at fault.
      if (handshake_->refused_variant()) {
        context_.observer.OnVariantRefused(shard_);
        Lose(Failure::kVariantRefused, std::nullopt);
        // Nothing will be asked in this variant again: it is not tried in the background.
        return connector_.Cancel();
      }
      return Lose(Failure::kRefused, ShardFailure::kConnect);
  }
}

void UpstreamConnection::BecomeReady() {
  pending_.CountAsSent(true);
  handshake_.reset();
  connector_.Succeed();
  last_received_ = context_.loop.now();
  position_base_ = pending_.end_position() - waiting_.size() - stream_->sent_bytes();
  if (on_sent_) stream_->NotifySent(true);
  if (pending_.empty() && failure_told_) NoteAlive();
  if (!waiting_.empty()) stream_->Write(std::move(waiting_));
  ArmTimer();
}

// --- Replies ---

void UpstreamConnection::OnBytes(std::string_view bytes) {
  if (handshake_ != nullptr) return OnHandshakeBytes(bytes);
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
  const uint64_t whole = request_open_ ? std::min(sent, pending_.end_position() - 1) : sent;
  std::string_view wrong;  // how the shard broke the protocol
  bool answered_early = false;
  const size_t read = bytes.size();
  size_t unfinished = 0;
  while (!bytes.empty() && !answered_early) {
    ParseResult result = scanner_.Scan(bytes);
    if (result.status == ParseStatus::kError) {
      wrong = scanner_.error();
      break;
    }
    std::string_view piece = bytes.substr(0, result.consumed);
    bytes.remove_prefix(result.consumed);
    bool last = result.status == ParseStatus::kFrame;
    if (scanner_.is_push()) {
      if (last) context_.pool_stats.pushes_dropped.Add();
      continue;
    }
    if (!last) unfinished = piece.size();
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
    const bool wanted = fragment->state != FragmentState::kExpired;
    if (last) pending_.FinishHead();
    if (!wanted) continue;
    parts[count++] = {fragment, piece, last, last ? 0 : scanner_.announced_bytes(), this};
    if (count == kPartsPerBatch) {
      context_.sink.OnReplyParts({parts, std::exchange(count, 0)});
      // A session that ends its lease closes this connection.
      if (!ready()) return;
    }
  }
  if (count > 0) context_.sink.OnReplyParts({parts, count});
  if (!ready()) return;
  if (!wrong.empty()) {
    LOG_EVENT_LIMITED(LogLevel::kWarn, "shard_broke_protocol", {"pool", settings_.label.pool},
                      {"shard", settings_.label.shard}, {"error", wrong});
    return Lose(Failure::kProtocol, ShardFailure::kProtocol);
  }
  NoteUnfinishedReply(read, unfinished);
  // The rest of that request must not meet a shard that takes it for another one. As if the shard
  // had closed the connection, which most do then.
  if (answered_early) {
    stats_.server_err.Add();
    return Lose(Failure::kReset, ShardFailure::kReset);
  }
  TellIfDrained();
}

void UpstreamConnection::NoteUnfinishedReply(size_t read, size_t unfinished) {
  if (unfinished < read) {
    reply_so_far_ = 0;
    large_told_ = false;
  }
  reply_so_far_ += unfinished;
  if (unfinished == 0 || large_told_) return;
  if (reply_so_far_ + scanner_.announced_bytes() <= kLargeReplyBytes) return;
  large_told_ = true;
  context_.observer.OnLargeReply(*this);
}

bool UpstreamConnection::MayAnswerEarly(const Fragment& fragment, uint64_t sent) const {
  if (fragment.begin_position() >= sent) return false;
  // The frames of a transaction are answered one by one; the beginning of a request can be refused.
  return fragment.replies_to_skip > 0 || scanner_.is_error_line();
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
  Moment next = pending_.next_deadline();
  if (ready() && !pending_.empty()) {
    next = std::min(next, After(LastSign(), settings_.silence_limit));
  }
  if (next == kNever) return timer_.Disarm();
  timer_.ArmAt(next);
}

void UpstreamConnection::OnTimer() {
  const Moment now = context_.loop.now();
  if (Expire(now)) CountSilence();
  if (!AwaitsShard()) {
    last_received_ = now;
  } else if (!pending_.empty() && After(LastSign(), settings_.silence_limit) <= now) {
    LOG_EVENT_LIMITED(LogLevel::kWarn, "shard_silent", {"pool", settings_.label.pool},
                      {"shard", settings_.label.shard}, {"pending", pending_.size()});
    return Lose(Failure::kSilent, ShardFailure::kSilence);
  }
  ArmTimer();
  TellIfDrained();
}

bool UpstreamConnection::Expire(Moment now) {
  const Moment heard_until = After(LastSign(), settings_.timeout);
  const bool silent = pending_.ExpireWritten(now, SentPosition()) >= heard_until;
  // What is due and left was never written: neighbours in the output.
  const FragmentRange unsent = pending_.TakeDue(now);
  if (unsent.first != nullptr) {
    CutOut(unsent);
    pending_.Drop(unsent);
  }
  return silent;
}

void UpstreamConnection::CutOut(const FragmentRange& range) {
  const uint64_t offset = range.first->begin_position() - SentPosition();
  if (!ready()) {
    // SentPosition() moves on with the front of what waits.
    DCHECK(offset == 0);
    return waiting_.Consume(range.bytes);
  }
  stream_->DropUnsent(offset, range.bytes);
  position_base_ += range.bytes;
}

bool UpstreamConnection::AwaitsShard() const {
  // Who is not listened to, or was not sent the whole request, cannot be called silent.
  return ready() && stream_->reading() && (!request_open_ || stream_->blocked());
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

// --- Endings ---

void UpstreamConnection::Lose(Failure failure, std::optional<ShardFailure> reported) {
  const bool was_ready = ready();
  // A client can make a shard close the connection in the middle of its upload: no failure either.
  const bool idle_close =
      was_ready && (pending_.empty() || request_open_) && reported == ShardFailure::kReset;
  if (reported == ShardFailure::kSilence) {
    stats_.server_timedout.Add();
  } else if (reported != ShardFailure::kReset) {
    stats_.server_err.Add();
  }
  Disconnect();
  if (!was_ready) {
    const bool tells_more = failure == Failure::kNoSocket || failure == Failure::kRefused;
    unavailable_ = tells_more ? failure : Failure::kUnavailable;
    connector_.BackOff();
  }
  suspect_ = suspect_ || !idle_close;
  if (was_ready && !idle_close && reported == ShardFailure::kReset) {
    LOG_EVENT_LIMITED(LogLevel::kWarn, "shard_connection_lost", {"pool", settings_.label.pool},
                      {"shard", settings_.label.shard}, {"pending", pending_.size()});
  }
  const bool counted = std::exchange(silence_counted_, false) && reported == ShardFailure::kSilence;
  // Before it was ready nothing had been written that could have an effect.
  pending_.FailAll(!was_ready && failure == Failure::kReset ? Failure::kUnavailable : failure);
  // Whoever answers at the shard's name may be at another address by now.
  if (idle_close) context_.observer.OnIdleClose(shard_);
  if (!idle_close && !counted && reported.has_value()) {
    failure_told_ = true;
    context_.observer.OnShardFailure(shard_, *reported);
  }
  ArmTimer();
  TellIfDrained();
}

bool UpstreamConnection::ConnectAnew() {
  // Once only until bytes come again: a shard that accepts and closes must not be asked for ever.
  if (!ready() || pending_.empty() || suspect_ || on_sent_) return false;
  const Fragment& first = *pending_.head();
  if (first.begin_position() < SentPosition()) return false;
  ByteQueue unsent = stream_->TakeUnsent();
  CHECK_EQ(unsent.size(), pending_.end_position() - SentPosition());
  context_.observer.OnIdleClose(shard_);
  Disconnect();
  waiting_ = std::move(unsent);
  suspect_ = true;
  Connect();
  return true;
}

void UpstreamConnection::Disconnect() {
  if (stream_ != nullptr) {
    // What was given up and is on its way must not take effect behind what is sent by another
    // connection later, so the kernel is to drop what it holds of it.
    pending_.empty() ? stream_->Close() : stream_->Abort();
    context_.loop.DeleteLater(std::move(stream_));
    stats_.server_connections.Subtract();
    context_.process_stats.CountClosed();
  }
  handshake_.reset();
  scanner_.Reset();
  reply_so_far_ = 0;
  large_told_ = false;
  waiting_.Clear();
  request_open_ = false;
}

void UpstreamConnection::Close(Failure failure) {
  Disconnect();
  connector_.Cancel();
  pending_.FailAll(failure);
  timer_.Disarm();
  TellIfDrained();
}

}  // namespace weir
