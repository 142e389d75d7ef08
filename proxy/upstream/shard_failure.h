// ShardFailure: what counts against a shard. A value; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

// Reported once per connection and silence, never per request; an idle close, an error reply and
// time spent queued in the proxy are none and are never reported.
enum class ShardFailure : uint8_t {
  kConnect,   // refused, or no connection in time
  kReset,     // closed or reset with requests pending
  kProtocol,  // answered with what is not the protocol, or what nobody asked for
  kSilence,   // a deadline passed with nothing received since that request was written
};

// For logs: `connect`, `reset`, `protocol_error`, `silence`.
std::string_view ShardFailureName(ShardFailure failure);

}  // namespace weir
