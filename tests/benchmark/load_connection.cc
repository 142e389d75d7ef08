#include "tests/benchmark/load_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "proxy/base/strings.h"

namespace weir::benchmark {

LoadConnection::LoadConnection(int fd, size_t group, const KeySpace& keys)
    : fd_(fd), group_(group), keys_(keys) {}

LoadConnection::~LoadConnection() { close(fd_); }

uint64_t LoadConnection::NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void LoadConnection::Queue(const Request& request) {
  AppendRequest(keys_, request, &output_);
  pending_.push_back(request);
  if (pending_.size() == 1) verifier_.Expect(keys_, request);
}

absl::Status LoadConnection::Flush() {
  if (output_.empty()) return absl::OkStatus();
  ssize_t size = send(fd_, output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
  if (size < 0) {
    if (errno == EAGAIN) return absl::OkStatus();
    return Unavailable("send: ", std::strerror(errno));
  }
  sent_ += static_cast<size_t>(size);
  if (sent_ == output_.size()) {
    output_.clear();
    sent_ = 0;
  }
  return absl::OkStatus();
}

absl::Status LoadConnection::Read(std::string* scratch) {
  ssize_t size = recv(fd_, scratch->data(), scratch->size(), 0);
  unread_ = {};
  if (size < 0 && errno == EAGAIN) return absl::OkStatus();
  if (size < 0) return Unavailable("recv: ", std::strerror(errno));
  if (size == 0) return Unavailable("closed by the peer with ", pending_.size(), " replies due");
  unread_ = std::string_view(*scratch).substr(0, static_cast<size_t>(size));
  return absl::OkStatus();
}

bool LoadConnection::TakeReply(absl::Status* status) {
  if (pending_.empty()) {
    *status = absl::DataLossError(ToAbsl(StrCat("a reply too many: ", unread_.substr(0, 80))));
    return false;
  }
  switch (verifier_.Feed(&unread_)) {
    case Verdict::kComplete:
      return true;
    case Verdict::kNeedMore:
      return false;
    case Verdict::kMismatch:
      *status = absl::DataLossError(ToAbsl(StrCat("expected ", verifier_.DescribeExpected(),
                                                  "\nreceived ", unread_.substr(0, 160))));
      return false;
  }
  return false;
}

}  // namespace weir::benchmark
