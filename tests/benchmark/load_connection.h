// One connection of the load generator: what is to be sent, and the requests whose replies are due.
//
// Owned by LoadRun, used on its only thread. Never blocks: output that does not fit into the socket
// waits for the next Flush. Ends with the object, which closes the socket.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "tests/benchmark/payload.h"
#include "tests/benchmark/reply_verifier.h"

namespace weir::benchmark {

class LoadConnection {
 public:
  // Takes over `fd`, a connected non-blocking socket. `keys` must outlive the connection.
  // `group` is the index of the group that the connection works for.
  LoadConnection(int fd, size_t group, const KeySpace& keys);
  ~LoadConnection();
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  int fd() const { return fd_; }
  size_t group() const { return group_; }
  size_t pending() const { return pending_.size(); }
  bool wants_write() const { return !output_.empty(); }

  // Whether the owner's loop waits for EPOLLOUT; kept here, used by the owner alone.
  bool watches_write() const { return watches_write_; }
  void set_watches_write(bool watches) { watches_write_ = watches; }

  // Queues `request`; sent by the next Flush.
  void Queue(const Request& request);

  // Sends what the socket takes. Unavailable when the connection broke.
  absl::Status Flush();

  // Reads once into `scratch`, checks the bytes against the replies due and hands each completed
  // request's start to `completed`, which gets the moment after the read as second argument.
  // Unavailable when the connection broke, DataLoss with both texts when a reply was wrong.
  template <typename Completed>
  absl::Status Receive(std::string* scratch, Completed completed) {
    absl::Status status = Read(scratch);
    uint64_t now = NowNs();
    while (status.ok() && !unread_.empty() && TakeReply(&status)) {
      completed(pending_.front().start_ns, now);
      pending_.pop_front();
      if (!pending_.empty()) verifier_.Expect(keys_, pending_.front());
    }
    return status;
  }

  // The monotonic clock.
  static uint64_t NowNs();

 private:
  absl::Status Read(std::string* scratch);
  // Whether the reply due first is complete in unread_; a mismatch goes to `status`.
  bool TakeReply(absl::Status* status);

  const int fd_;
  const size_t group_;
  const KeySpace& keys_;
  std::string output_;
  size_t sent_ = 0;
  bool watches_write_ = false;
  std::string_view unread_;  // in the scratch, during Receive only
  std::deque<Request> pending_;
  ReplyVerifier verifier_;
};

}  // namespace weir::benchmark
