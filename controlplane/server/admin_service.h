// AdminService: the gRPC side of the admin API. Checks who calls, hands the call to ControlPlane on
// a thread that may block, and answers with the status and its details.
//
// Thread-safe. gRPC's threads never wait here: a call that waits for proxies occupies no thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/server/access.h"
#include "controlplane/server/control_plane.h"
#include "controlplane/server/metrics.h"
#include "controlplane/server/peer_limit.h"
#include "controlplane/server/thread_pool.h"
#include "proto/weir/v1/admin.grpc.pb.h"

namespace weir {

class AdminService final : public v1::AdminService::CallbackService {
 public:
  // All of these outlive the service. `watches`: the WatchPools calls at once.
  AdminService(ControlPlane& control, Access& access, ControlMetrics& metrics,
               const PeerLimit::Limits& watches);
  // REQUIRES: the server has ended, and with it all calls.
  ~AdminService() override;

  // Another access table is in force: ends each WatchPools whose credential is not good any more.
  void RecheckWatches();

  // Ends every WatchPools with UNAVAILABLE; later ones at once. Other calls end by themselves.
  void EndWatches();

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;
  Unary* ListPools(Context*, const v1::ListPoolsRequest*, v1::ListPoolsResponse*) override;
  Unary* GetPool(Context*, const v1::GetPoolRequest*, v1::Pool*) override;
  Unary* CreatePool(Context*, const v1::CreatePoolRequest*, v1::ChangeResponse*) override;
  Unary* UpdatePool(Context*, const v1::UpdatePoolRequest*, v1::ChangeResponse*) override;
  Unary* DeletePool(Context*, const v1::DeletePoolRequest*, v1::ChangeResponse*) override;
  Unary* AddShard(Context*, const v1::AddShardRequest*, v1::ChangeResponse*) override;
  Unary* RemoveShard(Context*, const v1::RemoveShardRequest*, v1::ChangeResponse*) override;
  Unary* UpdateShard(Context*, const v1::UpdateShardRequest*, v1::ChangeResponse*) override;
  Unary* DrainShard(Context*, const v1::DrainShardRequest*, v1::ChangeResponse*) override;
  Unary* ApprovePlan(Context*, const v1::ApprovePlanRequest*, v1::ChangeResponse*) override;
  Unary* Rollback(Context*, const v1::RollbackRequest*, v1::ChangeResponse*) override;
  Unary* ListVersions(Context*, const v1::ListVersionsRequest*, v1::ListVersionsResponse*) override;
  Unary* ListProxies(Context*, const v1::ListProxiesRequest*, v1::ListProxiesResponse*) override;
  Unary* ExplainKey(Context*, const v1::ExplainKeyRequest*, v1::ExplainKeyResponse*) override;
  grpc::ServerWriteReactor<v1::WatchPoolsResponse>* WatchPools(
      Context* context, const v1::WatchPoolsRequest* request) override;

 private:
  class WatchCall;
  // Ends a call with its status; exactly once.
  using Finish = std::function<void(const absl::Status&)>;

  std::vector<std::shared_ptr<WatchCall>> Watches();
  // Runs `work` on a thread of the role's if the caller may make the call.
  Unary* Handle(Context* context, std::string_view method, Role role,
                std::function<void(const Caller&, Finish)> work);
  template <typename Request, typename Response>
  Unary* Read(Context* context, std::string_view method, const Request* request, Response* response,
              absl::StatusOr<Response> (ControlPlane::*read)(const Request&) const);
  template <typename Request>
  Unary* Change(Context* context, std::string_view method, const Request* request,
                v1::ChangeResponse* response,
                void (ControlPlane::*change)(const Request&, const Caller&, ChangeDone));

  // RESOURCE_EXHAUSTED when the peer has too many.
  absl::Status EnterWatch(const Context& context, PeerLimit::Ticket& ticket);

  ControlPlane& control_;
  Access& access_;
  ControlMetrics& metrics_;
  PeerLimit watch_limit_;
  std::mutex mutex_;  // of the next two
  std::set<WatchCall*> watches_;
  bool ending_ = false;
  ThreadPool watch_threads_;
  ThreadPool read_threads_;    // of their own: no change delays a read
  ThreadPool change_threads_;  // plans and durable writes
};

}  // namespace weir
