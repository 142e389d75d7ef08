// Clients of a weir-control that come and go while much else happens: proxies, and callers of
// WatchPools. Each has a thread of its own, from construction to Join.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"
#include "proto/weir/v1/admin.grpc.pb.h"
#include "proto/weir/v1/discovery.grpc.pb.h"

namespace weir {

// How clients reach the server under test; every call of these two is by any thread.
struct StressServer {
  std::function<std::shared_ptr<grpc::Channel>()> connect;  // each time a connection of its own
  // Has the call carry a credential of the role "discovery", "read" or "write".
  std::function<void(grpc::ClientContext&, const std::string& role)> authorize;
};

// Numbers of a seed, the same in each run.
class StressRandom {
 public:
  explicit StressRandom(uint32_t seed) : random_(seed) {}
  uint32_t Below(uint32_t count) { return random_() % count; }
  bool OneIn(uint32_t count) { return Below(count) == 0; }

 private:
  std::mt19937 random_;
};

// A call that another thread may cancel, whether it has begun, or is the next one.
class CancellableCall {
 public:
  // The call that is made now. False: none is to be made any more.
  bool Set(grpc::ClientContext* context) {
    const std::lock_guard lock(mutex_);
    context_ = context;
    return !cancelled_ || context == nullptr;
  }
  // Cancels the call that is made now, and has the next Set refused.
  void Cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  std::mutex mutex_;
  grpc::ClientContext* context_ = nullptr;
  bool cancelled_ = false;
};

// A proxy's side of discovery: takes and refuses what it is sent, reports, wants other pools, and
// leaves in the middle in each way that there is. After Settle it comes once more, wants all pools,
// takes everything, and stays until the server ends the stream.
class StressStream {
 public:
  // `instance` tells two apart that have the same `node`.
  StressStream(StressServer server, std::string node, std::string instance, uint32_t seed);

  void Settle() { visits_.Cancel(); }
  // Returns when it has settled and holds what there is.
  void AwaitSettled() { settled_.get_future().wait(); }
  void Join() { thread_.join(); }

  // --- after Join ---
  // How the server ended it, when it had settled.
  const grpc::Status& end() const { return end_; }
  // The versions that it holds, by type and name of the resource.
  std::map<std::pair<v1::ResourceType, std::string>, std::string> Held() const;
  // Of responses with resources.
  uint32_t taken() const { return taken_; }
  uint32_t refused() const { return refused_; }

 private:
  using Stream = grpc::ClientReaderWriter<v1::DiscoveryRequest, v1::DiscoveryResponse>;

  void Run();
  // False: it is time to settle.
  bool Visit();
  void Stay();
  std::unique_ptr<Stream> Open(v1::DiscoveryService::Stub& stub, grpc::ClientContext& context);
  grpc::StatusCode Leave(Stream& stream, grpc::ClientContext& context);
  // What it answers.
  v1::DiscoveryRequest Take(const v1::DiscoveryResponse& response);
  v1::DiscoveryRequest Refuse(const v1::DiscoveryResponse& response);
  void AddChatter(v1::DiscoveryRequest& request);

  const StressServer server_;
  const std::string node_;
  const std::string instance_;
  StressRandom random_;
  CancellableCall visits_;
  std::promise<void> settled_;
  std::map<std::pair<v1::ResourceType, std::string>, v1::Resource> held_;
  grpc::Status end_;
  uint32_t taken_ = 0;
  uint32_t refused_ = 0;
  std::thread thread_;  // last: uses all the others
};

// A caller of WatchPools. After Settle it calls once more, and stays until the server ends the
// call.
class StressWatcher {
 public:
  StressWatcher(StressServer server, uint32_t seed);

  void Settle() { visits_.Cancel(); }
  void Join() { thread_.join(); }

  // --- after Join ---
  const grpc::Status& end() const { return end_; }
  // The pools that there are, as it was told last.
  const std::map<std::string, v1::Pool>& pools() const { return pools_; }

 private:
  void Run();
  // With a limit, leaves after so many responses; the status of the end.
  grpc::Status Visit(grpc::ClientContext& context, uint32_t responses);

  const StressServer server_;
  StressRandom random_;
  CancellableCall visits_;
  std::map<std::string, v1::Pool> pools_;
  grpc::Status end_;
  std::thread thread_;  // last: uses all the others
};

}  // namespace weir
