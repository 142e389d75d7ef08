// Session: one downstream conversation. Bytes in → requests; replies → bytes out, in request order.
//
// Owned by its SessionOwner, used on one worker's loop thread, never blocks. Of the protocol it
// knows nothing: the pool's RequestHandler reads requests from its input, says which variant of
// connections they go over, and calls back to send them or to answer.
// Its parts: HeldInput (what is read and not dealt with), ReplyQueue (requests in flight and their
// replies), SessionLease (a connection of its own for what is large) and the client's Stream.
//
// Its life, from top to bottom, skipping what does not apply:
//
//   kOpen        reads and takes requests
//   kLastInput   what was read is still taken: the client has ended its side, or EndAfterInput
//   kLastReplies nothing more is taken; what was is answered: EndAfterReplies
//   kLingering   all is answered and written, and the client is told that nothing more will come;
//                what it may still send is discarded until it ends its side, too, for at most
//                kLinger and kLingerBytes. Closing with unread input in the socket would reset the
//                connection, and with it destroy replies that are on their way.
//   kClosed      the client has ended; or Close: a broken limit, a socket error, the owner
//
// At kClosed OnSessionClosed is called once, and replies still on their way are discarded by
// position while the upstream connections stay.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/base/clock.h"
#include "proxy/codec/shard_protocol.h"
#include "proxy/downstream/held_input.h"
#include "proxy/downstream/reply_queue.h"
#include "proxy/downstream/request_handler.h"
#include "proxy/downstream/session_context.h"
#include "proxy/downstream/session_lease.h"
#include "proxy/event/stream.h"
#include "proxy/event/timer_queue.h"
#include "proxy/request/request.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

class Session final : private StreamOwner, private TurnEndHandler {
 public:
  // How long, and for how many bytes, a session that is over waits for its client's end.
  static constexpr Duration kLinger = std::chrono::seconds(1);
  static constexpr uint64_t kLingerBytes = 1 << 20;

  // What the proxy's own answers to one session may cost in a turn, as told to CountAnswer: other
  // sessions wait meanwhile.
  static constexpr uint64_t kAnswersPerTurn = 1 << 16;

  Session(SessionContext& context, uint64_t id, std::unique_ptr<Transport> transport);
  ~Session() override;

  // --- for the request handler ---

  SessionContext& context() { return context_; }
  ProtocolState& state() { return *state_; }
  uint64_t id() const { return id_; }
  int fd() const { return fd_; }
  uint32_t in_flight() const { return replies_.in_flight(); }

  // Whether more requests may be taken now; when not, HandleInput is called again once they may.
  bool CanTake() const {
    return life_ <= Life::kLastInput && replies_.HasRoom() && !HoldsTooMuch();
  }
  // Whether the request in `frame` should go by SendOnLease: its reply is likely to be large,
  // because this session's recent ones were, or the last one to the same request, whoever asked.
  bool WantsLease(std::string_view frame) const {
    const LargeReplies& large = context_.connections.large_replies();
    return replies_.typical_reply() > UpstreamConnection::kLargeReplyBytes ||
           (large.watching() && large.Expects(frame));
  }
  // What is sent from here on goes over connections of `variant`. False while requests in another
  // one are in flight, which it could overtake: the request at hand is to be presented again when
  // the session is empty.
  bool UseVariant(ConnectionVariant variant) {
    return variant == variant_ || SwitchVariant(variant);
  }
  // Sends over a connection of this session's own until the reply is complete; takes nothing more
  // until then. The session must have nothing in flight but this request, of which each fragment
  // may go so. While it streams (BeginUpload) `bytes` are only its beginning. When no lease is to
  // be had, or the request could overtake an earlier one that has expired, it fails if it streams
  // or is larger than large_request; a smaller one then goes as by Send.
  void SendOnLease(Fragment* fragment, uint32_t shard, std::string_view bytes) {
    SendOverLease(fragment, shard, bytes);
  }
  void SendOnLease(Fragment* fragment, uint32_t shard, ByteQueue&& frames) {
    SendOverLease(fragment, shard, std::move(frames));
  }
  // The next bytes of a request that streams over the lease; dropped once that request has failed.
  void SendMoreOnLease(Fragment* fragment, std::string_view bytes, bool last) {
    lease_.SendMore(fragment, bytes, last);
  }
  // A request streams over the lease: input is read at the shard's pace.
  void BeginUpload() { lease_.BeginUpload(); }
  void EndUpload();
  // The request that streams turned out to be none: ends the session with the error `encoded` in
  // the place of its reply, or at once when some of that is out.
  void BreakUpload(Request* request, std::string_view encoded);
  // Takes nothing more until every reply so far has been handed on; true when they have.
  bool WaitUntilEmpty() {
    replies_.WaitUntilEmpty();
    return replies_.empty();
  }

