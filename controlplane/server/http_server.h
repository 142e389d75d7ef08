// HttpServer: what monitoring asks of weir-control by HTTP.
//
//   /metrics   Prometheus' text format
//   /healthz   200 while the process lives
//   /readyz    200 while `is_ready` says so, else 503
//
// Threads of its own; GET only, so a request carries nothing but its head. A connection is closed
// behind its answer, and when the other side pauses for a second in the middle of a request.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "controlplane/server/metrics.h"
#include "proxy/base/endpoint.h"

namespace weir {

class HttpServer {
 public:
  // Listens at `endpoint` (TCP; port 0: the kernel chooses), which no other process may share.
  // UNAVAILABLE, with address and reason, when it cannot be had. `metrics` outlives the server;
  // `is_ready` is called by its threads.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const Endpoint& endpoint,
                                                           ControlMetrics& metrics,
                                                           std::function<bool()> is_ready);
  // Closes the port and waits for requests in progress (1 s for a slow reader).
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;

 private:
  struct Impl;  // keeps cpp-httplib, which is large, out of this header

  explicit HttpServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
