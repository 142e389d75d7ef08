// Stream: one connected socket with its unsent output, on one event loop.
//
// Owned by a session or an upstream connection; used on the loop's thread only; never blocks.
// Input is read into the loop's scratch, at most 64 KiB a turn, and lent to the owner: the stream
// keeps no input. What the transport still holds is read in the next turn, without an event. Output
// is gathered and written once at the end of the turn; a large piece goes out at once, uncopied, as
// far as the socket takes it. How it ends: Close by the owner, or an error of the socket, told once
// by OnStreamBroken, never from inside a call of the owner's.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "proxy/base/byte_queue.h"
#include "proxy/event/event_loop.h"
#include "proxy/event/transport.h"

namespace weir {

// Whoever owns a stream. All calls come on the loop's thread; Close is allowed inside each.
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  // Bytes arrived; they last until the call returns.
  virtual void OnBytes(std::string_view bytes) = 0;
  // The peer sends no more. The stream still writes; reading has stopped.
  virtual void OnEnd() = 0;
  // The socket failed with `error` (errno) and is closed.
  virtual void OnStreamBroken(int error) = 0;
  // Some output left; only while NotifySent is set.
  virtual void OnSent() = 0;
};

class Stream final : public IoHandler, public TurnEndHandler {
 public:
  // A piece of at least this many bytes is written at once instead of being copied.
  static constexpr size_t kWriteThrough = 8192;

  // `owner` and `pool` are borrowed and outlive the stream.
  Stream(EventLoop& loop, ChunkPool& pool, std::unique_ptr<Transport> transport,
         StreamOwner& owner);
  ~Stream() override;

  // Queues bytes; they leave at the end of the turn (or now, when there are many). Without effect
  // once closed.
  void Write(std::string_view bytes) {
    if (closed()) return;
    if (bytes.size() >= kWriteThrough && WriteThrough(bytes)) return;
    output_.Append(pool_, bytes);
    loop_.AtTurnEnd(this);
  }
  void Write(ByteQueue&& bytes);

  // Writes what is queued now instead of at the end of the turn, as far as the socket takes it.
  // False when the stream is closed, or broken, which the owner is told at the end of the turn.
  bool FlushNow() {
    if (!closed() && !blocked_) Flush();
    return !closed();
  }

  size_t unsent() const { return output_.size(); }
  // Whether output waits for the socket.
  bool blocked() const { return blocked_; }
  // Bytes that the socket took since the beginning.
  uint64_t sent_bytes() const { return sent_bytes_; }
  // The turn in which output that had had to wait for the socket last went on.
  Moment went_on_at() const { return went_on_at_; }
  // Bytes that came since the beginning.
  uint64_t received_bytes() const { return received_bytes_; }
  // Drops `count` unsent bytes that begin `offset` bytes behind the first unsent one.
  void DropUnsent(size_t offset, size_t count) { output_.Erase(offset, count); }

  // The unsent bytes, for another stream; none are left.
  ByteQueue TakeUnsent() { return std::exchange(output_, ByteQueue()); }

  // The peer is told that nothing more will come; reading goes on. REQUIRES: nothing is unsent,
  // and nothing is written afterwards. Without effect once closed.
  void EndOutput() {
    if (!closed()) transport_->EndOutput();
  }

  void SetReading(bool reading);
  bool reading() const { return reading_; }
  // OnSent after each flush that made progress.
  void NotifySent(bool notify) { notify_sent_ = notify; }

  // Ends the stream; unsent output is lost. No callback follows.
  void Close();
  // Close, after which the peer gets nothing more either, not even of what was written: a reset.
  void Abort();
  // Closed by either side: nothing can be read or written any more.
  bool closed() const { return transport_ == nullptr || error_ != 0; }

  void OnReady(Readiness ready) override;
  void OnTurnEnd() override;

 private:
  void ReadOnce();
  // Reads what the transport holds, if this is not the turn in which it told of it.
  void ReadPending();
  void Flush();
  // False when the bytes must be queued as usual.
  bool WriteThrough(std::string_view bytes);
  void UpdateInterest();
  // Notes the error; told to the owner at the end of the turn at the latest.
  void Break(int error);

  EventLoop& loop_;
  ChunkPool& pool_;
  StreamOwner& owner_;
  std::unique_ptr<Transport> transport_;
  ByteQueue output_;
  uint64_t sent_bytes_ = 0;
  uint64_t received_bytes_ = 0;
  Moment went_on_at_{};
  uint64_t pending_since_ = 0;  // the turn of the last read, while pending_
  int error_ = 0;
  Interest interest_ = Interest::kRead;
  bool reading_ = true;
  bool ended_ = false;
  bool blocked_ = false;  // the socket took less than was offered
  bool notify_sent_ = false;
  bool pending_ = false;  // the transport holds input
};

}  // namespace weir
