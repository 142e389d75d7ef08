// Session: one downstream conversation. Bytes in → requests; replies → bytes out, in request order.
//
// Owned by its SessionOwner, used on one worker's loop thread, never blocks. It knows no protocol:
// the pool's RequestHandler reads requests from its input and calls back to send them or to answer.
// How it ends: the client leaves and its last reply is out; QUIT; a broken limit; a socket error;
// Close. Then OnSessionClosed is called once, and replies still on their way are discarded by
// position while the upstream connections stay.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/base/byte_queue.h"
#include "proxy/downstream/request_handler.h"
#include "proxy/downstream/session_context.h"
#include "proxy/event/stream.h"
#include "proxy/request/request.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

class Session final : private StreamOwner, private TurnEndHandler {
 public:
  // Requests in flight: at the beginning, and at most.
  static constexpr uint32_t kFirstWindow = 32;
  static constexpr uint32_t kLargestWindow = 4096;
  // A reply up to this size is gathered before it is passed on, so that a shard that fails in the
  // middle of it costs an error and not the session.
  static constexpr size_t kGatherBytes = 16384;
  // A session whose replies are larger than this gets a lease for its next request.
  static constexpr uint64_t kLeaseReplyBytes = 1 << 20;
  // On a lease one side is read only while the other has less than this unsent.
  static constexpr size_t kPaceBytes = 256 * 1024;

  Session(SessionContext& context, uint64_t id, std::unique_ptr<Transport> transport);
  ~Session() override;

  // --- for the request handler ---

  SessionContext& context() { return context_; }
  ProtocolState& state() { return *state_; }
  uint64_t id() const { return id_; }
  int fd() const { return fd_; }
  uint32_t in_flight() const { return in_flight_; }

  // Whether more requests may be taken now; when not, HandleInput is called again once they may.
  bool CanTake() const {
    return in_flight_ < window_ && !ending_ && !closed_ && !waits_until_empty_ && !HoldsTooMuch();
  }
  // Whether the next request should go by SendOnLease: recent replies were large.
  bool wants_lease() const { return typical_reply_ > kLeaseReplyBytes; }
  // Sends over a connection of this session's own until the reply is complete. The session must
  // have nothing in flight but this request. While a request streams (BeginUpload) `bytes` are only
  // its beginning, and it fails when no lease is to be had; any other then goes as by Send.
  void SendOnLease(Fragment* fragment, uint32_t shard, RespVersion version, std::string_view bytes);
  // The next bytes of a request that streams over the lease; dropped once that request has failed.
  void SendMoreOnLease(Fragment* fragment, std::string_view bytes, bool last);
  // A request streams over the lease: input is read at the shard's pace.
  void BeginUpload() { uploading_ = true; }
  void EndUpload();
  // Takes nothing more until every reply so far has been handed on.
  void WaitUntilEmpty() { waits_until_empty_ = in_flight_ > 0; }

  // A new request at the end of the reply queue. `silent`: its reply is dropped.
  Request* NewRequest(bool silent);
  // Sends a fragment of one of this session's requests, or fails it at once.
  template <typename Frames>
  void Send(Fragment* fragment, uint32_t shard, RespVersion version, Frames&& frames) {
    if (context_.selector.ejected(shard)) return RefuseFragment(fragment, shard, Failure::kEjected);
    UpstreamConnection& connection = context_.connections.Shared(shard, slot_, version);
    context_.requests.Hold(fragment->request);
    std::optional<Failure> refused = connection.Send(fragment, std::forward<Frames>(frames));
    if (refused.has_value()) [[unlikely]] {
      context_.requests.Release(fragment->request);
      RefuseFragment(fragment, shard, *refused);
    }
  }
  // An answer of the proxy's own, in its place behind the replies before it.
  void Reply(std::string_view encoded);
  // Takes no more requests; closes when everything before is answered and written.
  void EndAfterReplies();

  // --- for the reply dispatcher ---

  void OnReplyPart(Request* request, const ReplyPart& part);
  void OnFragmentFailed(Request* request, Fragment* fragment, Failure failure);

  // --- for the owner ---

  // Ends it now. Unanswered requests stay unanswered.
  void Close();
  // Reads nothing more; closes when all requests that were read are answered and written.
  void EndAfterInput();
  // Nothing is read, pending or unsent.
  bool quiet() const { return in_flight_ == 0 && stream_.unsent() == 0 && input_.empty(); }
  // The end of the last turn in which it did something.
  Moment last_active() const { return last_active_; }
  // Reply bytes held for this session.
  size_t unsent() const { return stream_.unsent() + gathered_bytes_; }
  // Looks again whether it may go on reading.
  void Resume();
  // Closes the session when a half-received request or half-sent reply has not moved for `limit`.
  // Called from time to time.
  void CheckProgress(Duration limit);

  size_t owner_index = 0;  // the owner's place for it

 private:
  // StreamOwner.
  void OnBytes(std::string_view bytes) override;
  void OnEnd() override;
  void OnStreamBroken(int error) override;
  void OnSent() override;
  // Reads on after replies made room.
  void OnTurnEnd() override;

  // More unsent output than a session may hold and go on asking: replies of the proxy's own wait
  // for no window.
  bool HoldsTooMuch() const { return unsent() > (context_.memory_pressure ? 0 : hold_at_); }

  size_t HandleInput(std::string_view input);
  void HandleHeldInput();
  // Takes the connection for itself when nobody else waits on it.
  void TakeAsLease(UpstreamConnection* connection);
  void PaceLease();
  void EndLease();
  void KeepInput(std::string_view rest);
  void UpdateReading();

  void RefuseFragment(Fragment* fragment, uint32_t shard, Failure failure);
  void AppendReply(Request* request, const ReplyPart& part);
  // Of a request whose merged reply would be larger than session_output_limit.
  void DropReplies(Split& split);
  void FinishFragment(Request* request, Fragment* fragment);
  void EmitDone();
  void Emit(Request* request);
  void NoteReplySize(uint64_t bytes);
  void CheckOutput();
  void CloseIfOver();

  SessionContext& context_;
  const uint64_t id_;
  const ConnectionSlot slot_;
  const int fd_;
  const size_t hold_at_;  // bytes of unsent output: half of its limit
  Stream stream_;
  std::unique_ptr<ProtocolState> state_;
  std::string input_;       // an unfinished request, or what the window holds back
  size_t input_begin_ = 0;  // done with so far

  Request* head_ = nullptr;  // the reply queue, in request order
  Request* tail_ = nullptr;
  uint32_t in_flight_ = 0;  // requests in it
  uint32_t window_ = kFirstWindow;
  uint64_t typical_reply_ = 0;  // bytes; jumps up, falls slowly
  uint64_t head_passed_on_ = 0;
  size_t gathered_bytes_ = 0;  // of replies that are not at the head, or not complete
  Moment last_active_;
  UpstreamConnection* lease_ = nullptr;  // lent to this session alone
  uint64_t progress_mark_ = 0;           // bytes in and out when progress was last seen
  Moment progress_at_{};

  bool handling_ = false;     // inside HandleInput
  bool uploading_ = false;    // a request streams over the lease
  bool held_back_ = false;    // input waits for the window
  bool input_waits_ = false;  // the handler stopped for want of room, not of bytes
  bool waits_until_empty_ = false;
  bool peer_ended_ = false;  // the client sends no more, or is read no more
  bool ending_ = false;
  bool closed_ = false;
};

}  // namespace weir
