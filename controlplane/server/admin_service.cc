#include "controlplane/server/admin_service.h"

#include <chrono>
#include <functional>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "controlplane/server/caller.h"
#include "controlplane/server/grpc_status.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr size_t kReadThreads = 4;
constexpr size_t kChangeThreads = 4;
constexpr size_t kMaxQueuedCalls = 1000;  // for either
// A watch is queued at most once: it is woken once until it looks.
constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

// Its time is over, the caller or the server has cancelled it, or the connection is gone.
bool IsAbandoned(const grpc::CallbackServerContext& context) {
  return context.deadline() < std::chrono::system_clock::now() || context.IsCancelled();
}

class RefusedWatch final : public grpc::ServerWriteReactor<v1::WatchPoolsResponse> {
 public:
  explicit RefusedWatch(const absl::Status& status) { Finish(ToGrpcStatus(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

// One WatchPools. `mutex_` makes its methods one at a time, on gRPC's threads and the watches'
// thread. Owned by itself (`self_`) until OnDone, and by a Send that is under way.
class AdminService::WatchCall final : public grpc::ServerWriteReactor<v1::WatchPoolsResponse>,
                                      public std::enable_shared_from_this<WatchCall> {
 public:
  WatchCall(AdminService& service, PeerLimit::Ticket ticket, Admission admission)
      : service_(service), ticket_(std::move(ticket)), admission_(std::move(admission)) {}

  // After construction, once.
  void Begin(const std::string& fleet) {
    self_ = shared_from_this();
    const auto wake = [&threads = service_.watch_threads_, weak = weak_from_this()] {
      (void)threads.TryAdd([weak] {
        if (const std::shared_ptr<WatchCall> alive = weak.lock()) alive->Send();
      });
    };
    {
      const std::lock_guard lock(mutex_);
      watch_ = service_.control_.Watch(fleet, wake);
      wake_ = wake;
    }
    wake();
  }

  void End(const absl::Status& status) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = true;
    Finish(ToGrpcStatus(status));
  }

  // Ends the call when its credential was withdrawn.
  void Recheck() {
    const absl::Status allowed = service_.access_.Recheck(admission_, Role::kRead);
    if (allowed.ok()) return;
    LOG_EVENT(LogLevel::kNotice, "access_withdrawn", {"actor", admission_.name},
              {"reason", FromAbsl(allowed.message())});
    End(allowed);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End(absl::UnavailableError("the reader has gone"));
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
    }
    wake_();
  }

  void OnCancel() override { End(absl::CancelledError("the reader has gone")); }

  void OnDone() override {
    {
      const std::lock_guard lock(service_.mutex_);
      service_.watches_.erase(this);
    }
    ticket_ = PeerLimit::Ticket();
    const std::shared_ptr<WatchCall> self = std::move(self_);  // the last touch, save by a Send
  }

 private:
  void Send() {
    const std::lock_guard lock(mutex_);
    if (ended_ || writing_) return;
    std::optional<v1::WatchPoolsResponse> response = service_.control_.NextFor(*watch_);
    if (!response) return;
    response_ = *std::move(response);
    writing_ = true;
    StartWrite(&response_);
  }

  AdminService& service_;
  PeerLimit::Ticket ticket_;  // until OnDone
  const Admission admission_;
  std::shared_ptr<WatchCall> self_;
  std::function<void()> wake_;
  std::mutex mutex_;
  std::shared_ptr<PoolWatch> watch_;
  v1::WatchPoolsResponse response_;
  bool writing_ = false;
  bool ended_ = false;
};

AdminService::AdminService(ControlPlane& control, Access& access, ControlMetrics& metrics,
                           const PeerLimit::Limits& watches)
    : control_(control),
      access_(access),
      metrics_(metrics),
      watch_limit_(watches, "watches", "--max-peer-watches"),
      watch_threads_(1, kNoLimit),
      read_threads_(kReadThreads, kMaxQueuedCalls),
      change_threads_(kChangeThreads, kMaxQueuedCalls) {}

AdminService::~AdminService() = default;

std::vector<std::shared_ptr<AdminService::WatchCall>> AdminService::Watches() {
  std::vector<std::shared_ptr<WatchCall>> watches;
  const std::lock_guard lock(mutex_);
  for (WatchCall* watch : watches_) watches.push_back(watch->shared_from_this());
  return watches;
}

void AdminService::RecheckWatches() {
  for (const std::shared_ptr<WatchCall>& watch : Watches()) watch->Recheck();
}

void AdminService::EndWatches() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  for (const std::shared_ptr<WatchCall>& watch : Watches()) {
    watch->End(absl::UnavailableError("weir-control ends"));
  }
}

AdminService::Unary* AdminService::Handle(Context* context, std::string_view method, Role role,
                                          std::function<void(const Caller&, Finish)> work) {
  Unary* const reactor = context->DefaultReactor();
  Finish finish = [this, reactor, method](const absl::Status& status) {
    metrics_.CountCall(method, FromAbsl(absl::StatusCodeToString(status.code())));
    reactor->Finish(ToGrpcStatus(status));
  };
  const absl::StatusOr<Admission> admission = CheckCaller(*context, role, access_, metrics_);
  if (!admission.ok()) {
    finish(admission.status());
    return reactor;
  }
  Caller caller{.name = admission->name,
                .origin = StrCat("api ", PeerAddress(*context)),
                .has_gone = [context] { return IsAbandoned(*context); }};
  ThreadPool& threads = role == Role::kRead ? read_threads_ : change_threads_;
  const bool taken = threads.TryAdd([caller = std::move(caller), finish, work = std::move(work)] {
    if (caller.has_gone()) return finish(absl::CancelledError("the caller has gone"));
    work(caller, finish);
  });
  if (!taken) finish(absl::ResourceExhaustedError("too many calls are waiting: try again later"));
  return reactor;
}

// The request and the response live until the call is finished.
template <typename Request, typename Response>
AdminService::Unary* AdminService::Read(
    Context* context, std::string_view method, const Request* request, Response* response,
    absl::StatusOr<Response> (ControlPlane::*read)(const Request&) const) {
  return Handle(context, method, Role::kRead,
                [this, request, response, read](const Caller&, const Finish& finish) {
                  absl::StatusOr<Response> result = std::invoke(read, control_, *request);
                  if (!result.ok()) return finish(result.status());
                  *response = *std::move(result);
                  finish(absl::OkStatus());
                });
}

template <typename Request>
AdminService::Unary* AdminService::Change(Context* context, std::string_view method,
                                          const Request* request, v1::ChangeResponse* response,
                                          void (ControlPlane::*change)(const Request&,
                                                                       const Caller&, ChangeDone)) {
  return Handle(context, method, Role::kWrite,
                [this, request, response, change](const Caller& caller, const Finish& finish) {
                  // Not (control_.*change)(…): g++ 12 checks that with an uninitialised address.
                  std::invoke(change, control_, *request, caller,
                              [response, finish](absl::StatusOr<v1::ChangeResponse> result) {
                                if (!result.ok()) return finish(result.status());
                                *response = *std::move(result);
                                finish(absl::OkStatus());
                              });
                });
}

AdminService::Unary* AdminService::ListPools(Context* context, const v1::ListPoolsRequest* request,
                                             v1::ListPoolsResponse* response) {
  return Read(context, "ListPools", request, response, &ControlPlane::ListPools);
}

AdminService::Unary* AdminService::GetPool(Context* context, const v1::GetPoolRequest* request,
                                           v1::Pool* response) {
  return Read(context, "GetPool", request, response, &ControlPlane::GetPool);
}

AdminService::Unary* AdminService::ListVersions(Context* context,
                                                const v1::ListVersionsRequest* request,
                                                v1::ListVersionsResponse* response) {
  return Read(context, "ListVersions", request, response, &ControlPlane::ListVersions);
}

AdminService::Unary* AdminService::ListProxies(Context* context,
                                               const v1::ListProxiesRequest* request,
                                               v1::ListProxiesResponse* response) {
  return Read(context, "ListProxies", request, response, &ControlPlane::ListProxies);
}

AdminService::Unary* AdminService::ExplainKey(Context* context,
                                              const v1::ExplainKeyRequest* request,
                                              v1::ExplainKeyResponse* response) {
  return Read(context, "ExplainKey", request, response, &ControlPlane::ExplainKey);
}

AdminService::Unary* AdminService::CreatePool(Context* context,
                                              const v1::CreatePoolRequest* request,
                                              v1::ChangeResponse* response) {
  return Change(context, "CreatePool", request, response, &ControlPlane::CreatePool);
}

AdminService::Unary* AdminService::UpdatePool(Context* context,
                                              const v1::UpdatePoolRequest* request,
                                              v1::ChangeResponse* response) {
  return Change(context, "UpdatePool", request, response, &ControlPlane::UpdatePool);
}

AdminService::Unary* AdminService::DeletePool(Context* context,
                                              const v1::DeletePoolRequest* request,
                                              v1::ChangeResponse* response) {
  return Change(context, "DeletePool", request, response, &ControlPlane::DeletePool);
}

AdminService::Unary* AdminService::AddShard(Context* context, const v1::AddShardRequest* request,
                                            v1::ChangeResponse* response) {
  return Change(context, "AddShard", request, response, &ControlPlane::AddShard);
}

AdminService::Unary* AdminService::RemoveShard(Context* context,
                                               const v1::RemoveShardRequest* request,
                                               v1::ChangeResponse* response) {
  return Change(context, "RemoveShard", request, response, &ControlPlane::RemoveShard);
}

AdminService::Unary* AdminService::UpdateShard(Context* context,
                                               const v1::UpdateShardRequest* request,
                                               v1::ChangeResponse* response) {
  return Change(context, "UpdateShard", request, response, &ControlPlane::UpdateShard);
}

AdminService::Unary* AdminService::DrainShard(Context* context,
                                              const v1::DrainShardRequest* request,
                                              v1::ChangeResponse* response) {
  return Change(context, "DrainShard", request, response, &ControlPlane::DrainShard);
}

AdminService::Unary* AdminService::ApprovePlan(Context* context,
                                               const v1::ApprovePlanRequest* request,
                                               v1::ChangeResponse* response) {
  return Change(context, "ApprovePlan", request, response, &ControlPlane::ApprovePlan);
}

AdminService::Unary* AdminService::Rollback(Context* context, const v1::RollbackRequest* request,
                                            v1::ChangeResponse* response) {
  return Change(context, "Rollback", request, response, &ControlPlane::Rollback);
}

absl::Status AdminService::EnterWatch(const Context& context, PeerLimit::Ticket& ticket) {
  absl::StatusOr<PeerLimit::Ticket> entered = watch_limit_.Enter(PeerHost(context));
  if (!entered.ok()) {
    metrics_.limit_refusals_total.Increment();
    return entered.status();
  }
  ticket = *std::move(entered);
  return absl::OkStatus();
}

grpc::ServerWriteReactor<v1::WatchPoolsResponse>* AdminService::WatchPools(
    Context* context, const v1::WatchPoolsRequest* request) {
  absl::StatusOr<Admission> admission = CheckCaller(*context, Role::kRead, access_, metrics_);
  PeerLimit::Ticket ticket;
  const absl::Status status = admission.ok() ? EnterWatch(*context, ticket) : admission.status();
  metrics_.CountCall("WatchPools", FromAbsl(absl::StatusCodeToString(status.code())));
  if (!status.ok()) return new RefusedWatch(status);
  auto call = std::make_shared<WatchCall>(*this, std::move(ticket), *std::move(admission));
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return new RefusedWatch(absl::UnavailableError("weir-control ends"));
    watches_.insert(call.get());
  }
  call->Begin(request->fleet());
  call->Recheck();  // the table may have changed before the call was among those that are checked
  return call.get();
}

}  // namespace weir
