// SocketEnds: where the two ends of a connected socket are, for logs and for people. A value; any
// thread.
#pragma once

#include <string>

namespace weir {

// As of ResolvedAddress::ToString(); empty: it cannot be told.
struct SocketEnds {
  std::string peer;
  std::string local;
};

// Of the socket `fd`, which is borrowed. Two system calls.
SocketEnds EndsOf(int fd);

// The peer's alone.
std::string PeerOf(int fd);

}  // namespace weir
