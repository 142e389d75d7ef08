// SessionLease: the connection to a shard that a session has for itself while a large request or
// reply passes, and the pace at which the two sides of it are read.
//
// A part of its Session, used on the worker's thread. Holds a connection of PoolConnections from
// Begin or Take until End, or none. A request that streams over it while it arrives is an upload:
// while that lasts the shard has half a request, and End closes the connection instead of giving it
// back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/upstream/fragment.h"
#include "proxy/upstream/pool_connections.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

class Session;

class SessionLease {
 public:
  // One side is read only while the other has at most this much unsent.
  static constexpr size_t kPaceBytes = 256 * 1024;

  // `connections` are borrowed and outlive the lease.
  explicit SessionLease(PoolConnections& connections) : connections_(connections) {}
  ~SessionLease();
  SessionLease(const SessionLease&) = delete;
  SessionLease& operator=(const SessionLease&) = delete;

  bool held() const { return connection_ != nullptr; }

  // Borrows a connection to `shard`; false when max_leases are lent. `on_sent` is called after each
  // progress with its output. REQUIRES: none is held.
  bool Begin(uint32_t shard, RespVersion version, absl::AnyInvocable<void()> on_sent);
  // Makes the shared connection of a reply that does not fit the session's own. False when anybody
  // but `session` waits on it, or max_leases are lent. REQUIRES: none is held.
  bool Take(UpstreamConnection* connection, const Session* session);

  // Sends a request over it, or the beginning of one while it is an upload. Answers why not.
  std::optional<Failure> Send(Fragment* fragment, std::string_view bytes);
  // The next bytes of the upload; dropped once it has failed.
  void SendMore(Fragment* fragment, std::string_view bytes, bool last);

  // The upload is as long as from the first byte of its request that is sent to the last one.
  bool uploading() const { return uploading_; }
  void BeginUpload() { uploading_ = true; }
  void EndUpload() { uploading_ = false; }
  // Whether the client of the upload may be read on.
  bool TakesMore() const { return connection_ == nullptr || connection_->unsent() <= kPaceBytes; }
  // Reads the shard's reply only while its client keeps up: it has `unsent` bytes to come.
  void PaceReply(size_t unsent) {
    if (connection_ != nullptr) connection_->SetReading(unsent <= kPaceBytes);
  }

  // Gives the connection back, if one is held; with half a request on it, it is closed. What is
  // pending there may fail in the call.
  void End();

 private:
  PoolConnections& connections_;
  UpstreamConnection* connection_ = nullptr;
  bool uploading_ = false;
};

}  // namespace weir
