// Probe: asks once whether a shard serves. A new connection, AUTH and SELECT as the pool says, then
// PING; success is +PONG and nothing else: a shard that is loading its data does not serve yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "proxy/base/chunk_pool.h"
#include "proxy/base/clock.h"
#include "proxy/base/socket_address.h"
#include "proxy/event/event_loop.h"
#include "proxy/event/socket.h"
#include "proxy/event/stream.h"
#include "proxy/event/timer_queue.h"
#include "proxy/upstream/handshake.h"

namespace weir {

struct ProbeTarget {
  std::vector<ResolvedAddress> addresses = {};  // none: the probe fails
  std::string auth = {};                        // password; empty: none
  uint32_t db = 0;
  Duration timeout = std::chrono::seconds(1);  // for each address
};

// Owned by the health owner, used on its loop's thread; never blocks. The addresses are tried in
// turn until one succeeds; one that closes the connection is tried again, a few times at once:
// CLIENT KILL does not spare probes. `done` runs exactly once, never inside the constructor;
// destroying the probe first cancels it, and inside `done` it may be given to DeleteLater.
class Probe final : private StreamOwner, private IoHandler {
 public:
  // OK, or what the last address that was tried answered. kResourceExhausted: the proxy could not
  // ask any, for want of sockets.
  using Done = absl::AnyInvocable<void(const absl::Status&)>;

  // `loop` and `chunks` are borrowed.
  Probe(EventLoop& loop, ChunkPool& chunks, ProbeTarget target, Done done);
  ~Probe() override;

 private:
  static constexpr size_t kMaxAnswer = 512;
  static constexpr int kTries = 3;

  void OnReady(Readiness ready) override;  // the outcome of a connect
  void OnBytes(std::string_view bytes) override;
  void OnEnd() override;
  void OnStreamBroken(int error) override;
  void OnSent() override {}

  void OnTimer();
  void OnLost(std::string_view error);
  void TryNextAddress();
  void OnConnected();
  void OnHandshakeBytes(std::string_view bytes);
  void SendPing();
  // The address is no good: the next one, if there is one.
  void Fail(std::string_view error);
  void Finish(const absl::Status& result);
  void Disconnect();

  EventLoop& loop_;
  ChunkPool& chunks_;
  const ProbeTarget target_;
  Done done_;
  size_t next_address_ = 0;
  int tries_ = 0;       // of the address in use
  std::string error_;   // of the address tried last
  bool asked_ = false;  // of some address something is known
  UniqueFd connecting_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Handshake> handshake_;  // until it is through
  std::string answer_;                    // to PING
  Timer timer_;
};

}  // namespace weir
