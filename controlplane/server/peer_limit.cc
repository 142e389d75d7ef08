#include "controlplane/server/peer_limit.h"

#include "proxy/base/strings.h"

namespace weir {

PeerLimit::Ticket::~Ticket() {
  if (limit_ != nullptr) limit_->Leave(peer_);
}

PeerLimit::Ticket& PeerLimit::Ticket::operator=(Ticket&& other) noexcept {
  std::swap(limit_, other.limit_);
  std::swap(peer_, other.peer_);
  return *this;
}

absl::StatusOr<PeerLimit::Ticket> PeerLimit::Enter(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  const auto of_peer = open_by_peer_.find(peer);
  const bool peer_is_full = of_peer != open_by_peer_.end() && of_peer->second >= limits_.per_peer;
  if (peer_is_full || open_ >= limits_.in_all) {
    return absl::ResourceExhaustedError(
        peer_is_full ? StrCat("found more ", what_, " from ", peer, ", expected at most ",
                              limits_.per_peer, " (", flags_, ")")
                     : StrCat("found more ", what_, ", expected at most ", limits_.in_all, " (",
                              flags_, ")"));
  }
  ++open_;
  ++open_by_peer_[peer];
  return Ticket(*this, peer);
}

void PeerLimit::Leave(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  --open_;
  const auto of_peer = open_by_peer_.find(peer);
  if (--of_peer->second == 0) open_by_peer_.erase(of_peer);
}

}  // namespace weir
