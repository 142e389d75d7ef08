// What a client is told, in its protocol, that is refused before it could say anything.
#pragma once

#include <string_view>

#include "proxy/codec/shard_protocol.h"

namespace weir {

// It is one more than client_connections, or than there are files for. redis' own words.
constexpr std::string_view TooManyClients(Protocol protocol) {
  switch (protocol) {
    case Protocol::kRedis:
      return "-ERR max number of clients reached\r\n";
  }
  return {};
}

}  // namespace weir
