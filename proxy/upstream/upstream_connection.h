// UpstreamConnection: one connection to a shard, and the FIFO of fragments that await their
// replies.
//
// Owned by a PoolConnections; used on that worker's loop thread only; never blocks. It connects
// when something is sent (upstream/connector), introduces itself as the pool's protocol wants it
// (codec/handshake) and writes what was queued meanwhile. Each fragment sent gets exactly one
// reply, found by codec/reply_scanner, in order, or fails once (upstream/pending_fragments).
//
//   no stream --Send--> connecting --> introducing itself --> ready --lost--> no stream
//                            \_______________/\___failed___> backing off --> connecting
//
// While it backs off, Send fails at once and the connection is tried again in the background; not
// so while the shard is ejected. How it ends: destroyed by its owner; every fragment left fails
// with kRemoved.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "proxy/base/byte_queue.h"
#include "proxy/base/clock.h"
#include "proxy/base/socket_address.h"
#include "proxy/codec/handshake.h"
#include "proxy/codec/reply_scanner.h"
#include "proxy/codec/shard_protocol.h"
#include "proxy/event/event_loop.h"
#include "proxy/event/stream.h"
#include "proxy/stats/pool_stats.h"
#include "proxy/upstream/connector.h"
#include "proxy/upstream/fragment.h"
#include "proxy/upstream/pending_fragments.h"
#include "proxy/upstream/reply_sink.h"

namespace weir {

// What the connections to a shard share; the owner replaces its contents when the configuration
// changes.
struct ConnectionSettings {
  Duration timeout = Duration::max();  // of a request; max: none
  Duration silence_limit = std::chrono::seconds(30);
  ShardLogin login = {};  // its protocol does not change
  ShardLabel label = {};
};

// The parts of a worker that a connection uses; borrowed, they outlive it.
struct UpstreamContext {
  EventLoop& loop;
  ChunkPool& chunks;
  ReplySink& sink;
  ShardObserver& observer;
  PoolStats& pool_stats;
  ProcessStats& process_stats;
};

// The index of a shard that left the configuration while replies were pending on a connection.
inline constexpr uint32_t kRemovedShard = UINT32_MAX;

class UpstreamConnection final : private StreamOwner, private ConnectorOwner {
 public:
  // What may be queued for a shard that was silent, refused or lost and has not answered since.
  static constexpr uint32_t kMaxSuspectRequests = 1024;
  static constexpr uint64_t kMaxSuspectBytes = 1 << 20;
  // The same while memory is scarce, for any shard whose output has to wait.
  static constexpr uint64_t kMaxScarceBytes = 64 << 10;

  // A reply of which more is sure to come is large beyond this: see ShardObserver::OnLargeReply.
  static constexpr uint64_t kLargeReplyBytes = 1 << 20;

  // `addresses` are tried in turn; one that works is kept to. The vector and `settings` are the
  // owner's and may change.
  UpstreamConnection(const UpstreamContext& context, const ConnectionSettings& settings,
                     const std::vector<ResolvedAddress>& addresses, ShardStats& stats,
                     uint32_t shard, ConnectionVariant variant);
  ~UpstreamConnection() override;

  // Sends a fragment: `frames` are 1 + fragment->replies_to_skip whole requests. Takes the fragment
  // into the FIFO, or answers why not; then the fragment is the caller's as before.
  std::optional<Failure> Send(Fragment* fragment, std::string_view frames);
  // The same, gathered in a queue.
  std::optional<Failure> Send(Fragment* fragment, ByteQueue&& frames);

  // For requests that stream through a lease: Send for the beginning of one. SendMore appends to
  // it, up to the `last` part; until that is sent there is no deadline, and silence counts only
  // while output waits for the shard. SendMore is without effect when the fragment has failed, or
  // was answered, meanwhile.
  std::optional<Failure> SendBeginning(Fragment* fragment, std::string_view bytes);
  void SendMore(Fragment* fragment, std::string_view bytes, bool last);

  // Connects before anything is sent, or before the time when it backs off. Without an address (a
  // name that is not resolved yet) it waits for OnAddressesChanged.
  void Connect();
  // After ShardObserver::MustWait: asks again, and connects. What is sent waits until then.
  void LetGo() { connector_.LetGo(); }
  // The owner replaced the addresses: goes on where one was wanted. Still none: fails what waited.
  void OnAddressesChanged() { connector_.OnAddressesChanged(); }
  bool backing_off() const { return connector_.backing_off(); }
  // The one that it is connected to or tries, or did last; null: none so far.
  const ResolvedAddress* address() const { return connector_.address(); }
  // With requests pending: they may yet go to any of the addresses, none of them is written.
  bool may_move() const;
  // It waits for LetGo.
  bool held() const { return connector_.held(); }
  // Bytes not yet taken by the socket.
  size_t unsent() const { return waiting_.size() + (stream_ ? stream_->unsent() : 0); }
  uint32_t pending() const { return pending_.size(); }
  // Those of them that have expired: their late replies are still to come.
  uint32_t expired() const { return pending_.expired(); }
  // What awaits replies, in order: the chain of Fragment::next.
  const Fragment* first_pending() const { return pending_.head(); }
  bool ready() const { return stream_ != nullptr && handshake_ == nullptr; }
  ConnectionVariant variant() const { return variant_; }
  uint32_t shard() const { return shard_; }
  const ShardLabel& label() const { return settings_.label; }