  // A new request at the end of the reply queue. `silent`: its reply is dropped.
  Request* NewRequest(bool silent) {
    Request* request = replies_.Add(this, silent);
    request->session_id = id_;
    return request;
  }
  // Sends a fragment of one of this session's requests, or fails it at once.
  template <typename Frames>
  void Send(Fragment* fragment, uint32_t shard, Frames&& frames) {
    if (context_.selector.ejected(shard)) return RefuseFragment(fragment, shard, Failure::kEjected);
    UpstreamConnection* connection = LastWay(shard);
    if (connection == nullptr) [[likely]] {
      connection = &context_.connections.Shared(shard, slot_, variant_);
    } else if (!MayFollow(*connection)) {
      return RefuseFragment(fragment, shard, Failure::kOutOfOrder);
    }
    context_.requests.Hold(fragment->request);
    replies_.CountSent(fragment->request, frames.size());
    Mark(fragment, frames);
    std::optional<Failure> refused = connection->Send(fragment, std::forward<Frames>(frames));
    if (refused.has_value()) [[unlikely]] {
      context_.requests.Release(fragment->request);
      RefuseFragment(fragment, shard, *refused);
    }
  }
  // Whether the proxy may answer one more request itself in this turn; if not, the request at hand
  // is to be presented again, and will be in the next turn.
  bool MayAnswer() { return answers_in_turn_ <= kAnswersPerTurn || MayAnswerOn(); }
  // An answer was made, at a cost like that of so many bytes.
  void CountAnswer(size_t bytes) { answers_in_turn_ += bytes; }
  // An answer of the proxy's own, in its place behind the replies before it.
  void Reply(std::string_view encoded);
  // Takes no more requests; ends when everything before is answered and written.
  void EndAfterReplies();

  // --- for the reply dispatcher ---

  void OnReplyPart(Request* request, const ReplyPart& part);
  void OnFragmentFailed(Request* request, Fragment* fragment, Failure failure);

  // --- for the owner ---

  // Ends it now. Unanswered requests stay unanswered.
  void Close();
  // Reads nothing more; ends when all requests that were read are answered and written.
  void EndAfterInput();
  // Nothing is read, pending or unsent: it may be closed. One that lingers is quiet as well.
  bool quiet() const { return replies_.empty() && stream_.unsent() == 0 && input_.empty(); }
  // The end of the last turn in which it did something.
  Moment last_active() const { return last_active_; }
  // Reply bytes held for this session.
  size_t unsent() const { return stream_.unsent() + replies_.gathered_bytes(); }
  // Bytes held for this session in all: its unsent replies, what it has begun to ask, and what
  // waits for a shard on a connection of its own.
  size_t held() const { return unsent() + input_.size() + state_->held_bytes() + lease_.unsent(); }
  // Looks again whether it may go on reading.
  void Resume();
  // Closes the session when a half-received request or half-sent reply has not moved for `limit`.
  // Called from time to time.
  void CheckProgress(Duration limit);

  size_t owner_index = 0;  // the owner's place for it

 private:
  // In this order; see above.
  enum class Life : uint8_t { kOpen, kLastInput, kLastReplies, kLingering, kClosed };

  // StreamOwner.
  void OnBytes(std::string_view bytes) override;
  void OnEnd() override;
  void OnStreamBroken(int error) override;
  void OnSent() override;
  // Goes on after what happened in this turn: takes, reads, or closes.
  void OnTurnEnd() override;

