#include "controlplane/server/discovery_service.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "controlplane/server/byte_buffers.h"
#include "controlplane/server/caller.h"
#include "controlplane/server/grpc_status.h"
#include "controlplane/stream/discovery_stream.h"
#include "grpcpp/alarm.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr size_t kPushThreads = 2;
// A stream is queued at most once: its watch wakes it once until it looks.
constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

// The process of a proxy, as discovery.proto says.
std::string InstanceOf(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find("weir-instance");
  if (found == context.client_metadata().end()) return {};
  return std::string(found->second.data(), found->second.size());
}

// A call that is refused before it begins.
class RefusedCall final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RefusedCall(const absl::Status& status) { Finish(ToGrpcStatus(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

// One stream. Its methods run on gRPC's threads and the push threads; `mutex_` makes them one at a
// time. Owned by itself (`self_`) until OnDone, and by a push that is under way.
class DiscoveryService::Call final
    : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
      public std::enable_shared_from_this<DiscoveryService::Call> {
 public:
  Call(DiscoveryService& service, std::string peer, std::string instance, PeerLimit::Ticket ticket,
       Admission admission)
      : service_(service),
        parts_(service.parts_),
        peer_(std::move(peer)),
        instance_(std::move(instance)),
        ticket_(std::move(ticket)),
        admission_(std::move(admission)),
        stream_(std::make_shared<ProxyState>(peer_, absl::Now(), service.options_.secure)) {}

  // After construction, once.
  void Begin() {
    self_ = shared_from_this();
    parts_.metrics.streams.Increment();
    parts_.metrics.streams_opened_total.Increment();
    EndAfter(service_.options_.first_request, first_alarm_,
             absl::DeadlineExceededError("expected a first request"));
    const std::lock_guard lock(mutex_);
    Read();
  }

  void End(const absl::Status& status) {
    const std::lock_guard lock(mutex_);
    EndLocked(status);
  }

  // Ends the stream when its credential was withdrawn.
  void Recheck() {
    const absl::Status allowed = parts_.access.Recheck(admission_, Role::kDiscovery);
    if (allowed.ok()) return;
    LOG_EVENT(LogLevel::kNotice, "access_withdrawn", {"peer", peer_},
              {"reason", FromAbsl(allowed.message())});
    End(allowed);
  }

  // Sends what the proxy misses, unless a response is on its way.
  void Push() {
    if (!Send()) parts_.proxies.Answered(*stream_.proxy());
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End(absl::OkStatus());  // the proxy has ended it, or has gone
    v1::DiscoveryRequest request;
    if (!ParseByteBuffer(&request_, request)) {
      return Break(absl::InvalidArgumentError("expected a weir.v1.DiscoveryRequest"));
    }
    absl::Time sent;  // the response that the request may answer
    const absl::StatusOr<RequestOutcome> outcome = Take(request, sent);
    if (!outcome.ok()) return Break(outcome.status());
    if (outcome->opened) Opened();
    if (outcome->answer) Answered(*outcome->answer, absl::Now() - sent);
    if (outcome->answer || outcome->subscribed) parts_.proxies.Answered(*stream_.proxy());
    Push();
    const std::lock_guard lock(mutex_);
    Read();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End(absl::UnavailableError("the proxy has gone"));
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      response_.Clear();
    }
    Push();  // its ACK may have been read already
  }

  void OnCancel() override { End(absl::CancelledError("the proxy has gone")); }

  void OnDone() override {
    parts_.proxies.Leave(*stream_.proxy());
    parts_.metrics.streams.Decrement();
    LOG_EVENT(LogLevel::kInfo, "stream_ended", {"peer", peer_}, {"node", NodeId()});
    std::unique_ptr<ResourceWatch> watch;
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      watch = std::move(watch_);
    }
    watch.reset();
    first_alarm_.Cancel();
    age_alarm_.Cancel();
    {
      const std::lock_guard lock(service_.mutex_);
      service_.calls_.erase(this);
    }
    ticket_ = PeerLimit::Ticket();
    const std::shared_ptr<Call> self = std::move(self_);  // the last touch, unless a push is on
  }

 private:
  // False: the proxy holds the state that there is, perhaps as a later generation of the same
  // content, which nothing is sent for.
  bool Send() {
    const std::lock_guard lock(mutex_);
    if (ended_ || watch_ == nullptr || writing_ || stream_.in_flight()) return true;
    std::optional<OutgoingResponse> response = stream_.NextResponse(*watch_->Take());
    if (!response) return false;
    response_ = ToByteBuffer(*response);
    sent_ = absl::Now();
    parts_.metrics.responses_total.Increment();
    parts_.metrics.resources_sent_total.Increment(static_cast<double>(response->changed.size()) +
                                                  response->head.removed_size());
    parts_.metrics.sent_bytes_total.Increment(static_cast<double>(response_.Length()));
    writing_ = true;
    StartWrite(&response_);
    return true;
  }

  absl::StatusOr<RequestOutcome> Take(const v1::DiscoveryRequest& request, absl::Time& sent) {
    const std::lock_guard lock(mutex_);
    sent = sent_;
    return stream_.OnRequest(request, absl::Now());
  }

  void Opened() {
    LOG_EVENT(LogLevel::kInfo, "stream_opened", {"peer", peer_}, {"node", NodeId()},
              {"fleet", stream_.proxy()->fleet()});
    first_alarm_.Cancel();
    const ProxyPtr twin = parts_.proxies.Join(stream_.proxy(), instance_);
    if (twin != nullptr) WarnOfTwin(*twin);
    auto watch = parts_.cache.Watch(stream_.proxy()->fleet(),
                                    [&threads = service_.push_threads_, call = weak_from_this()] {
                                      (void)threads.TryAdd([call] {
                                        if (const std::shared_ptr<Call> alive = call.lock())
                                          alive->Push();
                                      });
                                    });
    {
      const std::lock_guard lock(mutex_);
      watch_ = std::move(watch);
    }
    EndAfter(service_.RandomAge(), age_alarm_, absl::OkStatus());  // it is to come again
  }

  // Perhaps the other one is dead, and its connection has not been found to be so.
  void WarnOfTwin(const ProxyState& twin) {
    parts_.metrics.node_id_conflicts_total.Increment();
    LOG_EVENT_LIMITED(LogLevel::kWarn, "node_id_taken_twice", {"node", NodeId()},
                      {"fleet", stream_.proxy()->fleet()}, {"peer", peer_},
                      {"other_peer", twin.address()});
  }

  void Answered(const AckResult& answer, absl::Duration push) {
    Observe(parts_.metrics.push_seconds, push);
    if (answer.refused.empty()) parts_.metrics.acks_total.Increment();
    parts_.metrics.stale_total.Increment(static_cast<double>(answer.stale.size()));
    for (const v1::ResourceError& error : answer.stale) {
      LOG_EVENT_LIMITED(LogLevel::kWarn, "resource_stale", {"node", NodeId()},
                        {"type", v1::ResourceType_Name(error.key().type())},
                        {"name", error.key().name()}, {"error", error.error_detail()});
    }
    for (const v1::ResourceError& error : answer.refused) {
      parts_.metrics.nacks_total.Increment();
      LOG_EVENT(LogLevel::kWarn, "resource_nacked", {"node", NodeId()},
                {"type", v1::ResourceType_Name(error.key().type())}, {"name", error.key().name()},
                {"version", error.version()}, {"field", error.field()},
                {"error", error.error_detail()});
    }
  }

  // The proxy broke the protocol.
  void Break(const absl::Status& status) {
    parts_.metrics.protocol_errors_total.Increment();
    LOG_EVENT_LIMITED(LogLevel::kWarn, "stream_refused", {"peer", peer_}, {"node", NodeId()},
                      {"error", FromAbsl(status.message())});
    End(status);
  }

  // `alarm` is set once: gRPC's cannot be set anew while its callback may be on its way.
  void EndAfter(absl::Duration age, grpc::Alarm& alarm, absl::Status status) {
    alarm.Set(absl::ToChronoTime(absl::Now() + age),
              [call = weak_from_this(), status = std::move(status)](bool due) {
                const std::shared_ptr<Call> alive = due ? call.lock() : nullptr;
                if (alive != nullptr) alive->End(status);
              });
  }

  // --- these need `mutex_` ---

  void Read() {
    if (ended_) return;
    request_.Clear();
    StartRead(&request_);
  }

  void EndLocked(const absl::Status& status) {
    if (ended_) return;
    ended_ = true;
    Finish(ToGrpcStatus(status));
  }

  std::string NodeId() const { return stream_.open() ? stream_.proxy()->node_id() : ""; }

  DiscoveryService& service_;
  const Parts& parts_;
  const std::string peer_;
  const std::string instance_;  // empty: it does not say
  PeerLimit::Ticket ticket_;    // until OnDone
  const Admission admission_;
  std::shared_ptr<Call> self_;
  grpc::Alarm first_alarm_;
  grpc::Alarm age_alarm_;

  std::mutex mutex_;
  DiscoveryStream stream_;
  std::unique_ptr<ResourceWatch> watch_;  // from the first request on
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
  bool writing_ = false;
  absl::Time sent_;
  bool ended_ = false;
};

DiscoveryService::DiscoveryService(const Parts& parts, const Options& options)
    : parts_(parts),
      options_(options),
      limit_(options.streams, "discovery streams", "--max-streams, --max-peer-streams"),
      random_(std::random_device()()),
      push_threads_(kPushThreads, kNoLimit) {}

DiscoveryService::~DiscoveryService() = default;

absl::Duration DiscoveryService::RandomAge() {
  const std::lock_guard lock(mutex_);
  return options_.max_age * std::uniform_real_distribution<>(0.9, 1.1)(random_);
}

std::vector<std::shared_ptr<DiscoveryService::Call>> DiscoveryService::Calls() {
  std::vector<std::shared_ptr<Call>> calls;
  const std::lock_guard lock(mutex_);
  for (Call* call : calls_) calls.push_back(call->shared_from_this());
  return calls;
}

void DiscoveryService::RecheckAll() {
  for (const std::shared_ptr<Call>& call : Calls()) call->Recheck();
}

void DiscoveryService::EndAll() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  for (const std::shared_ptr<Call>& call : Calls()) {
    call->End(absl::UnavailableError("weir-control ends: come again"));
  }
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* DiscoveryService::Stream(
    grpc::CallbackServerContext* context) {
  absl::StatusOr<Admission> caller =
      CheckCaller(*context, Role::kDiscovery, parts_.access, parts_.metrics);
  if (!caller.ok()) return new RefusedCall(caller.status());
  absl::StatusOr<PeerLimit::Ticket> ticket = limit_.Enter(PeerHost(*context));
  if (!ticket.ok()) {
    parts_.metrics.limit_refusals_total.Increment();
    LOG_EVENT_LIMITED(LogLevel::kWarn, "stream_refused", {"peer", PeerAddress(*context)},
                      {"error", FromAbsl(ticket.status().message())});
    return new RefusedCall(ticket.status());
  }
  auto call = std::make_shared<Call>(*this, PeerAddress(*context), InstanceOf(*context),
                                     *std::move(ticket), *std::move(caller));
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return new RefusedCall(absl::UnavailableError("weir-control ends"));
    calls_.insert(call.get());
  }
  call->Begin();
  call->Recheck();  // the table may have changed before the call was among those that are checked
  return call.get();
}

}  // namespace weir
