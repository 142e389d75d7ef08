#include "tests/support/fake_control.h"

#include "grpcpp/server_builder.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {

FakeControl::FakeControl(uint16_t port, std::string host,
                         std::shared_ptr<grpc::ServerCredentials> credentials)
    : port_(port), host_(std::move(host)), credentials_(std::move(credentials)) {
  Start();
}

FakeControl::~FakeControl() { Stop(); }

void FakeControl::Start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(StrCat(host_, ":", port_), credentials_);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // The proxy pings oftener than gRPC's servers permit by default.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  CHECK(server_ != nullptr);
}

void FakeControl::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
}

grpc::Status FakeControl::Stream(grpc::ServerContext*, Pipe* pipe) {
  {
    std::lock_guard lock(mutex_);
    pipe_ = pipe;
    changed_.notify_all();
  }
  v1::DiscoveryRequest request;
  while (pipe->Read(&request)) {
    std::lock_guard lock(mutex_);
    if (request.has_node()) first_requests_.push_back(request);
    if (request.has_ack()) acks_.push_back(request.ack());
    if (request.has_report()) reports_.push_back(request.report());
    changed_.notify_all();
  }
  std::lock_guard lock(mutex_);
  if (pipe_ == pipe) pipe_ = nullptr;
  return {grpc::StatusCode::UNAVAILABLE, "stopped"};  // OK would be the stream's end for its age
}

bool FakeControl::connected() {
  const std::lock_guard lock(mutex_);
  return pipe_ != nullptr;
}

void FakeControl::Send(const std::vector<v1::Resource>& changed,
                       const std::vector<ResourceId>& removed) {
  v1::DiscoveryResponse response;
  response.set_nonce(StrCat("nonce-", ++nonce_));
  response.set_system_version(response.nonce());
  for (const v1::Resource& resource : changed) *response.add_changed() = resource;
  for (const ResourceId& id : removed) *response.add_removed()->mutable_key() = KeyOf(id);
  std::unique_lock lock(mutex_);
  CHECK(changed_.wait_for(lock, std::chrono::seconds(20), [this] { return pipe_ != nullptr; }));
  pipe_->Write(response);
}

}  // namespace weir
