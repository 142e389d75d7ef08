#include "tests/integration/stress_clients.h"

#include <limits>

#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr uint32_t kNoLimit = std::numeric_limits<uint32_t>::max();

// Responses before a proxy or watcher leaves and comes again. The first comes at once, the next
// with a change.
uint32_t LengthOfVisit(StressRandom& random) { return 2 + random.Below(5); }

// A stream is sent no older state of a resource than before.
void ExpectNewer(const v1::Resource& before, const v1::Resource& after) {
  if (before.uid() != after.uid()) return;
  EXPECT_GE(after.generation(), before.generation()) << after.ShortDebugString();
}

}  // namespace

StressStream::StressStream(StressServer server, std::string node, std::string instance,
                           uint32_t seed)
    : server_(std::move(server)),
      node_(std::move(node)),
      instance_(std::move(instance)),
      random_(seed),
      thread_([this] { Run(); }) {}

std::map<std::pair<v1::ResourceType, std::string>, std::string> StressStream::Held() const {
  std::map<std::pair<v1::ResourceType, std::string>, std::string> versions;
  for (const auto& [key, resource] : held_) versions[key] = resource.version();
  return versions;
}

void StressStream::Run() {
  while (Visit()) continue;
  Stay();
}

bool StressStream::Visit() {
  const auto stub = v1::DiscoveryService::NewStub(server_.connect());
  grpc::ClientContext context;
  if (!visits_.Set(&context)) return false;
  const std::unique_ptr<Stream> stream = Open(*stub, context);
  v1::DiscoveryResponse response;
  for (uint32_t left = LengthOfVisit(random_); left > 0 && stream->Read(&response); --left) {
    if (left == 1 && random_.OneIn(2)) break;  // leaves it without an answer
    stream->Write(random_.OneIn(4) ? Refuse(response) : Take(response));
  }
  const grpc::StatusCode expected = Leave(*stream, context);
  const grpc::Status status = stream->Finish();
  visits_.Set(nullptr);
  EXPECT_TRUE(status.error_code() == expected ||
              status.error_code() == grpc::StatusCode::CANCELLED)  // by Settle
      << status.error_code() << " " << status.error_message() << ", expected " << expected;
  return true;
}

void StressStream::Stay() {
  const auto stub = v1::DiscoveryService::NewStub(server_.connect());
  grpc::ClientContext context;
  const std::unique_ptr<Stream> stream = Open(*stub, context);
  v1::DiscoveryResponse response;
  bool settled = false;
  while (stream->Read(&response)) {
    stream->Write(Take(response));
    if (settled || response.system_version().empty()) continue;  // there is more to come
    settled = true;
    settled_.set_value();
  }
  end_ = stream->Finish();
}

std::unique_ptr<StressStream::Stream> StressStream::Open(v1::DiscoveryService::Stub& stub,
                                                         grpc::ClientContext& context) {
  context.AddMetadata("weir-instance", instance_);
  server_.authorize(context, "discovery");
  auto stream = stub.Stream(&context);
  v1::DiscoveryRequest request;
  request.mutable_node()->set_id(node_);
  for (const auto& [key, resource] : held_) {
    v1::HeldResource& held = *request.add_held();
    *held.mutable_key() = resource.key();
    held.set_version(resource.version());
  }
  request.mutable_subscription();  // all pools
  stream->Write(request);
  return stream;
}

grpc::StatusCode StressStream::Leave(Stream& stream, grpc::ClientContext& context) {
  v1::DiscoveryResponse response;
  if (random_.OneIn(3)) {
    v1::DiscoveryRequest request;
    request.mutable_node()->set_id(node_);  // breaks the protocol: it has said so before
    stream.Write(request);
    while (stream.Read(&response)) continue;
    return grpc::StatusCode::INVALID_ARGUMENT;
  }
  if (random_.OneIn(2)) {
    stream.WritesDone();
    while (stream.Read(&response)) continue;
    return grpc::StatusCode::OK;
  }
  context.TryCancel();
  return grpc::StatusCode::CANCELLED;
}

v1::DiscoveryRequest StressStream::Take(const v1::DiscoveryResponse& response) {
  v1::DiscoveryRequest request;
  request.mutable_ack()->set_nonce(response.nonce());
  for (const v1::Resource& resource : response.changed()) {
    v1::Resource& held = held_[{resource.key().type(), resource.key().name()}];
    ExpectNewer(held, resource);
    held = resource;
  }
  for (const v1::RemovedResource& removal : response.removed()) {
    held_.erase({removal.key().type(), removal.key().name()});
  }
  taken_ += response.changed().empty() ? 0 : 1;
  AddChatter(request);
  return request;
}

v1::DiscoveryRequest StressStream::Refuse(const v1::DiscoveryResponse& response) {
  v1::DiscoveryRequest request;
  request.mutable_ack()->set_nonce(response.nonce());
  for (const v1::Resource& resource : response.changed()) {
    v1::ResourceError& error = *request.mutable_ack()->add_errors();
    *error.mutable_key() = resource.key();
    error.set_version(resource.version());
    error.set_error_detail("no room");
  }
  for (const v1::RemovedResource& removal : response.removed()) {
    held_.erase({removal.key().type(), removal.key().name()});
  }
  refused_ += response.changed().empty() ? 0 : 1;
  AddChatter(request);
  return request;
}

void StressStream::AddChatter(v1::DiscoveryRequest& request) {
  if (random_.OneIn(2)) {
    v1::ShardReport& shard = *request.mutable_report()->add_shards();
    shard.set_pool("alpha");
    shard.set_shard(StrCat("s", random_.Below(4)));
    shard.set_requests(taken_);
  }
}

StressWatcher::StressWatcher(StressServer server, uint32_t seed)
    : server_(std::move(server)), random_(seed), thread_([this] { Run(); }) {}

void StressWatcher::Run() {
  while (true) {
    grpc::ClientContext context;
    if (!visits_.Set(&context)) break;
    const grpc::Status status = Visit(context, LengthOfVisit(random_));
    visits_.Set(nullptr);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED) << status.error_message();
  }
  grpc::ClientContext context;
  end_ = Visit(context, kNoLimit);
}

grpc::Status StressWatcher::Visit(grpc::ClientContext& context, uint32_t responses) {
  const auto stub = v1::AdminService::NewStub(server_.connect());
  server_.authorize(context, "read");
  const auto reader = stub->WatchPools(&context, v1::WatchPoolsRequest());
  pools_.clear();
  v1::WatchPoolsResponse response;
  for (; responses > 0 && reader->Read(&response); --responses) {
    for (const v1::Pool& pool : response.changed()) {
      v1::Pool& before = pools_[pool.name()];
      if (before.uid() == pool.uid()) {
        EXPECT_GE(pool.shard_map().generation(), before.shard_map().generation());
      }
      before = pool;
    }
    for (const std::string& name : response.removed()) pools_.erase(name);
  }
  if (responses == 0) context.TryCancel();
  return reader->Finish();
}

}  // namespace weir
