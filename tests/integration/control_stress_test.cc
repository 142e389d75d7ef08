// weir-control under everything at once, through real gRPC on loopback: administrators who change
// the same few pools, wait, ask, give up and run out of time; proxies and watchers that come and
// go; scrapes; credentials that are read again. In the end all that have something to say of the
// pools agree.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "controlplane/server/control_process.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "gtest/gtest.h"
#include "httplib.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "proxy/base/uuid.h"
#include "tests/integration/stress_clients.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_authority.h"

namespace weir {
namespace {

using ::grpc::StatusCode;
using ::testing::HasSubstr;
using AsyncStub = v1::AdminService::StubInterface::async_interface;

constexpr std::array<const char*, 4> kPools = {"alpha", "beta", "delta", "gamma"};
constexpr uint32_t kShards = 5;
constexpr uint32_t kAdministrators = 4;
constexpr uint32_t kCallsOfEach = 80;
constexpr uint32_t kStreams = 12;
constexpr uint32_t kWatchers = 3;

// Every state of a pool under its etag, as any answer shows it, and that no two have the same.
class States {
 public:
  void Saw(const v1::Pool& pool) {
    const std::string content =
        StrCat(pool.uid(), pool.spec().ShortDebugString(), pool.shard_map().ShortDebugString());
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(states_.try_emplace(pool.etag(), content).first->second, content);
  }

  // A change that came into force led to this one.
  void Made(const v1::Pool& pool) {
    Saw(pool);
    const std::lock_guard lock(mutex_);
    EXPECT_TRUE(made_.insert(pool.etag()).second) << "made twice: " << pool.ShortDebugString();
  }

  size_t made() const { return made_.size(); }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> states_;  // by etag
  std::set<std::string> made_;
};

// How a caller treats its call.
enum class Patience { kWaits, kCancels, kHurries };

// Someone who makes calls of the admin API, one after the other.
class Administrator {
 public:
  Administrator(const StressServer& server, States& states, uint32_t seed)
      : server_(server),
        states_(states),
        random_(seed),
        stub_(v1::AdminService::NewStub(server.connect())) {}

  // Makes all its calls.
  void Run() {
    for (uint32_t i = 0; i < kCallsOfEach; ++i) {
      const std::string pool = AnyPool();
      if (random_.OneIn(4)) {
        Read(pool);
      } else {
        Change(pool);
      }
    }
  }

  // Makes a call as `patience` says: its status, which is one that the API has for it.
  template <typename Request, typename Response>
  StatusCode Call(void (AsyncStub::*method)(grpc::ClientContext*, const Request*, Response*,
                                            std::function<void(grpc::Status)>),
                  const Request& request, Response& response, Patience patience,
                  const std::string& role = "read") {
    grpc::ClientContext context;
    server_.authorize(context, role);
    if (patience == Patience::kHurries) {
      context.set_deadline(std::chrono::system_clock::now() +
                           std::chrono::milliseconds(random_.Below(10)));
    }
    std::promise<grpc::Status> answered;
    (stub_->async()->*method)(&context, &request, &response,
                              [&answered](const grpc::Status& end) { answered.set_value(end); });
    if (patience == Patience::kCancels) context.TryCancel();
    const grpc::Status status = answered.get_future().get();
    static const std::set<StatusCode> kExpected = {StatusCode::OK, StatusCode::NOT_FOUND,
                                                   StatusCode::ALREADY_EXISTS, StatusCode::ABORTED,
                                                   StatusCode::FAILED_PRECONDITION};
    const bool given_up =
        patience != Patience::kWaits && (status.error_code() == StatusCode::CANCELLED ||
                                         status.error_code() == StatusCode::DEADLINE_EXCEEDED);
    EXPECT_TRUE(given_up || kExpected.contains(status.error_code()))
        << status.error_code() << " " << status.error_message() << ": "
        << request.ShortDebugString();
    return status.error_code();
  }

  std::optional<v1::Pool> Get(const std::string& pool) {
    v1::GetPoolRequest request;
    request.set_name(pool);
    v1::Pool response;
    if (Call(&AsyncStub::GetPool, request, response, Patience::kWaits) != StatusCode::OK) {
      return std::nullopt;
    }
    states_.Saw(response);
    return response;
  }

  v1::ListProxiesResponse ListProxies() {
    v1::ListProxiesResponse response;
    Call(&AsyncStub::ListProxies, v1::ListProxiesRequest(), response, Patience::kWaits);
    return response;
  }