  // The shard has another index now, or kRemovedShard. What is pending goes on.
  void SetShard(uint32_t shard);
  // The settings' timeout or silence limit became shorter: what is pending gets no more time than a
  // request of now.
  void ShortenDeadlines();

  // Reads at the holder's pace; for leases only, or when nobody waits behind the reply.
  void SetReading(bool reading);
  // Told after progress with the output; for leases. Null: nobody.
  void SetSentCallback(absl::AnyInvocable<void()> callback);
  // Told when nothing is pending any more; for leases. It may only take note. Null: nobody.
  void SetDrainedCallback(absl::AnyInvocable<void()> callback) {
    on_drained_ = std::move(callback);
  }

  // Closes it; every fragment fails with `failure`. It may be used again.
  void Close(Failure failure);

 private:
  static constexpr size_t kPartsPerBatch = 64;

  // ConnectorOwner.
  void OnConnected(UniqueFd socket) override;
  void OnConnectFailed(ConnectFailure failure) override;
  bool MayConnectAgain() const override { return !context_.observer.IsEjected(shard_); }
  bool MustWait() override { return context_.observer.MustWait(*this); }
  // StreamOwner.
  void OnBytes(std::string_view bytes) override;
  void OnEnd() override {
    stats_.server_eof.Add();
    if (!ConnectAnew()) Lose(Failure::kReset, ShardFailure::kReset);
  }
  void OnStreamBroken(int error) override {
    stats_.server_err.Add();
    Lose(Failure::kReset, ShardFailure::kReset);
  }
  void OnSent() override {
    if (on_sent_) on_sent_();
  }

  std::optional<Failure> Admit() const;
  void Enqueue(Fragment* fragment, size_t bytes);
  // To the socket, or to what waits for one.
  void Write(std::string_view bytes);
  void Write(ByteQueue&& bytes);
  // The end of the output that the socket has taken.
  uint64_t SentPosition() const;

  void OnHandshakeBytes(std::string_view bytes);
  void BecomeReady();
  void OnReplyBytes(std::string_view bytes);
  // Of what was read, the last `unfinished` bytes are of a reply that goes on.
  void NoteUnfinishedReply(size_t read, size_t unfinished);
  // Whether the reply that has begun is one that may come before the whole fragment was written.
  bool MayAnswerEarly(const Fragment& fragment, uint64_t sent) const;
  void NoteAlive();
  void TellIfDrained() {
    if (on_drained_ && pending_.empty()) on_drained_();
  }

  void OnTimer();
  void ArmTimer();
  // Fails what has waited too long; answers whether the shard was silent all the while.
  bool Expire(Moment now);
  void CutOut(const FragmentRange& range);
  // Whether it is the shard's turn: to answer, or to take what it was sent.
  bool AwaitsShard() const;
  // When the shard last sent something, or took on what it had not taken at once.
  Moment LastSign() const;
  void CountSilence();

  // Ends the connection that was made or tried, and fails what waits. Reports `reported` when that
  // counts against the shard.
  void Lose(Failure failure, std::optional<ShardFailure> reported);
  // The shard closed a connection on which nothing was asked yet that is not answered: what was
  // queued in that very moment goes over a new one. False when that is not so.
  bool ConnectAnew();
  void Disconnect();

  const UpstreamContext context_;
  const ConnectionSettings& settings_;
  const std::vector<ResolvedAddress>& addresses_;
  ShardStats& stats_;
  uint32_t shard_;
  const ConnectionVariant variant_;

  bool suspect_ = false;                         // no byte came since a failure
  bool failure_told_ = false;                    // the observer waits to hear of the next success
  bool request_open_ = false;                    // the fragment sent last is not whole yet
  bool silence_counted_ = false;                 // one failure per silence
  Failure unavailable_ = Failure::kUnavailable;  // while it backs off: why
  Connector connector_;
  std::unique_ptr<Stream> stream_;        // once connected
  std::unique_ptr<Handshake> handshake_;  // until the shard has agreed
  ByteQueue waiting_;                     // output until the connection is ready
  ReplyScanner scanner_;
  uint64_t reply_so_far_ = 0;  // bytes of the reply in progress
  bool large_told_ = false;    // the observer knows that it is large

  PendingFragments pending_;
  uint64_t position_base_ = 0;  // SentPosition() - what the stream has sent
  Moment last_received_{};      // or the moment from which silence counts
  Timer timer_;                 // the next deadline, or the end of a silence
  absl::AnyInvocable<void()> on_sent_;
  absl::AnyInvocable<void()> on_drained_;
};

}  // namespace weir
