// PeerLimit: how much may be open at once, in all and for one peer, so that nobody takes
// everything.
//
// Thread-safe. What is let in holds a Ticket, whose end lets the next one in; tickets may outlive
// nothing: the limit outlives them.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace weir {

class PeerLimit {
 public:
  // At least 1 each.
  struct Limits {
    size_t in_all;
    size_t per_peer;
  };

  // One place; moved from, or default: none.
  class Ticket {
   public:
    Ticket() = default;
    ~Ticket();
    Ticket(Ticket&& other) noexcept
        : limit_(std::exchange(other.limit_, nullptr)), peer_(std::move(other.peer_)) {}
    Ticket& operator=(Ticket&& other) noexcept;
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    friend class PeerLimit;
    Ticket(PeerLimit& limit, std::string peer) : limit_(&limit), peer_(std::move(peer)) {}

    PeerLimit* limit_ = nullptr;
    std::string peer_;
  };

  // `what` is limited, in the plural, and `flags` set the limits: for error texts.
  PeerLimit(const Limits& limits, std::string what, std::string flags)
      : limits_(limits), what_(std::move(what)), flags_(std::move(flags)) {}
  PeerLimit(const PeerLimit&) = delete;
  PeerLimit& operator=(const PeerLimit&) = delete;

  // RESOURCE_EXHAUSTED when there is no place for this peer.
  absl::StatusOr<Ticket> Enter(const std::string& peer);

 private:
  void Leave(const std::string& peer);

  const Limits limits_;
  const std::string what_;
  const std::string flags_;
  std::mutex mutex_;
  size_t open_ = 0;
  std::map<std::string, size_t> open_by_peer_;  // none is 0
};

}  // namespace weir
