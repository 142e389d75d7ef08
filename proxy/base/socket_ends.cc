#include "proxy/base/socket_ends.h"

#include <sys/socket.h>

#include "proxy/base/socket_address.h"

namespace weir {
namespace {

std::string AddressText(int fd, int (*get)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof(storage);
  if (get(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return "";
  return MakeAddress(reinterpret_cast<const sockaddr*>(&storage), length).ToString();
}

}  // namespace

SocketEnds EndsOf(int fd) { return {AddressText(fd, &getpeername), AddressText(fd, &getsockname)}; }

std::string PeerOf(int fd) { return AddressText(fd, &getpeername); }

}  // namespace weir