  // The pool is there, and every proxy has what it has become; how they answered.
  std::vector<v1::ProxyResult> Finish(const std::string& pool) {
    v1::ChangeResponse response;
    Call(&AsyncStub::CreatePool, CreateRequest(pool), response, Patience::kWaits, "write");
    v1::UpdatePoolRequest request;  // moves no key, so that the guard does not hold it
    request.set_name(pool);
    request.mutable_spec()->mutable_policy()->set_timeout(77);
    request.mutable_update_mask()->add_paths("policy.timeout");
    request.mutable_options()->set_force(true);
    request.mutable_options()->set_wait(v1::WAIT_ALL_CONNECTED);
    request.mutable_options()->mutable_wait_timeout()->set_seconds(300);
    EXPECT_EQ(Call(&AsyncStub::UpdatePool, request, response, Patience::kWaits, "write"),
              StatusCode::OK);
    EXPECT_FALSE(response.held()) << response.ShortDebugString();
    return {response.proxies().begin(), response.proxies().end()};
  }

 private:
  std::string AnyPool() { return kPools[random_.Below(kPools.size())]; }
  std::string AnyShard() { return StrCat("s", random_.Below(kShards)); }
  Patience AnyPatience() {
    if (random_.OneIn(8)) return Patience::kCancels;
    return random_.OneIn(8) ? Patience::kHurries : Patience::kWaits;
  }

  void Read(const std::string& pool) {
    switch (random_.Below(4)) {
      case 0: {
        v1::ListPoolsResponse response;
        Call(&AsyncStub::ListPools, v1::ListPoolsRequest(), response, Patience::kWaits);
        for (const v1::Pool& shown : response.pools()) states_.Saw(shown);
        break;
      }
      case 1: {
        v1::ListVersionsRequest request;
        request.set_pool(pool);
        v1::ListVersionsResponse response;
        Call(&AsyncStub::ListVersions, request, response, AnyPatience());
        break;
      }
      case 2: {
        v1::ExplainKeyRequest request;
        request.set_pool(pool);
        request.set_key("user:1");
        v1::ExplainKeyResponse response;
        Call(&AsyncStub::ExplainKey, request, response, AnyPatience());
        break;
      }
      default:
        ListProxies();
    }
  }

  void Change(const std::string& pool) {
    switch (random_.Below(9)) {
      case 0:
        return Make(&AsyncStub::CreatePool, CreateRequest(pool));
      case 1: {
        if (!random_.OneIn(4)) return Make(&AsyncStub::CreatePool, CreateRequest(pool));
        v1::DeletePoolRequest request;
        request.set_name(pool);
        request.set_allow_missing(random_.OneIn(2));
        return Make(&AsyncStub::DeletePool, std::move(request));
      }
      case 2: {
        v1::UpdatePoolRequest request;
        request.set_name(pool);
        request.mutable_spec()->mutable_policy()->set_timeout(100 + random_.Below(100));
        request.mutable_update_mask()->add_paths("policy.timeout");
        return Make(&AsyncStub::UpdatePool, std::move(request));
      }
      case 3: {
        v1::RemoveShardRequest request;
        request.set_pool(pool);
        request.set_shard(AnyShard());
        return Make(&AsyncStub::RemoveShard, std::move(request));
      }
      case 4: {
        v1::UpdateShardRequest request;
        request.set_pool(pool);
        request.set_shard(AnyShard());
        request.set_weight(1 + random_.Below(3));
        return Make(&AsyncStub::UpdateShard, std::move(request));
      }
      case 5: {
        v1::DrainShardRequest request;
        request.set_pool(pool);
        request.set_shard(AnyShard());
        request.set_undo(random_.OneIn(2));
        return Make(&AsyncStub::DrainShard, std::move(request));
      }
      case 6:
        return GoBack(pool);
      default: {
        v1::AddShardRequest request;
        request.set_pool(pool);
        request.mutable_shard()->set_name(AnyShard());
        // A name that is looked up, or an address.
        request.mutable_shard()->set_endpoint(
            StrCat(random_.OneIn(3) ? "localhost:" : "127.0.0.1:", 6000 + random_.Below(3)));
        return Make(&AsyncStub::AddShard, std::move(request));
      }
    }
  }

  static v1::CreatePoolRequest CreateRequest(const std::string& pool) {
    v1::CreatePoolRequest request;
    request.set_name(pool);
    request.mutable_spec()->mutable_policy()->set_listen("127.0.0.1:22121");
    request.mutable_spec()->mutable_policy()->set_redis(true);
    v1::ShardSpec& shard = *request.mutable_spec()->add_servers();
    shard.set_name("s0");
    shard.set_endpoint("127.0.0.1:6379");
    // The guard holds some changes of the others.
    if (pool < "c") request.mutable_spec()->mutable_guard()->set_max_moved_fraction(1);
    return request;
  }

