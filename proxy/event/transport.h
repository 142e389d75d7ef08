// Transport: how a stream's bytes meet its socket. Plain today; TLS slots in as a second one.
//
// Owned by its Stream, used on that stream's loop thread. It alone knows EAGAIN, what it has taken
// from the socket and not yet given, and how to say that nothing more will come; the stream sees
// four outcomes. Nothing here blocks. How it ends: destroyed, which closes the socket.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <utility>

#include "proxy/base/unique_fd.h"

namespace weir {

struct IoResult {
  enum class Status { kOk, kWouldBlock, kEnd, kError };
  Status status = Status::kOk;
  size_t bytes = 0;  // moved, when kOk
  int error = 0;     // errno, when kError
  // Of a read, when kOk: the transport holds more (a decrypted record is larger than what was asked
  // for), of which no event of the socket will tell.
  bool pending = false;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual IoResult Read(std::span<char> into) = 0;
  virtual IoResult Write(std::span<const iovec> pieces) = 0;
  // Tells the peer that nothing more will be written; reading goes on.
  virtual void EndOutput() = 0;
  // The socket to watch.
  virtual int fd() const = 0;
};

// Bytes as they are, over a connected socket.
class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(UniqueFd fd) : fd_(std::move(fd)) {}
  IoResult Read(std::span<char> into) override;
  IoResult Write(std::span<const iovec> pieces) override;
  void EndOutput() override;
  int fd() const override { return fd_.get(); }

 private:
  UniqueFd fd_;
};

}  // namespace weir
