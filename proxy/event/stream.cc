#include "proxy/event/stream.h"

#include <cerrno>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/event/socket.h"

namespace weir {
namespace {

constexpr size_t kPiecesPerWrite = 64;

}  // namespace

Stream::Stream(EventLoop& loop, ChunkPool& pool, std::unique_ptr<Transport> transport,
               StreamOwner& owner)
    : loop_(loop), pool_(pool), owner_(owner), transport_(std::move(transport)) {
  loop_.Watch(transport_->fd(), interest_, this);
}

Stream::~Stream() { Close(); }

void Stream::Write(ByteQueue&& bytes) {
  if (closed()) {
    bytes.Clear();
    return;
  }
  output_.Splice(pool_, std::move(bytes));
  loop_.AtTurnEnd(this);
}

void Stream::SetReading(bool reading) {
  if (reading == reading_) return;
  reading_ = reading;
  UpdateInterest();
  if (pending_) [[unlikely]]
    loop_.AtTurnEnd(this);
}

void Stream::Close() {
  if (transport_ == nullptr) return;
  loop_.Unwatch(transport_->fd());
  transport_.reset();
  output_.Clear();
}

void Stream::Abort() {
  if (transport_ == nullptr) return;
  ResetOnClose(transport_->fd());
  Close();
}

void Stream::OnReady(Readiness ready) {
  if (closed()) return;
  if (ready.writable) {
    const uint64_t sent_before = sent_bytes_;
    blocked_ = false;
    Flush();
    if (sent_bytes_ != sent_before) went_on_at_ = loop_.now();
  }
  if (!closed() && (ready.readable || ready.broken) && reading_ && !ended_) {
    ReadOnce();
  } else if (!closed() && ready.broken) {
    // Nobody reads, so no read will tell. Left alone, the loop would meet it in every turn.
    Break(ECONNRESET);
  }
}

void Stream::OnTurnEnd() {
  if (transport_ == nullptr) return;
  if (error_ == 0 && !blocked_) Flush();
  if (pending_ && !closed()) [[unlikely]]
    ReadPending();
  if (error_ == 0 || transport_ == nullptr) return;
  Close();
  owner_.OnStreamBroken(error_);
}

void Stream::ReadOnce() {
  IoResult result = transport_->Read(loop_.scratch());
  pending_ = result.pending;
  if (pending_) [[unlikely]] {
    pending_since_ = loop_.turn();
    loop_.AtTurnEnd(this);
  }
  switch (result.status) {
    case IoResult::Status::kOk:
      received_bytes_ += result.bytes;
      owner_.OnBytes({loop_.scratch().data(), result.bytes});
      return;
    case IoResult::Status::kWouldBlock:
      return;
    case IoResult::Status::kEnd:
      ended_ = true;
      UpdateInterest();
      owner_.OnEnd();
      return;
    case IoResult::Status::kError:
      Break(result.error);
      return;
  }
}

void Stream::ReadPending() {
  if (!reading_ || ended_) return;
  if (pending_since_ == loop_.turn()) return loop_.AtTurnEnd(this);
  ReadOnce();
}

void Stream::Flush() {
  bool progress = false;
  while (!output_.empty() && !blocked_) {
    iovec pieces[kPiecesPerWrite];
    size_t used = output_.Gather(pieces);
    size_t offered = 0;
    for (size_t i = 0; i < used; ++i) offered += pieces[i].iov_len;
    IoResult result = transport_->Write({pieces, used});
    if (result.status == IoResult::Status::kError) return Break(result.error);
    if (result.status == IoResult::Status::kWouldBlock) result.bytes = 0;
    output_.Consume(result.bytes);
    sent_bytes_ += result.bytes;
    progress = progress || result.bytes > 0;
    blocked_ = result.bytes < offered;
  }
  UpdateInterest();
  if (progress && notify_sent_) owner_.OnSent();
}

bool Stream::WriteThrough(std::string_view bytes) {
  if (blocked_) return false;
  iovec pieces[kPiecesPerWrite];
  size_t used = output_.Gather({pieces, kPiecesPerWrite - 1});
  size_t queued = 0;
  for (size_t i = 0; i < used; ++i) queued += pieces[i].iov_len;
  if (queued != output_.size()) return false;
  pieces[used++] = {const_cast<char*>(bytes.data()), bytes.size()};
  IoResult result = transport_->Write({pieces, used});
  if (result.status == IoResult::Status::kError) {
    Break(result.error);
    return true;
  }
  size_t sent = result.status == IoResult::Status::kOk ? result.bytes : 0;
  sent_bytes_ += sent;
  blocked_ = sent < queued + bytes.size();
  output_.Consume(std::min(sent, queued));
  bytes.remove_prefix(sent - std::min(sent, queued));
  output_.Append(pool_, bytes);
  UpdateInterest();
  return true;
}

void Stream::UpdateInterest() {
  if (transport_ == nullptr) return;
  Interest wanted = Interest::kNone;
  if (reading_ && !ended_) wanted = wanted | Interest::kRead;
  // Nothing is left that would wait for the socket (it may have been dropped): the next flush
  // tries.
  if (output_.empty()) blocked_ = false;
  if (blocked_ && !output_.empty()) wanted = wanted | Interest::kWrite;
  if (wanted == interest_) return;
  interest_ = wanted;
  loop_.ChangeInterest(transport_->fd(), interest_, this);
}

void Stream::Break(int error) {
  error_ = error == 0 ? EIO : error;
  loop_.AtTurnEnd(this);
}

}  // namespace weir