  // Approves what is held, or goes a step back.
  void GoBack(const std::string& pool) {
    const std::optional<v1::Pool> shown = Get(pool);
    if (!shown) return;
    if (shown->status().has_held()) {
      v1::ApprovePlanRequest request;
      request.set_pool(pool);
      request.set_plan_id(shown->status().held().plan().id());
      return Make(&AsyncStub::ApprovePlan, std::move(request));
    }
    v1::RollbackRequest request;
    request.set_pool(pool);
    request.set_generation(std::max<uint64_t>(shown->shard_map().generation(), 2) - 1);
    Make(&AsyncStub::Rollback, std::move(request));
  }

  // Makes a change: over what the pool is, or as it was read; for nobody, or waiting for proxies;
  // in truth, or to see the plan; once, or again as if no answer had come.
  template <typename Request>
  void Make(void (AsyncStub::*method)(grpc::ClientContext*, const Request*, v1::ChangeResponse*,
                                      std::function<void(grpc::Status)>),
            Request request) {
    v1::ChangeOptions& options = *request.mutable_options();
    const std::optional<v1::Pool> read = random_.OneIn(4) ? Get(AnyPool()) : std::nullopt;
    if (read) {
      options.set_etag(read->etag());
    } else {
      options.set_force(true);
    }
    if (random_.OneIn(8)) options.set_wait(v1::WAIT_ALL_CONNECTED);
    options.set_validate_only(random_.OneIn(8));
    if (random_.OneIn(2)) options.set_request_id(RandomUuid());
    v1::ChangeResponse response;
    if (Call(method, request, response, AnyPatience(), "write") != StatusCode::OK) return;
    const bool in_force =
        !options.validate_only() && !response.held() && !response.plan().changes().empty();
    const bool is_deletion = std::is_same_v<Request, v1::DeletePoolRequest>;
    if (in_force && !is_deletion) states_.Made(response.pool());
    if (options.request_id().empty() || options.validate_only() || !random_.OneIn(4)) return;
    v1::ChangeResponse again;
    EXPECT_EQ(Call(method, request, again, Patience::kWaits, "write"), StatusCode::OK);
    EXPECT_EQ(again.plan().id(), response.plan().id());
    EXPECT_EQ(again.held(), response.held());
  }

  const StressServer& server_;
  States& states_;
  StressRandom random_;
  const std::unique_ptr<v1::AdminService::Stub> stub_;
};

// With TLS and credentials, or plain and open to everyone.
class ControlStressTest : public ::testing::TestWithParam<bool> {
 protected:
  ControlStressTest() {
    ControlOptions options;
    options.data_dir = Path("data");
    options.listen_discovery = TcpEndpoint("127.0.0.1", 0);
    options.listen_admin = TcpEndpoint("127.0.0.1", 0);
    options.http = TcpEndpoint("127.0.0.1", 0);
    if (is_secure()) {
      authority_.emplace(directory_.path());
      authority_->Issue("server", "localhost");
      options.tls_cert = Path("server.pem");
      options.tls_key = Path("server.key");
      options.tokens = Path("tokens");
      WriteTokens();
    }
    auto process = ControlProcess::Start(options);
    CHECK(process.ok());
    process_ = *std::move(process);
    admin_server_ = ServerAt(process_->admin_port());
    discovery_server_ = ServerAt(process_->discovery_port());
  }

  static bool is_secure() { return GetParam(); }
  std::string Path(std::string_view name) const { return StrCat(directory_.path(), "/", name); }

  // Hashes: printf %s TOKEN | sha256sum, of the roles' names. Each time another file.
  void WriteTokens() {
    std::ofstream(Path("tokens.new"))
        << "# " << ++tokens_written_ << "\n"
        << "d discovery sha256:fa44132b238e67958fb17d33a71d325221805079909c3a7f5bed1a03666cf834\n"
        << "r read sha256:3316348dbadfb7b11c7c2ea235949419e23f9fa898ad2c198f999617912a9925\n"
        << "w write sha256:10fd874b68dad080ed706762c8e163dabb20514bddae38fb159c56f714a3b143\n";
    std::filesystem::rename(Path("tokens.new"), Path("tokens"));
  }

  std::shared_ptr<grpc::Channel> Connect(uint16_t port) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const std::string address = StrCat("127.0.0.1:", port);
    if (!is_secure()) {
      return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    }
    std::stringstream authority;
    authority << std::ifstream(Path("ca.pem")).rdbuf();
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = authority.str();
    return grpc::CreateCustomChannel(address, grpc::SslCredentials(options), arguments);
  }

