// FakeControl: a control plane for tests of real proxies — a gRPC server on loopback that sends
// what the test says, and lets it see what the proxy answers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "proto/resource_id.h"
#include "proto/weir/v1/discovery.grpc.pb.h"

namespace weir {

// Serves one proxy at a time. Methods may be called from one thread; none waits longer than 20 s.
class FakeControl final : public v1::DiscoveryService::Service {
 public:
  // `host` is an address of the loopback.
  explicit FakeControl(
      uint16_t port, std::string host = "127.0.0.1",
      std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials());
  ~FakeControl() override;

  // As after a SIGKILL: the port is closed, streams are cut.
  void Stop();
  void Start();

  // A proxy has a stream.
  bool connected();

  // To the proxy that is connected, or the next one; the nonce is made up.
  void Send(const std::vector<v1::Resource>& changed, const std::vector<ResourceId>& removed = {});

  // The next of these that came, in order; nothing when none came in time.
  std::optional<v1::DiscoveryRequest> NextFirstRequest() { return Next(first_requests_); }
  std::optional<v1::Ack> NextAck() { return Next(acks_); }
  std::optional<v1::Report> NextReport() { return Next(reports_); }

 private:
  using Pipe = grpc::ServerReaderWriter<v1::DiscoveryResponse, v1::DiscoveryRequest>;
  grpc::Status Stream(grpc::ServerContext* context, Pipe* pipe) override;

  template <typename Message>
  std::optional<Message> Next(std::deque<Message>& messages) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::seconds(20),
                                        [&messages] { return !messages.empty(); });
    if (!came) return std::nullopt;
    Message message = std::move(messages.front());
    messages.pop_front();
    return message;
  }

  const uint16_t port_;
  const std::string host_;
  const std::shared_ptr<grpc::ServerCredentials> credentials_;
  uint64_t nonce_ = 0;
  std::unique_ptr<grpc::Server> server_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  Pipe* pipe_ = nullptr;
  std::deque<v1::DiscoveryRequest> first_requests_;
  std::deque<v1::Ack> acks_;
  std::deque<v1::Report> reports_;
};

}  // namespace weir
