// Connector: gets a connection its socket, again and again.
//
// An attempt tries the shard's addresses in turn, beginning with the one that worked last, and is
// over when its owner says that the connection serves. One that fails is followed by a back-off,
// each twice as long as the last, 50 ms up to a second, and then by the next attempt, if the owner
// lets it.
//
//   kIdle --Connect--> kConnecting --OnConnected--> kProving --Succeed--> kIdle
//                       |   |  \_______BackOff_________/
//            MustWait   v   |              v
//               kHeld --^   ^--timer-- kBackingOff
//
// A member of its UpstreamConnection, used on that loop's thread, never blocks. Its owner is told
// nothing from inside Connect. How it ends: Cancel, or destroyed; a socket not handed over closes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/unique_fd.h"
#include "proxy/event/event_loop.h"

namespace weir {

// Whose fault it is that no address could be connected to.
enum class ConnectFailure : uint8_t {
  kShard,  // of one address at least: refused, too late, or there is none
  kOwn,    // the proxy has no descriptor, memory or local port left for a socket
};

// For logs.
struct ShardLabel {
  std::string pool;
  std::string shard;
};

class ConnectorOwner {
 public:
  virtual ~ConnectorOwner() = default;
  // A socket, connected. The owner finds out whether the shard serves, and calls Succeed or
  // BackOff.
  virtual void OnConnected(UniqueFd socket) = 0;
  // No address could be connected to, or the attempt took too long. The owner calls BackOff.
  virtual void OnConnectFailed(ConnectFailure failure) = 0;
  // Whether a back-off that is over is followed by an attempt; if not, it is asked again later.
  virtual bool MayConnectAgain() const = 0;
  // Asked before each address is tried: whether it is to wait until LetGo.
  virtual bool MustWait() = 0;
};

class Connector final : private IoHandler {
 public:
  // `addresses`, `limit`, of one attempt, and `label` are the owner's and may change between turns.
  // A shard without an address (a name that is not resolved yet) is waited for.
  Connector(EventLoop& loop, const std::vector<ResolvedAddress>& addresses, const Duration& limit,
            const ShardLabel& label, ConnectorOwner& owner);
  ~Connector() override;

  // Begins an attempt, from kIdle or before the back-off is over; else without effect.
  void Connect();
  // The attempt is over: the connection serves, and its address is kept to.
  void Succeed();
  // The attempt is over, without success. The next one begins by itself, unless the owner forbids
  // it (MayConnectAgain): then Connect begins it, or the owner's change of mind, within a second.
  void BackOff();
  // Stops whatever goes on.
  void Cancel();

  // Begins the attempt that had to wait, which may have to again.
  void LetGo();

  // Goes on where an address was wanted. There is still none: the attempt has failed. Else the one
  // in use is kept to, whatever its new place among them.
  void OnAddressesChanged();

  // The one that it is connected to or tries, or did last, be it among the owner's still or not;
  // null: none so far.
  const ResolvedAddress* address() const { return address_.length == 0 ? nullptr : &address_; }
  bool backing_off() const { return state_ == State::kBackingOff; }
  bool held() const { return state_ == State::kHeld; }

 private:
  enum class State : uint8_t { kIdle, kHeld, kConnecting, kProving, kBackingOff };

  void OnReady(Readiness ready) override;
  void OnTimer();
  void Begin();
  // Tries those that this attempt has not tried yet.
  void TryNextAddress();
  void CloseSocket();

  EventLoop& loop_;
  const std::vector<ResolvedAddress>& addresses_;
  const Duration& limit_;
  const ShardLabel& label_;
  ConnectorOwner& owner_;
  State state_ = State::kIdle;
  uint32_t failed_attempts_ = 0;                   // in a row
  size_t in_use_ = 0;                              // of the addresses, modulo their number
  ResolvedAddress address_;                        // a copy of it: they may change meanwhile
  size_t untried_ = 0;                             // addresses, in this attempt
  ConnectFailure failure_ = ConnectFailure::kOwn;  // of the attempt, as far as it has come
  UniqueFd socket_;                                // while kConnecting
  Timer timer_;                                    // ends the attempt, or the back-off
};

}  // namespace weir
