// RequestHandler: what a protocol does with the bytes of a session. One protocol each.
//
// One per worker and pool, on the worker's thread. The session knows order, windows and limits; the
// handler knows frames and commands. Called per read, per failed fragment and per split reply, not
// per request.
//
// Owned by the pool's part of its worker (PoolRuntime) and outlives the sessions that use it; it
// ends with the last of them.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "proxy/base/byte_queue.h"
#include "proxy/config/snapshot.h"
#include "proxy/request/request.h"
#include "proxy/upstream/reply_sink.h"

namespace weir {

class Session;

// What a protocol keeps for one session.
struct ProtocolState {
  virtual ~ProtocolState() = default;
  // Bytes of requests that it keeps.
  virtual size_t held_bytes() const { return 0; }
};

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;

  virtual std::unique_ptr<ProtocolState> NewState() = 0;

  // Takes requests from the front of `input` until it ends, the session cannot take more
  // (Session::CanTake) or a frame is incomplete. Answers how many bytes it is done with; the
  // session presents the rest again, with more behind it.
  virtual size_t HandleInput(Session& session, std::string_view input) = 0;

  // Between turns: serves another state of the pool. The selector has been updated before.
  virtual void Update(PoolSnapshotPtr pool) = 0;

  // A shard of the pool refused ConnectionVariant::kNewer: from now on kBase is spoken to all of
  // them.
  virtual void OnVariantRefused() = 0;

  // Appends the reply for a fragment that failed.
  virtual void EncodeFailure(const Request& request, Failure failure, uint32_t shard,
                             ByteQueue* out) = 0;

  // Appends the reply of a split request, all of whose fragments have replied or failed.
  virtual void Merge(const Request& request, ByteQueue* out) = 0;
};

}  // namespace weir
