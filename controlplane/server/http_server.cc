#include "controlplane/server/http_server.h"

#include <sys/socket.h>

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "controlplane/server/listen_check.h"
#include "httplib.h"
#include "prometheus/text_serializer.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

// A connection occupies one until it is answered or the other side pauses for kLongestPause: fewer
// half-sent requests than that delay nobody.
constexpr size_t kThreads = 32;
constexpr std::chrono::seconds kLongestPause{1};  // of the other side, in a request or its answer
constexpr const char* kTextFormat = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kPlain = "text/plain; charset=utf-8";

}  // namespace

struct HttpServer::Impl {
  httplib::Server server;
  std::thread thread;
  int port = 0;

  void Route(ControlMetrics& metrics, std::function<bool()> is_ready) {
    server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server.set_payload_max_length(0);
    server.set_keep_alive_max_count(1);                    // a thread waits for no second request
    server.set_keep_alive_timeout(kLongestPause.count());  // also before the first byte
    server.set_read_timeout(kLongestPause);
    server.set_write_timeout(kLongestPause);
    // The library's own options would let another process share the port (SO_REUSEPORT).
    server.set_socket_options([](socket_t fd) {
      const int one = 1;
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    });
    server.Get("/metrics", [&metrics](const httplib::Request&, httplib::Response& response) {
      response.set_content(prometheus::TextSerializer().Serialize(metrics.registry().Collect()),
                           kTextFormat);
    });
    server.Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("ok\n", kPlain);
    });
    server.Get("/readyz", [is_ready = std::move(is_ready)](const httplib::Request&,
                                                           httplib::Response& response) {
      const bool ready = is_ready();
      response.status = ready ? 200 : 503;
      response.set_content(ready ? "ok\n" : "not ready\n", kPlain);
    });
  }

  bool Bind(const Endpoint& endpoint) {
    if (endpoint.port == 0) {
      port = server.bind_to_any_port(endpoint.host);
      return port > 0;
    }
    port = endpoint.port;
    return server.bind_to_port(endpoint.host, endpoint.port);
  }
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Endpoint& endpoint,
                                                              ControlMetrics& metrics,
                                                              std::function<bool()> is_ready) {
  CHECK(endpoint.kind == EndpointKind::kTcp);
  if (absl::Status free = CheckListenable(endpoint); !free.ok()) {
    return Unavailable("HTTP: ", FromAbsl(free.message()));
  }
  auto impl = std::make_unique<Impl>();
  impl->Route(metrics, std::move(is_ready));
  if (!impl->Bind(endpoint)) {
    return Unavailable("HTTP: cannot listen at ", FormatEndpoint(endpoint));
  }
  impl->thread = std::thread([server = &impl->server] { server->listen_after_bind(); });
  // stop() has no effect before this; binding has succeeded, so it comes at once.
  while (!impl->server.is_running()) std::this_thread::yield();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  impl_->server.stop();
  impl_->thread.join();
}

uint16_t HttpServer::port() const { return static_cast<uint16_t>(impl_->port); }

}  // namespace weir
