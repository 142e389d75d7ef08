#include "proxy/event/transport.h"

#include <sys/socket.h>

#include <cerrno>

namespace weir {
namespace {

IoResult FromError(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR) {
    return {.status = IoResult::Status::kWouldBlock};
  }
  return {.status = IoResult::Status::kError, .error = error};
}

}  // namespace

IoResult PlainTransport::Read(std::span<char> into) {
  ssize_t got = recv(fd_.get(), into.data(), into.size(), 0);
  if (got < 0) return FromError(errno);
  if (got == 0) return {.status = IoResult::Status::kEnd};
  return {.bytes = static_cast<size_t>(got)};
}

IoResult PlainTransport::Write(std::span<const iovec> pieces) {
  ssize_t sent;
  if (pieces.size() == 1) {
    sent = send(fd_.get(), pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
  } else {
    msghdr message = {};
    message.msg_iov = const_cast<iovec*>(pieces.data());
    message.msg_iovlen = pieces.size();
    sent = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  }
  if (sent < 0) return FromError(errno);
  return {.bytes = static_cast<size_t>(sent)};
}

void PlainTransport::EndOutput() {
  // A failure means that the connection is gone, which the next read tells.
  shutdown(fd_.get(), SHUT_WR);
}

}  // namespace weir
