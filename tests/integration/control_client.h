// Clients of a weir-control, for tests: a proxy's discovery stream, and what a call returned.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "proto/weir/v1/admin.grpc.pb.h"
#include "proto/weir/v1/discovery.grpc.pb.h"
#include "proxy/base/strings.h"

namespace weir {

// A proxy as far as the stream is concerned. Reads block; the stream ends with the object.
class StreamClient {
 public:
  explicit StreamClient(const std::shared_ptr<grpc::Channel>& channel,
                        const std::string& token = "")
      : stub_(v1::DiscoveryService::NewStub(channel)) {
    if (!token.empty()) context_.AddMetadata("authorization", StrCat("Bearer ", token));
    stream_ = stub_->Stream(&context_);
  }
  ~StreamClient() { context_.TryCancel(); }
  StreamClient(const StreamClient&) = delete;
  StreamClient& operator=(const StreamClient&) = delete;

  // Subscribes to `pools`, or to all.
  void Opens(const std::string& node, const std::vector<v1::HeldResource>& held = {},
             const std::vector<std::string>& pools = {}) {
    v1::DiscoveryRequest request;
    request.mutable_node()->set_id(node);
    request.mutable_node()->set_fleet("default");
    for (const v1::HeldResource& resource : held) *request.add_held() = resource;
    request.mutable_subscription()->mutable_pools()->Assign(pools.begin(), pools.end());
    stream_->Write(request);
  }

  void Subscribes(const std::vector<std::string>& pools) {
    v1::DiscoveryRequest request;
    request.mutable_subscription()->mutable_pools()->Assign(pools.begin(), pools.end());
    stream_->Write(request);
  }

  // The next response, answered with an ACK, or with a refusal of everything in it.
  v1::DiscoveryResponse Takes(const std::string& refusal = "") {
    v1::DiscoveryResponse response;
    if (!stream_->Read(&response)) return response;
    v1::DiscoveryRequest request;
    request.mutable_ack()->set_nonce(response.nonce());
    for (const v1::Resource& resource : response.changed()) {
      if (refusal.empty()) continue;
      v1::ResourceError& error = *request.mutable_ack()->add_errors();
      *error.mutable_key() = resource.key();
      error.set_version(resource.version());
      error.set_error_detail(refusal);
    }
    stream_->Write(request);
    return response;
  }

  // How the server has ended the stream; waits until it does.
  grpc::Status Ends() {
    v1::DiscoveryResponse response;
    while (stream_->Read(&response)) {
    }
    return stream_->Finish();
  }

 private:
  const std::unique_ptr<v1::DiscoveryService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::DiscoveryRequest, v1::DiscoveryResponse>> stream_;
};

// The names of the slots on the ring that the response brings for a pool.
inline std::vector<std::string> RingOf(const v1::DiscoveryResponse& response) {
  std::vector<std::string> names;
  for (const v1::Resource& resource : response.changed()) {
    for (const v1::RingSlot& slot : resource.pool().slots()) names.push_back(slot.name());
  }
  return names;
}

inline std::vector<v1::HeldResource> HeldAfter(const v1::DiscoveryResponse& response) {
  std::vector<v1::HeldResource> held;
  for (const v1::Resource& resource : response.changed()) {
    v1::HeldResource& added = held.emplace_back();
    *added.mutable_key() = resource.key();
    added.set_version(resource.version());
  }
  return held;
}

}  // namespace weir
