// FakeShards: redis servers that answer every GET with who they are, so that a test sees where a
// proxy sent a key. Many shards on one thread; each is an address of its own.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/sockets.h"

namespace weir {

// GET is answered with the shard's index as a bulk string, PING with +PONG (until told otherwise),
// anything else with an error. The shards serve from construction to destruction on a thread of the
// object's own. Methods may be called from one thread at a time.
class FakeShards {
 public:
  // `count` shards on ports of 127.0.0.1 that the kernel chooses, or on Unix sockets in
  // `directory`.
  explicit FakeShards(size_t count);
  FakeShards(size_t count, const std::string& directory);
  ~FakeShards();
  FakeShards(const FakeShards&) = delete;
  FakeShards& operator=(const FakeShards&) = delete;

  // Where a shard listens, for good: nobody else is given its port while this object lives.
  const Address& address(size_t shard) const;

  // As from a host that was shut down: connections to the shard are closed and new ones refused. On
  // return that has happened.
  void Stop(size_t shard);
  // As from a host that is back, at the same address.
  void Start(size_t shard);

  // What PING is answered with from now on: a whole reply, or nothing at all for "".
  void SetPingAnswer(size_t shard, std::string answer);

 private:
  class Server;
  std::vector<Address> addresses_;
  std::unique_ptr<Server> server_;
};

}  // namespace weir
