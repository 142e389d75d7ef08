// RespClient: a blocking redis client for tests, with pipelining.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/resp.h"
#include "tests/support/sockets.h"

namespace weir {

// One connection. Nothing waits longer than 20 s. Not thread-safe.
class RespClient {
 public:
  // Tries until somebody listens, for at most 20 s; after that Ask() gives no replies.
  explicit RespClient(const Address& address);

  // Sends all of `requests` (encoded, one or many) and reads `replies` replies. Fewer come back
  // when the connection ends or nothing arrives for 20 s. Replies must fit into the socket's
  // buffers while the requests are still being written.
  std::vector<Reply> Ask(std::string_view requests, size_t replies);

  // One GET; nothing when the connection has ended.
  std::optional<Reply> Get(std::string_view key);

  // Waits without asking anything until the other side has ended the connection; false when it
  // sends something or does not end within 20 s.
  bool IsEnded();

 private:
  bool Send(std::string_view bytes);
  bool Receive();

  OwnedFd socket_;
  std::string input_;
};

}  // namespace weir
