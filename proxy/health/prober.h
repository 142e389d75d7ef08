// Probe: asks once whether a shard serves. A new connection that introduces itself as any other
// (codec/handshake), then one question (codec/probe_question): the answer decides.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "proxy/base/chunk_pool.h"
#include "proxy/base/clock.h"
#include "proxy/base/socket_address.h"
#include "proxy/codec/handshake.h"
#include "proxy/codec/probe_question.h"
#include "proxy/codec/shard_protocol.h"
#include "proxy/event/event_loop.h"
#include "proxy/event/socket.h"
#include "proxy/event/stream.h"
#include "proxy/event/timer_queue.h"

namespace weir {

struct ProbeTarget {
  std::vector<ResolvedAddress> addresses = {};  // none: the probe fails
  ShardLogin login = {};
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
  void Ask();
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
  std::unique_ptr<Handshake> handshake_;   // until it is through
  std::optional<ProbeQuestion> question_;  // then
  Timer timer_;
};

}  // namespace weir
