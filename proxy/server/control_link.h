// ControlLink: the process's side of the control plane — it hands what comes down the stream to the
// pools, keeps the last good state, and tells of the process.
//
// A pool whose name or address something else has is refused, and asked for again when that may
// have gone: it is looked for every second, and the stream is begun anew then. One of the last good
// state is tried again before each attempt to connect, as long as no control plane has answered.
//
// Made by the ProxyProcess when there is a --control; main thread. How it ends: the destructor ends
// the stream and lets the last good state reach the disk, or gives up after a second; the pools
// serve on.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "proxy/event/event_loop.h"
#include "proxy/event/timer_queue.h"
#include "proxy/server/live_pools.h"
#include "proxy/server/options.h"
#include "proxy/server/server.h"
#include "proxy/xds/ads_client.h"
#include "proxy/xds/backoff.h"
#include "proxy/xds/last_good_state.h"

namespace weir {

class ControlLink final : private AdsHandler {
 public:
  // Serves the last good state, if there is one, and begins to connect. The rest is borrowed.
  // Fails when the state's directory is not to be had.
  static absl::StatusOr<std::unique_ptr<ControlLink>> Start(const Options& options, EventLoop& loop,
                                                            Server& server, LivePools& pools);
  ~ControlLink() override;

  // A shard was ejected, or is back.
  void OnHealthChanged();
  // The file's pools are others: what one of them stood in the way of is asked for at once.
  void OnFileChanged() { RetryBlocked(); }
  // From here on nothing changes any more: the process drains. The stream goes on, and refuses what
  // comes, so that nobody takes the clients that are left for served by a later state.
  void BeginDrain() { draining_ = true; }

 private:
  ControlLink(const Options& options, EventLoop& loop, Server& server, LivePools& pools);

  // The resources of the last good state that are in force then.
  std::vector<v1::Resource> Restore();
  // Secrets that are not to be on the disk any more go from there, not from `state`.
  void TakeSecretsFromDisk(const v1::LastGoodState& state);
  // Tries what of the last good state is not in force; what is then.
  std::vector<v1::Resource> TryRestoring(const HeldResources& held);

  // Asks for the blocked pools when some of them could be served by now.
  void RetryBlocked();

  // AdsHandler.
  std::vector<v1::ResourceError> ApplyChange(const HeldResources& held,
                                             const ResourceChange& change) override;
  void OnHeldChanged(const HeldResources& held) override;
  std::vector<v1::Resource> RestoreMore(const HeldResources& held) override;
  v1::Report MakeReport() override;

  const Options& options_;
  EventLoop& loop_;
  Server& server_;
  LivePools& pools_;
  std::unique_ptr<LastGoodState> state_;  // null: none is kept
  std::unique_ptr<AdsClient> client_;
  ResourceChange unrestored_;  // of the last good state, and refused
  // Pools as they were to be served, whose name or address something else had.
  LivePools::Pools blocked_;
  Backoff retry_backoff_;  // of new streams for them
  Timer retry_timer_;
  Moment last_report_;
  uint64_t requests_at_last_report_ = 0;
  int next_reported_shard_ = 0;
  bool draining_ = false;
};

}  // namespace weir
