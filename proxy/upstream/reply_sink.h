// What upstream connections tell the layers above: replies and failures of fragments, and whether a
// shard works; and what they ask of it. Implemented by the worker (ReplySink) and by its part of
// each pool (ShardObserver), which outlive the connections; all calls come on the worker's loop.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/upstream/fragment.h"
#include "proxy/upstream/shard_failure.h"

namespace weir {

class UpstreamConnection;

// Why a fragment got no reply.
enum class Failure : uint8_t {
  kUnavailable,     // not connected, and backing off
  kRefused,         // the same, because the shard refuses what a connection says first
  kNoSocket,        // the same, because the proxy has no descriptor, memory or port for it
  kOverloaded,      // too much is queued already for a shard that does not answer
  kReset,           // the connection was lost
  kOutOfOrder,      // it could overtake an expired request of its session
  kProtocol,        // the shard sent what is not the protocol
  kSilent,          // nothing came for shard_silence_limit
  kTimedOut,        // the deadline passed; a write may still take effect
  kTimedOutUnsent,  // the deadline passed before the first byte was written
  kEjected,         // the shard is ejected, and the pool fails fast
  kNoLease,         // max_leases connections are leased already
  kVariantRefused,  // the shard knows the base variant only; asked again, that serves the session
  kRemoved,         // the shard or the pool left the configuration
};

// The next bytes of a fragment's reply. `bytes` last until the call returns.
struct ReplyPart {
  Fragment* fragment;
  std::string_view bytes;
  bool last;  // the reply ends here, and the fragment has left the connection
  // Bytes that are sure to follow, as announced by the value in progress.
  uint64_t announced;
  UpstreamConnection* connection;  // where it came from
};

class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // Parts in the order in which they arrived; a batch for each read.
  virtual void OnReplyParts(std::span<const ReplyPart> parts) = 0;
  // No reply will come: exactly once for each fragment without a last part. Its state is kDone, or
  // kExpired: then OnFragmentReleased follows when it has left the connection.
  virtual void OnFragmentFailed(Fragment* fragment, Failure failure) = 0;
  virtual void OnFragmentReleased(Fragment* fragment) = 0;
};

class ShardObserver {
 public:
  virtual ~ShardObserver() = default;
  virtual void OnShardFailure(uint32_t shard, ShardFailure failure) = 0;
  // The first reply after a failure.
  virtual void OnShardSuccess(uint32_t shard) = 0;
  // The shard closed a connection of which nothing was wanted. No failure of its.
  virtual void OnIdleClose(uint32_t shard) = 0;
  // The shard knows ConnectionVariant::kBase only. No failure of its.
  virtual void OnVariantRefused(uint32_t shard) = 0;
  // More than UpstreamConnection::kLargeReplyBytes of one reply came, or are sure to come. Told
  // once for each such reply that does not arrive in one read.
  virtual void OnLargeReply(UpstreamConnection& connection) = 0;
  // Whether the shard is ejected: until it is back, nobody but the health owner's probes connects
  // to it.
  virtual bool IsEjected(uint32_t shard) const = 0;
  // Whether a connection that is about to connect has to wait, because requests of before a reload
  // are still under way where it would. If so, its LetGo is called when it is to ask again.
  virtual bool MustWait(UpstreamConnection& connection) = 0;
};

}  // namespace weir
