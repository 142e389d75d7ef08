// AdsClient: keeps a discovery stream to one of several control planes, and what came down it in
// force.
//
//   connect -> first request -> response -> Apply (every worker serves it) -> ACK or NACK -> ...
//
// The controls are tried in turn, each address of a name as one of them: the next at once when one
// that served for a while is gone, else, when all were tried, after a jittered, doubling wait,
// which is short when one of them answered last. What is in force stays while there is none.
//
// Created, used and destroyed on the thread of `loop`, where all of its callbacks run, too; gRPC's
// threads only post there. It waits for those alone that are about to leave a stream that has
// ended, and in the destructor, which cancels the stream.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/resource_id.h"
#include "proto/weir/v1/discovery.pb.h"
#include "proxy/base/resolver.h"
#include "proxy/event/event_loop.h"
#include "proxy/event/timer_queue.h"
#include "proxy/xds/backoff.h"
#include "proxy/xds/control_turns.h"
#include "proxy/xds/snapshot_decoder.h"
#include "proxy/xds/subscription_state.h"

namespace weir {

// How a control plane is talked to. Files are read for each connection.
struct ControlCredentials {
  std::string ca_file;  // PEM; empty: plain text
  std::string cert_file;
  std::string key_file;
  std::string token_file;  // a bearer token; empty: none

  friend bool operator==(const ControlCredentials&, const ControlCredentials&) = default;
};

struct AdsOptions {
  std::vector<std::string> controls;  // "host:port", tried in turn; never empty, checked
  ControlCredentials credentials;
  v1::Node node;
  std::vector<std::string> pools;          // of the node's fleet, to subscribe to; none: all
  std::vector<v1::Resource> restored;      // in force already
  Resolver::Lookup lookup = SystemLookup;  // of the names among `controls`
};

// What the client needs of the process. Called on the loop's thread; outlives the client.
class AdsHandler {
 public:
  virtual ~AdsHandler() = default;
  // Puts `change` in force in every worker; returns what of it was refused.
  virtual std::vector<v1::ResourceError> ApplyChange(const HeldResources& held,
                                                     const ResourceChange& change) = 0;
  // After a change: what is in force from now on.
  virtual void OnHeldChanged(const HeldResources& held) = 0;
  // Before each attempt to connect, until a control plane has answered: what else of the last good
  // state has come into force.
  virtual std::vector<v1::Resource> RestoreMore(const HeldResources& held) = 0;
  // What the proxy has to tell; `applied` is filled in by the client.
  virtual v1::Report MakeReport() = 0;
};

class AdsClient {
 public:
  AdsClient(EventLoop& loop, AdsOptions options, AdsHandler& handler);
  ~AdsClient();
  AdsClient(const AdsClient&) = delete;
  AdsClient& operator=(const AdsClient&) = delete;

  // Begins to connect. Once.
  void Start();

  // Something happened that is to be told at once, such as an ejection.
  void ReportSoon();

  // Begins a new stream at the same control plane, which then offers again what was refused. False
  // when there is none that has answered: the next one will offer it.
  bool Renew();

 private:
  class Stream;

  // At the address whose turn it is; looks for one first where there is none.
  void Connect();
  void LookUp();
  // Posted by the resolver. Only the last look-up counts.
  void OnLookedUp(uint64_t number, const absl::StatusOr<Addresses>& addresses);
  // Posted by the stream.
  void OnResponse(v1::DiscoveryResponse response);
  // The attempt is over. `is_normal`: the control plane ended the stream with OK; the proxy is to
  // come again.
  void OnEnded(const std::string& error, bool is_normal = false);
  // The attempt at `address` of `control` is over; empty: it has none.
  void LogEnd(const std::string& control, const std::string& address, const std::string& error,
              bool is_normal, absl::Duration wait) const;

  void Perform(SubscriptionStep step);
  void Report();
  void AddApplied(v1::Report& report);
  // The addresses, or the first response, take too long.
  void GiveUp();

  EventLoop& loop_;
  const AdsOptions options_;
  AdsHandler& handler_;
  const std::string instance_;  // tells the control plane which process this is
  SubscriptionState state_;
  Backoff backoff_;
  ControlTurns turns_;
  uint64_t look_ups_ = 0;
  std::unique_ptr<Stream> stream_;  // null between two
  bool answered_ = false;           // the stream's server has
  bool ever_answered_ = false;
  bool renewing_ = false;  // the stream is cancelled for another one
  Moment answered_at_{};
  Moment last_report_{};
  ResourceId last_applied_;  // of those that the last report had
  Timer connect_timer_;
  Timer answer_timer_;
  Timer report_timer_;
  Resolver resolver_;
  // Gone when the client is: what was posted to it then does nothing.
  std::shared_ptr<AdsClient*> self_;
};

}  // namespace weir
