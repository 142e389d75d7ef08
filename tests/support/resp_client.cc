#include "tests/support/resp_client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

namespace weir {

RespClient::RespClient(const Address& address) {
  Eventually([&] {
    socket_ = Connect(address);
    return static_cast<bool>(socket_);
  });
  if (!socket_) return;
  timeval limit = {.tv_sec = 20, .tv_usec = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

std::vector<Reply> RespClient::Ask(std::string_view requests, size_t replies) {
  std::vector<Reply> result;
  if (!socket_ || !Send(requests)) return result;
  size_t at = 0;
  while (result.size() < replies) {
    Reply reply;
    size_t taken = TakeReply(std::string_view(input_).substr(at), reply);
    if (taken == 0) {
      if (!Receive()) break;
      continue;
    }
    at += taken;
    result.push_back(std::move(reply));
  }
  input_.erase(0, at);
  return result;
}

std::optional<Reply> RespClient::Get(std::string_view key) {
  std::vector<Reply> replies = Ask(EncodeRequest({"GET", key}), 1);
  if (replies.empty()) return std::nullopt;
  return replies[0];
}

bool RespClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t size = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return true;
}

bool RespClient::IsEnded() {
  char byte;
  return recv(socket_.get(), &byte, 1, 0) == 0;
}

bool RespClient::Receive() {
  char buffer[64 * 1024];
  ssize_t size = recv(socket_.get(), buffer, sizeof(buffer), 0);
  if (size <= 0) return size < 0 && errno == EINTR;
  input_.append(buffer, static_cast<size_t>(size));
  return true;
}

}  // namespace weir
