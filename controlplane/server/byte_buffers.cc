#include "controlplane/server/byte_buffers.h"

#include <string>
#include <vector>

#include "grpcpp/support/proto_buffer_reader.h"

namespace weir {
namespace {

grpc::Slice Lend(const ResourcePtr& resource) {
  const std::string& bytes = resource->encoded;
  // gRPC takes a pointer to what may be written and only reads it.
  return {const_cast<char*>(bytes.data()), bytes.size(),
          [](void* holder) { delete static_cast<ResourcePtr*>(holder); },
          new ResourcePtr(resource)};
}

}  // namespace

grpc::ByteBuffer ToByteBuffer(const OutgoingResponse& response) {
  std::vector<grpc::Slice> slices;
  slices.reserve(response.changed.size() + 1);
  slices.emplace_back(response.head.SerializeAsString());
  for (const ResourcePtr& resource : response.changed) slices.push_back(Lend(resource));
  return {slices.data(), slices.size()};
}

bool ParseByteBuffer(grpc::ByteBuffer* buffer, google::protobuf::MessageLite& message) {
  grpc::ProtoBufferReader reader(buffer);
  const bool parsed = reader.status().ok() && message.ParseFromZeroCopyStream(&reader);
  buffer->Clear();
  return parsed;
}

}  // namespace weir