  // What may go on, judged anew each time.
  bool MayRead() const;
  bool IsOver() const;
  // More unsent output than a session may hold and go on asking: replies of the proxy's own wait
  // for no window.
  bool HoldsTooMuch() const { return unsent() > (context_.memory_pressure ? 0 : OutputToHoldAt()); }
  // Whether to read what cannot be taken yet: the client takes no replies, and may be one that
  // writes a whole pipeline before it reads. So much of that is kept as of replies.
  bool ReadsAhead() const {
    return HoldsTooMuch() && !context_.memory_pressure && !lease_.held() &&
           input_.rest().size() < OutputToHoldAt();
  }
  // Bytes of unsent output: half of its limit, as the pool has it at the time.
  uint64_t OutputToHoldAt() const { return context_.pool->config.session_output_limit / 2; }

  // Life goes on, never back.
  void Advance(Life life);
  size_t HandleInput(std::string_view input);
  void HandleHeldInput();
  void AfterInput();
  void UpdateReading();
  void EndIfOver();
  void Linger();
  void Discard();

  // Whether this turn is not the one whose share is used up: then it has its own. Else the session
  // rests until the next.
  bool MayAnswerOn();
  bool SwitchVariant(ConnectionVariant variant);
  // Where earlier requests of this session to a shard may wait, expired or on a connection that was
  // set aside: any other way could be faster, so the next one must follow on that connection, or be
  // refused. Null when there is none, or only the shared one, by which the next goes anyway unless
  // it takes a lease: see ExpiredOnShared.
  UpstreamConnection* LastWay(uint32_t shard) {
    if (!timed_out_ && set_aside_version_ == context_.connections.set_aside_version()) [[likely]] {
      return nullptr;
    }
    return FindLastWay(shard);
  }
  UpstreamConnection* FindLastWay(uint32_t shard);
  // The shared connection on which requests of this session that have expired may wait, or which
  // has to wait for such before it connects; else null.
  UpstreamConnection* ExpiredOnShared(uint32_t shard, ConnectionVariant variant) const;
  // Whether a request of this session is pending there, also one that has expired.
  bool WaitsOn(const UpstreamConnection& connection) const;
  // Whether a request may go over its last way, behind what waits there.
  bool MayFollow(const UpstreamConnection& last_way);
  template <typename Frames>
  void SendOverLease(Fragment* fragment, uint32_t shard, Frames&& frames);
  // So that it is known again if its reply is large.
  void Mark(Fragment* fragment, std::string_view frame) {
    LargeReplies& large = context_.connections.large_replies();
    if (large.watching()) [[unlikely]] {
      fragment->mark = large.MarkOf(frame);
    }
  }
  // What the proxy has written anew (split, inline or in a transaction) is not remembered.
  void Mark(Fragment* fragment, const ByteQueue& frames) {}
  void RefuseFragment(Fragment* fragment, uint32_t shard, Failure failure);
  void FinishFragment(Request* request);
  // The reply does not fit: takes the connection it comes from for itself, when nobody else waits
  // on it.
  void LeaseIfTooLarge(const ReplyPart& part);
  void EndLease();
  void EmitDone();
  void CheckOutput();

  SessionContext& context_;
  const uint64_t id_;
  const ConnectionSlot slot_;
  const int fd_;
  Stream stream_;
  HeldInput input_;
  ReplyQueue replies_;
  SessionLease lease_;
  std::unique_ptr<ProtocolState> state_;
  Moment last_active_;
  uint64_t progress_mark_ = 0;  // bytes in and out when progress was last seen
  Moment progress_at_{};

  // Of the connections, when nothing of this session waited on one that was set aside.
  uint64_t set_aside_version_;

  uint64_t answers_in_turn_ = 0;  // what the proxy's own answers cost since answers_turn_
  uint64_t answers_turn_ = 0;     // the turn of the loop from which on they count

  std::unique_ptr<Timer> linger_timer_;  // while it lingers
  uint64_t linger_until_ = 0;            // received bytes, likewise

  Life life_ = Life::kOpen;
  ConnectionVariant variant_ = ConnectionVariant::kBase;
  bool client_ended_ = false;  // it sends no more
  bool handling_ = false;      // inside the handler: replies are emitted when it is done
  bool timed_out_ = false;     // a request of its has expired, and may wait for its shard still
  bool switched_ = false;      // and later it went on in another variant
  bool rests_ = false;         // it has had its share of this turn
  bool input_waits_ = false;   // the handler stopped for want of room or of its turn, not of bytes
};

}  // namespace weir
