// The server's side of one proxy's discovery stream: requests in, responses out.
//
//   first request -> NextResponse -> (on its way) -> ACK -> NextResponse -> ...
//
// One response is on its way at a time; what changes until its ACK is part of the next one, so that
// a slow proxy gets the latest state and nothing piles up. A response has what the proxy does not
// hold, by what it said when it came and has ACKed since.
//
// Pure but for ProxyState, which it shares with those who list proxies and wait for them. Not
// thread-safe: the stream's owner makes one call at a time. Ends with its destruction at any
// moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/cache/cached_resource.h"
#include "controlplane/cache/proxy_state.h"

namespace weir {

// What one request told, for metrics and the log.
struct RequestOutcome {
  bool opened = false;       // it was the first
  bool stale_nonce = false;  // it answered a response that is not on its way: ignored
  bool subscribed = false;   // it says what the proxy wants
  bool reported = false;
  std::optional<AckResult> answer;  // it ended the response that was on its way
};

// A response that shares the resources' bytes with all other streams.
struct OutgoingResponse {
  v1::DiscoveryResponse head;        // all but `changed`
  std::vector<ResourcePtr> changed;  // ascending by id: what is referred to comes first

  v1::DiscoveryResponse ToMessage() const;
  // ToMessage() as bytes, without encoding a resource again.
  std::string Encode() const;
};

class DiscoveryStream {
 public:
  struct Limits {
    size_t name_bytes = 253;  // node id, zone, build, a capability, a resource's name
    size_t fleet_bytes = 63;
    size_t capabilities = 64;
    // Pool, Endpoints and Secret of as many pools as there may be (ControlPlane), and some more.
    size_t held = 50'000;
    size_t version_bytes = 64;
    size_t pools = 10'000;  // of a subscription
    size_t reported_shards = 100'000;
    size_t response_bytes = 1 << 20;  // about; a resource is never cut
  };

  explicit DiscoveryStream(ProxyPtr proxy);
  DiscoveryStream(ProxyPtr proxy, const Limits& limits);

  // INVALID_ARGUMENT when the request breaks the protocol or a limit; the stream is to end with
  // that status, and no other call but the destructor follows. `now` dates a report.
  absl::StatusOr<RequestOutcome> OnRequest(const v1::DiscoveryRequest& request, absl::Time now);

  // What to send now, and then regarded as sent; nothing before the first request, while a response
  // is on its way, or when the proxy misses nothing. The first one may be without resources: it
  // says that nothing is missing. `view`: of the proxy's fleet.
  std::optional<OutgoingResponse> NextResponse(const FleetView& view);

  bool open() const { return open_; }
  bool in_flight() const { return in_flight_.has_value(); }
  const ProxyPtr& proxy() const { return proxy_; }

 private:
  struct InFlight {
    std::string nonce;
    std::vector<ResourcePtr> changed;
    std::vector<v1::RemovedResource> removed;
  };

  absl::Status Check(const v1::DiscoveryRequest& request) const;
  absl::Status CheckFirst(const v1::DiscoveryRequest& request) const;
  absl::Status CheckNode(const v1::Node& node) const;
  absl::Status CheckHeld(const v1::DiscoveryRequest& request) const;
  absl::Status CheckSubscription(const v1::Subscription& subscription) const;
  absl::Status CheckReport(const v1::Report& report) const;
  void Open(const v1::DiscoveryRequest& request);
  void OnAck(const v1::Ack& ack, RequestOutcome& outcome);

  const ProxyPtr proxy_;
  const Limits limits_;
  bool open_ = false;
  uint64_t responses_ = 0;
  std::optional<InFlight> in_flight_;
};

}  // namespace weir
