#include "proxy/xds/ads_client.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "grpcpp/support/client_callback.h"
#include "proto/weir/v1/discovery.grpc.pb.h"
#include "proxy/base/check.h"
#include "proxy/base/endpoint.h"
#include "proxy/base/log.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"
#include "proxy/base/uuid.h"

namespace weir {
namespace {

constexpr int kMaxResponseBytes = 16 << 20;
constexpr int kConnectTimeoutMs = 5'000;
// weir-control permits a ping every 5 s.
constexpr int kKeepaliveTimeMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 10'000;

// From the attempt to connect to the first response.
constexpr Duration kAnswerLimit = std::chrono::seconds(15);
constexpr Duration kReportInterval = std::chrono::seconds(5);
// Between two reports, however much happens.
constexpr Duration kLeastReportInterval = std::chrono::milliseconds(200);
// Applied versions in one report; the next one goes on behind them.
constexpr size_t kMaxReportedVersions = 1000;
// Longest wait before the next control plane, when there is one to try.
constexpr absl::Duration kTurnDelay = absl::Milliseconds(200);
// A stream that ends sooner was no success: its control plane is not to be asked at once again.
constexpr Duration kSettled = std::chrono::seconds(5);
// Longest wait after such a stream: a control plane that was started a few times is there.
constexpr absl::Duration kLongestAfterAnswer = absl::Seconds(4);

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unavailable(path, ": cannot be read");
  std::string text(std::istreambuf_iterator<char>(file), {});
  // Not the same as no file: gRPC would trust the system's authorities then.
  if (text.empty()) return Unavailable(path, ": is empty");
  return text;
}

// Empty without a file.
absl::StatusOr<std::string> ReadToken(const std::string& path) {
  if (path.empty()) return path;
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text;
  std::string token(absl::StripAsciiWhitespace(*text));
  // gRPC aborts the process for the sake of any other byte in a header.
  if (token.empty() || !std::ranges::all_of(token, absl::ascii_isgraph)) {
    return Unavailable(path, ": expected one token of printable ASCII without blanks");
  }
  return token;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsOf(
    const ControlCredentials& credentials) {
  if (credentials.ca_file.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions ssl;
  const std::pair<const std::string&, std::string&> files[] = {
      {credentials.ca_file, ssl.pem_root_certs},
      {credentials.cert_file, ssl.pem_cert_chain},
      {credentials.key_file, ssl.pem_private_key}};
  for (const auto& [file, text] : files) {
    if (file.empty()) continue;
    absl::StatusOr<std::string> read = ReadFile(file);
    if (!read.ok()) return read.status();
    text = *std::move(read);
  }
  return grpc::SslCredentials(ssl);
}

// `control` is who is to answer at the address of the channel.
grpc::ChannelArguments ChannelArgumentsOf(const std::string& control) {
  grpc::ChannelArguments arguments;
  const Endpoint endpoint = *ParseEndpoint(control);
  if (!LiteralAddress(endpoint)) {
    // The name that a certificate is to have.
    arguments.SetSslTargetNameOverride(endpoint.host);
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, control);
  }
  arguments.SetMaxReceiveMessageSize(kMaxResponseBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  // Another channel to the same place would share its wait after a failed attempt.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

// The control plane is behind: until it has caught up, its changes do nothing here.
void WarnOfStale(const v1::Ack& ack) {
  for (const v1::HeldState& newer : ack.newer()) {
    LOG_EVENT_LIMITED(LogLevel::kWarn, "resource_stale",
                      {"type", v1::ResourceType_Name(newer.key().type())},
                      {"name", newer.key().name()}, {"held_generation", newer.generation()});
  }
}

}  // namespace

// One call. The client's alone, which keeps it until OnEnded has run: with the last channel gRPC
// joins its threads, so none of them may be the one that lets go of it.
class AdsClient::Stream final
    : public grpc::ClientBidiReactor<v1::DiscoveryRequest, v1::DiscoveryResponse> {
 public:
  Stream(EventLoop& loop, std::weak_ptr<AdsClient*> client)
      : loop_(loop), client_(std::move(client)) {}

  // Begins the call.
  void Start(const std::shared_ptr<grpc::Channel>& channel, const std::string& token,
             const std::string& instance, v1::DiscoveryRequest first) {
    stub_ = v1::DiscoveryService::NewStub(channel);
    if (!token.empty()) context_.AddMetadata("authorization", StrCat("Bearer ", token));
    context_.AddMetadata("weir-instance", instance);
    stub_->async()->Stream(&context_, this);
    AddHold();  // until nothing more is read
    StartRead(&response_);
    requests_.push_back(std::move(first));
    StartWrite(&requests_.front());
    StartCall();
  }

  // Requests go out in order; none is lost while the stream lives.
  void Send(v1::DiscoveryRequest request) {
    std::lock_guard lock(mutex_);
    if (!writable_) return;
    requests_.push_back(std::move(request));
    if (requests_.size() == 1) StartWrite(&requests_.front());
  }

  // A report goes out when nothing else does; only the last one waits.
  void SendReport(v1::DiscoveryRequest request) {
    std::lock_guard lock(mutex_);
    if (!writable_) return;
    if (!requests_.empty()) {
      report_ = std::move(request);
      return;
    }
    requests_.push_back(std::move(request));
    StartWrite(&requests_.front());
  }

  // The response was dealt with: the next one may come.
  void ReadNext() {
    std::lock_guard lock(mutex_);
    if (hold_released_) return;
    reading_ = true;
    StartRead(&response_);
  }

  // OnDone follows.
  void Cancel() {
    context_.TryCancel();
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      if (reading_ || hold_released_) return;
      hold_released_ = true;
      writable_ = false;
    }
    RemoveHold();
  }

  // Until gRPC is done with it. It may be destroyed then, not before.
  void Wait() {
    std::unique_lock lock(mutex_);
    done_changed_.wait(lock, [this] { return done_; });
  }

 private:
  void OnReadDone(bool ok) override {
    bool over = false;
    {
      std::lock_guard lock(mutex_);
      reading_ = false;
      over = !ok || cancelled_;  // nobody asks for the next one then
      if (over) {
        hold_released_ = true;
        writable_ = false;
      }
    }
    if (over) return RemoveHold();
    Post([response = std::move(response_)](AdsClient& client) mutable {
      client.OnResponse(std::move(response));
    });
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    requests_.pop_front();
    if (!ok) {
      // What broke it ends the reads, too.
      writable_ = false;
      requests_.clear();
      report_.reset();
      context_.TryCancel();
      return;
    }
    if (requests_.empty() && report_.has_value()) {
      requests_.push_back(*std::exchange(report_, std::nullopt));
    }
    if (!requests_.empty() && writable_) StartWrite(&requests_.front());
  }

  void OnDone(const grpc::Status& status) override {
    Post([status](AdsClient& client) {
      client.OnEnded(status.ok() ? "ended by the control plane" : status.error_message(),
                     status.ok());
    });
    std::lock_guard lock(mutex_);
    done_ = true;
    done_changed_.notify_all();
  }

  template <typename Function>
  void Post(Function function) {
    // The client waits for OnDone before it ends, so the loop is there.
    loop_.Post([client = client_, function = std::move(function)]() mutable {
      if (const std::shared_ptr<AdsClient*> there = client.lock()) function(**there);
    });
  }

  EventLoop& loop_;
  const std::weak_ptr<AdsClient*> client_;
  std::unique_ptr<v1::DiscoveryService::Stub> stub_;
  grpc::ClientContext context_;
  v1::DiscoveryResponse response_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable done_changed_;
  std::deque<v1::DiscoveryRequest> requests_;  // the first is being written
  std::optional<v1::DiscoveryRequest> report_;
  bool reading_ = true;         // a read has begun and not ended
  bool cancelled_ = false;      // nobody asks for more
  bool hold_released_ = false;  // no read begins any more
  bool writable_ = true;        // no write has failed
  bool done_ = false;
};

AdsClient::AdsClient(EventLoop& loop, AdsOptions options, AdsHandler& handler)
    : loop_(loop),
      options_(std::move(options)),
      handler_(handler),
      instance_(RandomUuid()),
      state_(options_.node, options_.pools),
      backoff_(std::random_device()()),
      turns_(options_.controls, std::random_device()()),
      connect_timer_(loop.timers(), [this] { Connect(); }),
      answer_timer_(loop.timers(), [this] { GiveUp(); }),
      report_timer_(loop.timers(), [this] { Report(); }),
      resolver_({.lookup = options_.lookup}),
      self_(std::make_shared<AdsClient*>(this)) {
  state_.Restore(options_.restored);
}

AdsClient::~AdsClient() {
  self_.reset();
  if (stream_ == nullptr) return;
  stream_->Cancel();
  stream_->Wait();
}

void AdsClient::Start() { Connect(); }

void AdsClient::LookUp() {
  answer_timer_.ArmAt(loop_.now() + kAnswerLimit);
  const auto done = [&loop = loop_, client = std::weak_ptr(self_),
                     number = ++look_ups_](const absl::StatusOr<Addresses>& addresses) {
    loop.Post([client, number, addresses] {
      if (const std::shared_ptr<AdsClient*> there = client.lock()) {
        (*there)->OnLookedUp(number, addresses);
      }
    });
  };
  resolver_.Resolve(*ParseEndpoint(turns_.control()), done);
}

void AdsClient::OnLookedUp(uint64_t number, const absl::StatusOr<Addresses>& addresses) {
  if (number != look_ups_) return;  // it took too long
  if (!addresses.ok()) return OnEnded(std::string(FromAbsl(addresses.status().message())));
  std::vector<std::string> texts;
  for (const ResolvedAddress& address : *addresses) texts.push_back(address.ToString());
  turns_.SetAddresses(std::move(texts));
  Connect();
}

void AdsClient::Connect() {
  if (turns_.address().empty()) return LookUp();
  const bool secure = !options_.credentials.ca_file.empty();
  const auto credentials = ChannelCredentialsOf(options_.credentials);
  const absl::StatusOr<std::string> token = ReadToken(options_.credentials.token_file);
  for (const absl::Status& status : {credentials.status(), token.status()}) {
    if (!status.ok()) return OnEnded(std::string(FromAbsl(status.message())));
  }
  const std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomChannel(
      turns_.address(), *credentials, ChannelArgumentsOf(turns_.control()));
  if (!ever_answered_) state_.Restore(handler_.RestoreMore(state_.held()));
  answered_ = false;
  stream_ = std::make_unique<Stream>(loop_, self_);
  stream_->Start(channel, *token, instance_, state_.OnConnected(secure));
  answer_timer_.ArmAt(loop_.now() + kAnswerLimit);
}

void AdsClient::GiveUp() {
  if (stream_ != nullptr) return stream_->Cancel();  // OnEnded follows
  ++look_ups_;
  OnEnded("no answer from name servers");
}

void AdsClient::OnResponse(v1::DiscoveryResponse response) {
  if (!std::exchange(answered_, true)) {
    ever_answered_ = true;
    answer_timer_.Disarm();
    answered_at_ = loop_.now();
    report_timer_.ArmAt(loop_.now() + kLeastReportInterval);
    LOG_EVENT(LogLevel::kNotice, "control_connected", {"control", turns_.control()},
              {"address", turns_.address()});
  }
  Perform(state_.OnResponse(std::move(response)));
  stream_->ReadNext();
}

void AdsClient::Perform(SubscriptionStep step) {
  while (true) {
    if (step.send.has_value()) {
      WarnOfStale(step.send->ack());
      stream_->Send(*std::move(step.send));
    }
    if (!step.apply.has_value()) return;
    const std::vector<v1::ResourceError> errors = handler_.ApplyChange(state_.held(), *step.apply);
    step = state_.OnApplied(errors);
    handler_.OnHeldChanged(state_.held());
  }
}

void AdsClient::OnEnded(const std::string& error, bool is_normal) {
  state_.OnDisconnected();
  if (stream_ != nullptr) stream_->Wait();
  stream_.reset();
  answer_timer_.Disarm();
  report_timer_.Disarm();
  if (std::exchange(renewing_, false)) {
    answered_ = false;
    connect_timer_.ArmAt(loop_.now());
    return;
  }
  const bool served = answered_ && loop_.now() - answered_at_ >= kSettled;
  if (served) {
    backoff_.Reset();
  } else if (answered_) {
    backoff_.Limit(kLongestAfterAnswer);
  }
  const auto [control, address] = std::pair(turns_.control(), turns_.address());
  const bool at_once = turns_.Advance(served);
  const absl::Duration wait = at_once ? backoff_.Jitter(kTurnDelay) : backoff_.Next();
  LogEnd(control, address, error, is_normal, wait);
  answered_ = false;
  connect_timer_.ArmAt(loop_.now() + absl::ToChronoNanoseconds(wait));
}

void AdsClient::LogEnd(const std::string& control, const std::string& address,
                       const std::string& error, bool is_normal, absl::Duration wait) const {
  const int64_t wait_ms = absl::ToInt64Milliseconds(wait);
  if (is_normal && answered_) {
    LOG_EVENT_LIMITED(LogLevel::kNotice, "control_stream_ended", {"control", control},
                      {"address", address}, {"next_try_in_ms", wait_ms});
    return;
  }
  LOG_EVENT_LIMITED(LogLevel::kWarn, answered_ ? "control_lost" : "control_not_reached",
                    {"control", control}, {"address", address}, {"error", error},
                    {"next_try_in_ms", wait_ms});
}

void AdsClient::ReportSoon() {
  if (stream_ == nullptr || !answered_) return;
  report_timer_.ArmAt(std::max(loop_.now(), last_report_ + kLeastReportInterval));
}

bool AdsClient::Renew() {
  if (stream_ == nullptr || !answered_) return false;
  renewing_ = true;
  stream_->Cancel();  // OnEnded follows
  return true;
}

void AdsClient::Report() {
  last_report_ = loop_.now();
  v1::DiscoveryRequest request;
  v1::Report& report = *request.mutable_report();
  report = handler_.MakeReport();
  AddApplied(report);
  stream_->SendReport(std::move(request));
  report_timer_.ArmAt(loop_.now() + kReportInterval);
}

void AdsClient::AddApplied(v1::Report& report) {
  const bool secure = !options_.credentials.ca_file.empty();
  const HeldResources& held = state_.held();
  auto next = held.upper_bound(last_applied_);
  for (size_t i = 0; i < std::min(held.size(), kMaxReportedVersions); ++i, ++next) {
    if (next == held.end()) next = held.begin();
    const auto& [id, resource] = *next;
    last_applied_ = id;
    // The versions of secrets would help to guess them.
    if (id.type == v1::RESOURCE_SECRET && !secure) continue;
    v1::HeldResource& applied = *report.add_applied();
    *applied.mutable_key() = KeyOf(id);
    applied.set_version(resource->version());
  }
}

}  // namespace weir
