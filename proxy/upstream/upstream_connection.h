// UpstreamConnection: one connection to a shard, and the FIFO of fragments that await their
// replies.
//
// Owned by a PoolConnections; used on that worker's loop thread only; never blocks. It connects
// when something is sent, introduces itself (AUTH, SELECT, HELLO 3 as the pool says) and writes
// what was queued meanwhile. Each fragment sent gets exactly one reply, in order, or fails once.
//
//   kIdle --Send--> kConnecting --> kHandshaking --> kReady --lost--> kIdle
//                        \______________/\___failed___> kBackingOff --timer--> kConnecting
//
// While it backs off, Send fails at once and the connection is tried again in the background. How
// it ends: destroyed by its owner; every fragment left fails with kRemoved.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "proxy/base/byte_queue.h"
#include "proxy/base/clock.h"
#include "proxy/base/socket_address.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/codec/resp_frame_scanner.h"
#include "proxy/event/event_loop.h"
#include "proxy/event/socket.h"
#include "proxy/event/stream.h"
#include "proxy/stats/pool_stats.h"
#include "proxy/upstream/fragment.h"
#include "proxy/upstream/handshake.h"
#include "proxy/upstream/pending_queue.h"
#include "proxy/upstream/reply_sink.h"

namespace weir {

// What the connections to a shard share; the owner replaces its contents when the configuration
// changes.
struct ConnectionSettings {
  Duration timeout = Duration::max();  // of a request; max: none
  Duration silence_limit = std::chrono::seconds(30);
  std::string auth;  // password; empty: none
  uint32_t db = 0;
};

// The parts of a worker that a connection uses; borrowed, they outlive it.
struct UpstreamContext {
  EventLoop& loop;
  ChunkPool& chunks;
  ReplySink& sink;
  ShardObserver& observer;
  PoolStats& pool_stats;
};

// The index of a shard that left the configuration while replies were pending on a connection.
inline constexpr uint32_t kRemovedShard = UINT32_MAX;

class UpstreamConnection final : private StreamOwner, private IoHandler {
 public:
  // What may be queued for a shard that was silent, refused or lost and has not answered since.
  static constexpr uint32_t kMaxSuspectRequests = 1024;
  static constexpr uint64_t kMaxSuspectBytes = 1 << 20;

  // `addresses` are tried in turn; one that works is kept to. The vector and `settings` are the
  // owner's and may change.
  UpstreamConnection(const UpstreamContext& context, const ConnectionSettings& settings,
                     const std::vector<ResolvedAddress>& addresses, ShardStats& stats,
                     uint32_t shard, RespVersion version);
  ~UpstreamConnection() override;

  // Sends a fragment: `frames` are 1 + fragment->replies_to_skip whole requests. Takes the fragment
  // into the FIFO, or answers why not; then the fragment is the caller's as before.
  std::optional<Failure> Send(Fragment* fragment, std::string_view frames);
  // The same, gathered in a queue.
  std::optional<Failure> Send(
      Fragment* fragment, ByteQueue&& frames);  // For requests that stream through a lease: sends
                                                // the beginning of one; SendMore appends to it, up
  // to the `last` part. Neither deadline nor silence counts until that is sent. Without effect when
  // the connection was lost meanwhile (the fragment has failed).
  std::optional<Failure> SendBeginning(Fragment* fragment, std::string_view bytes);
  void SendMore(Fragment* fragment, std::string_view bytes, bool last);

  // Connects before anything is sent, or before the time when it backs off. Without an address (a
  // name that is not resolved yet) it waits for OnAddressesChanged.
  void Connect();
  // The owner replaced the addresses: goes on where one was wanted. Still none: fails what waited.
  void OnAddressesChanged();
  bool backing_off() const { return state_ == State::kBackingOff; }
  // Bytes not yet taken by the socket.
  size_t unsent() const { return waiting_.size() + (stream_ ? stream_->unsent() : 0); }
  uint32_t pending() const { return pending_.size(); }
  // What awaits replies, in order: the chain of Fragment::next.
  const Fragment* first_pending() const { return pending_.head(); }
  bool ready() const { return state_ == State::kReady; }
  RespVersion version() const { return version_; }
  uint32_t shard() const { return shard_; }