  StressServer ServerAt(uint16_t port) const {
    return {.connect = [this, port] { return Connect(port); },
            .authorize =
                [secure = is_secure()](grpc::ClientContext& context, const std::string& role) {
                  if (secure) context.AddMetadata("authorization", StrCat("Bearer ", role));
                }};
  }

  // What a monitoring system and an operator do meanwhile.
  void ScrapeAndWriteTokens() {
    httplib::Client http("127.0.0.1", process_->http_port());
    while (changing_) {
      EXPECT_THAT(http.Get("/metrics")->body, HasSubstr("weir_control_acks_total"));
      EXPECT_EQ(http.Get("/readyz")->status, 200);
      if (is_secure()) WriteTokens();
      std::this_thread::yield();
    }
  }

  void MakeChanges() {
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < kAdministrators; ++i) {
      threads.emplace_back([this, i] { Administrator(admin_server_, states_, i).Run(); });
    }
    std::thread beside([this] { ScrapeAndWriteTokens(); });
    for (std::thread& thread : threads) thread.join();
    changing_ = false;
    beside.join();
  }

  // Every proxy holds exactly the pools.
  static void ExpectHeld(const StressStream& stream, const std::vector<v1::Pool>& pools) {
    std::map<std::pair<v1::ResourceType, std::string>, std::string> versions;
    for (const v1::Pool& pool : pools) {
      versions[{v1::RESOURCE_POOL, pool.name()}] = pool.status().version();
      versions[{v1::RESOURCE_ENDPOINTS, pool.name()}] = pool.status().endpoints_version();
    }
    EXPECT_EQ(stream.Held(), versions);
  }

  static void ExpectShown(const StressWatcher& watcher, const std::vector<v1::Pool>& pools) {
    EXPECT_EQ(watcher.pools().size(), pools.size());
    for (const v1::Pool& pool : pools) {
      const auto shown = watcher.pools().find(pool.name());
      ASSERT_NE(shown, watcher.pools().end()) << pool.name();
      EXPECT_EQ(shown->second.etag(), pool.etag());
    }
  }

  TempDirectory directory_;
  std::optional<TestAuthority> authority_;
  int tokens_written_ = 0;  // the scraper's, after the start
  std::unique_ptr<ControlProcess> process_;
  StressServer admin_server_;
  StressServer discovery_server_;
  States states_;
  std::atomic<bool> changing_ = true;
};

TEST_P(ControlStressTest, InTheEndAllAgreeWhateverHappenedAtOnce) {
  std::deque<StressStream> streams;
  for (uint32_t i = 0; i < kStreams; ++i) {
    const uint32_t node = i == 1 ? 0 : i;  // two have the same one
    streams.emplace_back(discovery_server_, StrCat("p", node), StrCat("i", i), i);
  }
  std::deque<StressWatcher> watchers;
  for (uint32_t i = 0; i < kWatchers; ++i) watchers.emplace_back(admin_server_, i);
  MakeChanges();
  EXPECT_GT(states_.made(), kAdministrators * kCallsOfEach / 10);

  for (StressStream& stream : streams) stream.Settle();
  for (StressWatcher& watcher : watchers) watcher.Settle();
  for (StressStream& stream : streams) stream.AwaitSettled();
  Administrator last(admin_server_, states_, kAdministrators);
  std::vector<v1::Pool> pools;
  for (const char* pool : kPools) {
    const std::vector<v1::ProxyResult> results = last.Finish(pool);
    EXPECT_EQ(results.size(), kStreams);
    for (const v1::ProxyResult& result : results) {
      EXPECT_EQ(result.outcome(), v1::PROXY_ACKED) << result.ShortDebugString();
    }
    pools.push_back(*last.Get(pool));
  }
  const v1::ListProxiesResponse proxies = last.ListProxies();
  EXPECT_EQ(proxies.proxies_size(), static_cast<int>(kStreams));
  for (const v1::Proxy& proxy : proxies.proxies()) EXPECT_TRUE(proxy.in_sync());

  process_->Shutdown();
  for (StressStream& stream : streams) {
    stream.Join();
    EXPECT_EQ(stream.end().error_code(), StatusCode::UNAVAILABLE) << stream.end().error_message();
    EXPECT_GT(stream.taken(), 0u);
    ExpectHeld(stream, pools);
  }
  for (StressWatcher& watcher : watchers) {
    watcher.Join();
    EXPECT_EQ(watcher.end().error_code(), StatusCode::UNAVAILABLE) << watcher.end().error_message();
    ExpectShown(watcher, pools);
  }
}

INSTANTIATE_TEST_SUITE_P(Transports, ControlStressTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Tls" : "Plain"; });

}  // namespace
}  // namespace weir
