// What a server says by reflection of a service, for tests.
#pragma once

#include <memory>
#include <string>

#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/text_format.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/proto_buffer_reader.h"
#include "grpcpp/support/proto_buffer_writer.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {

// The answer to a reflection request with `question` in it, as text. gRPC installs no header of the
// service's messages; their descriptors are linked with the server.
inline std::string AskReflection(const std::shared_ptr<grpc::Channel>& channel,
                                 const std::string& question) {
  using google::protobuf::DescriptorPool;
  using google::protobuf::Message;
  google::protobuf::DynamicMessageFactory factory;
  const auto make = [&factory](const char* name) {
    const auto* descriptor = DescriptorPool::generated_pool()->FindMessageTypeByName(
        std::string("grpc.reflection.v1alpha.") + name);
    CHECK(descriptor != nullptr);
    return std::unique_ptr<Message>(factory.GetPrototype(descriptor)->New());
  };
  const std::unique_ptr<Message> request = make("ServerReflectionRequest");
  const std::unique_ptr<Message> response = make("ServerReflectionResponse");
  CHECK(google::protobuf::TextFormat::ParseFromString(question, request.get()));

  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  const auto stream = stub.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  const auto finish = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    CHECK(queue.Next(&tag, &ok));
    return ok;
  };
  stream->StartCall(nullptr);
  CHECK(finish());
  grpc::ByteBuffer bytes;
  bool own = false;
  CHECK((grpc::SerializationTraits<Message>::Serialize(*request, &bytes, &own).ok()));
  stream->Write(bytes, nullptr);
  CHECK(finish());
  stream->Read(&bytes, nullptr);
  CHECK(finish());
  CHECK((grpc::SerializationTraits<Message>::Deserialize(&bytes, response.get()).ok()));
  context.TryCancel();
  grpc::Status status;
  stream->Finish(&status, nullptr);
  finish();
  std::string text;
  CHECK(google::protobuf::TextFormat::PrintToString(*response, &text));
  return text;
}

}  // namespace weir
