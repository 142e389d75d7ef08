// twemproxy's raw statistics port: whoever connects is sent one text, then the connection is
// closed. Not HTTP.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/unique_fd.h"

namespace weir {

// A listening socket and one thread of its own, so that neither a slow reader nor a slow `text`
// reaches a worker. At most 64 readers at a time; each has `send_timeout` for the whole text and is
// then cut off, so one that never reads delays nobody. What readers send is ignored. Ends when
// destroyed: readers in the middle of a text are cut off, the thread is joined.
class StatsServer {
 public:
  static constexpr size_t kMaxReaders = 64;

  // `text` is called on the server's thread once per reader; it must not block for long nor destroy
  // the server. An error (address in use, no permission) says which address. Port 0 takes a free
  // one: see address().
  static absl::StatusOr<std::unique_ptr<StatsServer>> Start(
      const ResolvedAddress& listen, std::function<std::string()> text,
      absl::Duration send_timeout = absl::Seconds(1));

  ~StatsServer();
  StatsServer(const StatsServer&) = delete;
  StatsServer& operator=(const StatsServer&) = delete;

  // Where it listens, with the actual port.
  const ResolvedAddress& address() const { return address_; }

 private:
  class Serving;

  StatsServer(ResolvedAddress address, std::unique_ptr<Serving> serving, UniqueFd stop_fd);

  ResolvedAddress address_;
  std::unique_ptr<Serving> serving_;  // the thread's own, until it is joined
  UniqueFd stop_fd_;                  // an eventfd: readable when the thread shall end
  std::thread thread_;
};

}  // namespace weir