  // The shard has another index now, or kRemovedShard. What is pending goes on.
  void SetShard(uint32_t shard);
  // The settings' timeout became shorter: what is pending gets no more time than a request of now.
  void ShortenDeadlines();

  // Reads at the holder's pace; for leases only, or when nobody waits behind the reply.
  void SetReading(bool reading);
  // Told after progress with the output; for leases. Null: nobody.
  void SetSentCallback(absl::AnyInvocable<void()> callback);

  // Closes it; every fragment fails with `failure`. It may be used again.
  void Close(Failure failure);

 private:
  enum class State : uint8_t { kIdle, kConnecting, kHandshaking, kReady, kBackingOff };
  static constexpr size_t kPartsPerBatch = 64;

  // IoHandler: the outcome of a connect.
  void OnReady(Readiness ready) override;
  // StreamOwner.
  void OnBytes(std::string_view bytes) override;
  void OnEnd() override {
    if (!ConnectAnew()) Lose(Failure::kReset, ShardFailure::kReset);
  }
  void OnStreamBroken(int error) override { Lose(Failure::kReset, ShardFailure::kReset); }
  void OnSent() override {
    if (on_sent_) on_sent_();
  }

  std::optional<Failure> Admit() const;
  void Enqueue(Fragment* fragment, size_t bytes);
  // Tries those that this attempt has not tried yet.
  void TryNextAddress();
  void OnConnected();
  void OnHandshakeBytes(std::string_view bytes);
  void BecomeReady();
  void OnReplyBytes(std::string_view bytes);
  // Whether the reply that has begun is one that may come before the whole fragment was written.
  bool MayAnswerEarly(const Fragment& fragment, uint64_t sent) const;
  void NoteAlive();

  // Ends the connection that was made or tried, and fails what waits. Reports `reported` when that
  // counts against the shard.
  void Lose(Failure failure, std::optional<ShardFailure> reported);
  // The shard closed a connection on which nothing was asked yet that is not answered: what was
  // queued in that very moment goes over a new one. False when that is not so.
  bool ConnectAnew();
  void BackOff();
  void Disconnect();
  void FailAll(Failure failure);

  Gauge& QueueGauge() { return counted_as_sent_ ? stats_.out_queue : stats_.in_queue; }
  Gauge& QueueBytesGauge() {
    return counted_as_sent_ ? stats_.out_queue_bytes : stats_.in_queue_bytes;
  }
  void CountAsSent(bool sent);
  void Uncount(const Fragment& fragment);

  void OnTimer();
  void ArmTimer();
  // Fails what has waited too long; answers whether anything was written and stayed unanswered.
  bool Expire(Moment now);
  bool ExpireWritten(Moment now);
  void DropUnsent(const FragmentRange& range);
  // When the shard last sent something, or took on what it had not taken at once.
  Moment LastSign() const;
  void CountSilence();
  uint64_t SentPosition() const;

  const UpstreamContext context_;
  const ConnectionSettings& settings_;
  const std::vector<ResolvedAddress>& addresses_;
  ShardStats& stats_;
  uint32_t shard_;
  const RespVersion version_;

  State state_ = State::kIdle;
  bool suspect_ = false;          // no byte came since a failure
  bool failure_told_ = false;     // the observer waits to hear of the next success
  bool request_open_ = false;     // the fragment sent last is not whole yet
  bool silence_counted_ = false;  // one failure per silence
  uint32_t failed_attempts_ = 0;  // in a row
  size_t address_ = 0;            // the one in use, modulo their number
  size_t addresses_untried_ = 0;  // in this attempt
  UniqueFd connecting_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Handshake> handshake_;
  ByteQueue waiting_;  // output until the connection is ready
  RespFrameScanner scanner_;

  PendingQueue pending_;
  bool counted_as_sent_ = false;      // which gauges count the FIFO
  uint64_t pending_bytes_ = 0;        // of the requests in the FIFO
  uint64_t queued_position_ = 0;      // end of all output so far
  uint64_t position_base_ = 0;        // SentPosition() - what the stream has sent
  Moment last_received_{};            // or the moment from which silence counts
  Moment attempt_deadline_ = kNever;  // of a connect and handshake, or the end of a back-off
  Timer timer_;
  absl::AnyInvocable<void()> on_sent_;
};

}  // namespace weir
