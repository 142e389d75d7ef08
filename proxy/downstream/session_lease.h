// SessionLease: the connection to a shard that a session has for itself while a large request or
// reply passes, and the pace at which the two sides of it are read.
//
// A request that streams over it while it arrives is an upload; with half of one on it a connection
// is closed instead of given back. One with replies pending is late: it stays with the session,
// which sends behind what is pending there until that is nothing any more. For a request that has
// expired may still wait in front of its shard, and whatever its session asks that shard next by
// another way would overtake it. The large fragments of a split request, too, travel on late
// connections, one for each shard.
//
// A part of its Session, used on the worker's thread. What it holds are connections of
// PoolConnections: one from Begin or Take until End, and late ones until EndDrained or EndAll.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/base/byte_queue.h"
#include "proxy/codec/shard_protocol.h"
#include "proxy/upstream/fragment.h"
#include "proxy/upstream/pool_connections.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

class Session;

class SessionLease {
 public:
  // One side is read only while the other has at most this much unsent.
  static constexpr size_t kPaceBytes = 256 * 1024;

  // `connections` are borrowed and outlive the lease. `on_moved` is called after each progress with
  // the output of the connection that is held, and when a late one has nothing pending any more; it
  // may only take note.
  SessionLease(PoolConnections& connections, std::function<void()> on_moved)
      : connections_(connections), on_moved_(std::move(on_moved)) {}
  ~SessionLease();
  SessionLease(const SessionLease&) = delete;
  SessionLease& operator=(const SessionLease&) = delete;

  bool held() const { return connection_ != nullptr; }

  // Borrows a connection to `shard`, the late one if there is such; false when max_leases are lent.
  // REQUIRES: none is held; a late one is of `variant`.
  bool Begin(uint32_t shard, ConnectionVariant variant);
  // Makes the connection of a reply that does not fit the session's own. False when anybody but
  // `session` waits on it, or max_leases are lent. REQUIRES: none is held.
  bool Take(UpstreamConnection* connection, const Session* session);

  // Sends a request over it, or the beginning of one while it is an upload. Answers why not.
  std::optional<Failure> Send(Fragment* fragment, std::string_view bytes);
  std::optional<Failure> Send(Fragment* fragment, ByteQueue&& frames) {
    return connection_->Send(fragment, std::move(frames));
  }
  // The next bytes of the upload; dropped once it has failed.
  void SendMore(Fragment* fragment, std::string_view bytes, bool last);

  // The upload is as long as from the first byte of its request that is sent to the last one.
  bool uploading() const { return uploading_; }
  void BeginUpload() { uploading_ = true; }
  void EndUpload() { uploading_ = false; }
  // Bytes that shards have not taken yet, on any connection of the session's own.
  size_t unsent() const;
  // Whether the client of the upload may be read on.
  bool TakesMore() const { return connection_ == nullptr || connection_->unsent() <= kPaceBytes; }
  // Reads the shard's reply only while its client keeps up: it has `unsent` bytes to come.
  void PaceReply(size_t unsent) {
    if (connection_ != nullptr) connection_->SetReading(unsent <= kPaceBytes);
  }

  // Gives the connection back, if one is held; with half a request on it, it is closed, and with
  // replies pending it becomes late.
  void End();

  // Whether there are late connections, to any shard.
  bool any_late() const { return !late_.empty(); }
  // The late connection to a shard; null when there is none.
  UpstreamConnection* LateTo(uint32_t shard) const {
    if (late_.empty()) [[likely]] {
      return nullptr;
    }
    return FindLate(shard);
  }
  // Drops what is late on connections of before a reload: nothing that follows would wait for it.
  void DropRemoved();
  // Gives back the late ones on which nothing is pending.
  void EndDrained();
  // Gives everything back. What is pending may fail in the call.
  void EndAll();

 private:
  UpstreamConnection* FindLate(uint32_t shard) const;
  // A late one is held again.
  void Hold(UpstreamConnection* late);
  void CloseIfHalfSent();

  PoolConnections& connections_;
  const std::function<void()> on_moved_;
  UpstreamConnection* connection_ = nullptr;
  std::vector<UpstreamConnection*> late_;
  bool uploading_ = false;
  bool half_sent_ = false;  // the shard awaits the rest of a request
};

}  // namespace weir
