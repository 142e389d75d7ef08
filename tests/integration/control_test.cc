// weir-control as its clients see it: real gRPC on loopback, the embedded store below.
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/server/control_process.h"
#include "gmock/gmock.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "proto/google/rpc/error_details.pb.h"
#include "proto/google/rpc/status.pb.h"
#include "proxy/base/strings.h"
#include "tests/integration/control_client.h"
#include "tests/integration/reflection_client.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ControlTest : public ::testing::Test {
 protected:
  ControlTest() { Start(); }

  ControlOptions Options() const {
    ControlOptions options;
    options.data_dir = StrCat(directory_.path(), "/data");
    options.listen_discovery = TcpEndpoint("127.0.0.1", 0);
    options.listen_admin = TcpEndpoint("127.0.0.1", 0);
    options.http = TcpEndpoint("127.0.0.1", 0);
    return options;
  }

  void Start() { Start(Options()); }
  void Start(const ControlOptions& options) {
    auto process = ControlProcess::Start(options);
    ASSERT_TRUE(process.ok()) << process.status();
    process_ = *std::move(process);
    channel_ = grpc::CreateChannel(StrCat("127.0.0.1:", process_->admin_port()),
                                   grpc::InsecureChannelCredentials());
    admin_ = v1::AdminService::NewStub(channel_);
  }

  // Makes a call; expects it to succeed.
  template <typename Request, typename Response>
  Response Call(grpc::Status (v1::AdminService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                               Response*),
                const Request& request) {
    grpc::ClientContext context;
    Response response;
    const grpc::Status status = (admin_.get()->*method)(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_code() << " " << status.error_message();
    return response;
  }

  // With WAIT_ALL_CONNECTED the pool is published when this returns, else a moment later.
  void CreatesAlpha(v1::WaitFor wait = v1::WAIT_ALL_CONNECTED,
                    const std::string& endpoint = "127.0.0.1:6379") {
    Creates("alpha", wait, endpoint);
  }
  void Creates(const std::string& pool, v1::WaitFor wait = v1::WAIT_ALL_CONNECTED,
               const std::string& endpoint = "127.0.0.1:6379") {
    v1::CreatePoolRequest request;
    request.mutable_options()->set_wait(wait);
    request.set_name(pool);
    request.mutable_spec()->mutable_policy()->set_listen("127.0.0.1:22121");
    request.mutable_spec()->mutable_policy()->set_redis(true);
    v1::ShardSpec& shard = *request.mutable_spec()->add_servers();
    shard.set_name("a");
    shard.set_endpoint(endpoint);
    Call(&v1::AdminService::Stub::CreatePool, request);
  }

  static v1::AddShardRequest AddB(v1::WaitFor wait) {
    v1::AddShardRequest request;
    request.set_pool("alpha");
    request.mutable_shard()->set_name("b");
    request.mutable_shard()->set_endpoint("127.0.0.1:6380");
    request.mutable_options()->set_force(true);
    request.mutable_options()->set_wait(wait);
    return request;
  }

  // The names of the resources that the response brings.
  static std::vector<std::string> ChangedBy(const v1::DiscoveryResponse& response) {
    std::vector<std::string> names;
    for (const v1::Resource& resource : response.changed()) names.push_back(resource.key().name());
    return names;
  }

  std::future<v1::ChangeResponse> AddsBInTheBackground() {
    return std::async(std::launch::async, [this] {
      return Call(&v1::AdminService::Stub::AddShard, AddB(v1::WAIT_ALL_CONNECTED));
    });
  }

  TempDirectory directory_;
  std::unique_ptr<ControlProcess> process_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
};

TEST_F(ControlTest, AProxySeesAPoolThenAnAddedShardAndItsAckAnswersWait) {
  StreamClient proxy(channel_);
  proxy.Opens("p1");
  EXPECT_THAT(proxy.Takes().changed(), IsEmpty());  // nothing is missing
  CreatesAlpha(v1::WAIT_NONE);
  EXPECT_THAT(RingOf(proxy.Takes()), ElementsAre("a"));

  std::future<v1::ChangeResponse> added = AddsBInTheBackground();
  const v1::DiscoveryResponse response = proxy.Takes();
  EXPECT_THAT(RingOf(response), ElementsAre("a", "b"));
  EXPECT_EQ(response.changed_size(), 2);  // the pool and its endpoints
  const v1::ChangeResponse answer = added.get();
  ASSERT_EQ(answer.proxies_size(), 1);
  EXPECT_EQ(answer.proxies(0).node_id(), "p1");
  EXPECT_EQ(answer.proxies(0).outcome(), v1::PROXY_ACKED);
  EXPECT_GT(answer.plan().moved_fraction(), 0.3);
}

TEST_F(ControlTest, AProxyThatNamesPoolsGetsThoseAndNoOthers) {
  Creates("alpha");
  Creates("beta");
  Creates("gamma");
  StreamClient proxy(channel_);
  proxy.Opens("p1", {}, {"beta", "nobody"});
  EXPECT_THAT(ChangedBy(proxy.Takes()), ElementsAre("beta", "beta"));  // the pool, its endpoints
  proxy.Subscribes({"beta", "gamma"});
  EXPECT_THAT(ChangedBy(proxy.Takes()), ElementsAre("gamma", "gamma"));
  proxy.Subscribes({"gamma"});
  const v1::DiscoveryResponse response = proxy.Takes();
  EXPECT_THAT(response.changed(), IsEmpty());
  ASSERT_EQ(response.removed_size(), 2);
  EXPECT_EQ(response.removed(0).key().name(), "beta");

  // What becomes of others is not sent: the next response is about gamma.
  Call(&v1::AdminService::Stub::AddShard, AddB(v1::WAIT_ALL_CONNECTED));
  v1::AddShardRequest request = AddB(v1::WAIT_NONE);
  request.set_pool("gamma");
  Call(&v1::AdminService::Stub::AddShard, request);
  EXPECT_THAT(ChangedBy(proxy.Takes()), ElementsAre("gamma", "gamma"));
}

TEST_F(ControlTest, ARefusalIsToldToWhoWaitsAndToWhoListsProxies) {
  CreatesAlpha();
  StreamClient proxy(channel_);
  proxy.Opens("p1");
  EXPECT_THAT(RingOf(proxy.Takes()), ElementsAre("a"));
  std::future<v1::ChangeResponse> added = AddsBInTheBackground();
  proxy.Takes("no room");
  const v1::ChangeResponse answer = added.get();
  ASSERT_EQ(answer.proxies_size(), 1);
  EXPECT_EQ(answer.proxies(0).outcome(), v1::PROXY_NACKED);
  EXPECT_EQ(answer.proxies(0).reason(), "no room");
  const auto list = Call(&v1::AdminService::Stub::ListProxies, v1::ListProxiesRequest());
  ASSERT_EQ(list.proxies_size(), 1);
  EXPECT_EQ(list.proxies(0).node().id(), "p1");
  EXPECT_FALSE(list.proxies(0).in_sync());
  EXPECT_GE(list.proxies(0).errors_size(), 1);
}

TEST_F(ControlTest, AWaitForAChangeThatIsTakenBackBeforeItIsSentIsNoTimeout) {
  CreatesAlpha();
  StreamClient proxy(channel_);
  proxy.Opens("p1");
  std::future<void> answers = std::async(std::launch::async, [&proxy] {
    while (!proxy.Takes().nonce().empty()) continue;  // until the process ends
  });
  v1::GetPoolRequest get;
  get.set_name("alpha");
  std::future<v1::ChangeResponse> added = AddsBInTheBackground();
  while (Call(&v1::AdminService::Stub::GetPool, get).shard_map().slots_size() < 2) continue;
  v1::RemoveShardRequest remove;
  remove.set_pool("alpha");
  remove.set_shard("b");
  remove.mutable_options()->set_force(true);
  Call(&v1::AdminService::Stub::RemoveShard, remove);
  const v1::ChangeResponse answer = added.get();
  ASSERT_EQ(answer.proxies_size(), 1);
  EXPECT_EQ(answer.proxies(0).outcome(), v1::PROXY_ACKED);
  process_->Shutdown();
  answers.get();
}

TEST_F(ControlTest, AfterARestartEverythingIsThereAndNothingIsSentAgain) {
  CreatesAlpha();
  std::vector<v1::HeldResource> held;
  {
    StreamClient proxy(channel_);
    proxy.Opens("p1");
    held = HeldAfter(proxy.Takes());
    EXPECT_EQ(held.size(), 2u);  // the pool and its endpoints
  }
  process_.reset();
  Start();
  StreamClient proxy(channel_);
  proxy.Opens("p1", held);
  EXPECT_THAT(proxy.Takes().changed(), IsEmpty());
  v1::GetPoolRequest request;
  request.set_name("alpha");
  EXPECT_EQ(Call(&v1::AdminService::Stub::GetPool, request).shard_map().slots_size(), 1);
}

TEST_F(ControlTest, AfterARestartAShardWithAHostNameHasItsAddressesInTheFirstResponse) {
  CreatesAlpha(v1::WAIT_ALL_CONNECTED, "localhost:6379");
  process_.reset();
  Start();
  StreamClient proxy(channel_);
  proxy.Opens("p1");
  const v1::DiscoveryResponse response = proxy.Takes();
  ASSERT_EQ(response.changed_size(), 2);
  const v1::EndpointsResource& endpoints = response.changed(1).has_endpoints()
                                               ? response.changed(1).endpoints()
                                               : response.changed(0).endpoints();
  ASSERT_EQ(endpoints.slots_size(), 1);
  EXPECT_THAT(endpoints.slots(0).addresses(), Contains(HasSubstr(":6379")));
}

TEST_F(ControlTest, ASecondWriterIsRefused) {
  EXPECT_THAT(ControlProcess::Start(Options()).status().ToString(),
              HasSubstr("another weir-control has it open"));
}

TEST_F(ControlTest, APortThatIsTakenIsToldInOneLineWithAddressAndReason) {
  const std::pair<Endpoint ControlOptions::*, uint16_t> taken[] = {
      {&ControlOptions::listen_discovery, process_->discovery_port()},
      {&ControlOptions::listen_admin, process_->admin_port()},
      {&ControlOptions::http, process_->http_port()}};
  for (const auto& [field, port] : taken) {
    ControlOptions options = Options();
    options.data_dir = StrCat(directory_.path(), "/other");
    options.*field = TcpEndpoint("127.0.0.1", port);
    testing::internal::CaptureStderr();
    const absl::Status status = ControlProcess::Start(options).status();
    EXPECT_THAT(testing::internal::GetCapturedStderr(), Not(HasSubstr("grpc")));
    EXPECT_THAT(
        std::string(status.message()),
        EndsWith(StrCat(": cannot listen at 127.0.0.1:", port, ": Address already in use")));
  }
}

TEST_F(ControlTest, StreamsEndWithUnavailableWhenTheProcessEnds) {
  StreamClient proxy(channel_);
  proxy.Opens("p1");
  proxy.Takes();
  std::future<grpc::Status> end = std::async(std::launch::async, [&proxy] { return proxy.Ends(); });
  process_->Shutdown();
  EXPECT_EQ(end.get().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ControlTest, AProxyThatBreaksTheProtocolIsToldAndOthersAreServedOn) {
  StreamClient good(channel_);
  good.Opens("p1");
  good.Takes();
  StreamClient bad(channel_);
  bad.Opens("");  // no node id
  EXPECT_EQ(bad.Ends().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  CreatesAlpha(v1::WAIT_NONE);
  EXPECT_THAT(RingOf(good.Takes()), ElementsAre("a"));
}

TEST_F(ControlTest, AMessageThatIsTooLargeIsRefusedAndHarmsNobodyNotEvenOnItsConnection) {
  const std::string too_much(5 << 20, 'x');
  StreamClient good(channel_);
  good.Opens("p1");
  good.Takes();
  StreamClient bad(channel_);
  bad.Opens(too_much);
  EXPECT_EQ(bad.Ends().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  v1::CreatePoolRequest request;
  request.set_name(too_much);
  grpc::ClientContext context;
  v1::ChangeResponse response;
  EXPECT_EQ(admin_->CreatePool(&context, request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  CreatesAlpha(v1::WAIT_NONE);
  EXPECT_THAT(RingOf(good.Takes()), ElementsAre("a"));
}

TEST_F(ControlTest, AnErrorHasItsFieldsInTheDetails) {
  v1::CreatePoolRequest request;
  request.set_name("alpha");
  request.mutable_spec()->mutable_policy()->set_listen("nowhere");
  grpc::ClientContext context;
  v1::ChangeResponse response;
  const grpc::Status status = admin_->CreatePool(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  google::rpc::BadRequest bad_request;
  ASSERT_EQ(details.details_size(), 1);
  ASSERT_TRUE(details.details(0).UnpackTo(&bad_request));
  EXPECT_EQ(bad_request.field_violations(0).field(), "spec.policy.listen");
}

TEST_F(ControlTest, AWatchGetsThePoolsAndThenTheirChanges) {
  CreatesAlpha();
  grpc::ClientContext context;
  const auto reader = admin_->WatchPools(&context, v1::WatchPoolsRequest());
  v1::WatchPoolsResponse news;
  ASSERT_TRUE(reader->Read(&news));
  EXPECT_EQ(news.changed(0).name(), "alpha");
  EXPECT_TRUE(news.synced());
  Call(&v1::AdminService::Stub::AddShard, AddB(v1::WAIT_NONE));
  ASSERT_TRUE(reader->Read(&news));
  EXPECT_EQ(news.changed(0).shard_map().slots_size(), 2);
  context.TryCancel();
}

TEST_F(ControlTest, TooManyStreamsAndWatchesOfOnePeerAreRefusedAndThoseThatAreOpenGoOn) {
  process_.reset();
  ControlOptions options = Options();
  options.max_peer_streams = 1;
  options.max_peer_watches = 1;
  Start(options);
  StreamClient first(channel_);
  first.Opens("p1");
  first.Takes();
  StreamClient second(channel_);
  EXPECT_EQ(second.Ends().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  v1::WatchPoolsResponse news;
  grpc::ClientContext context;
  const auto watch = admin_->WatchPools(&context, v1::WatchPoolsRequest());
  ASSERT_TRUE(watch->Read(&news));
  grpc::ClientContext other_context;
  const auto other = admin_->WatchPools(&other_context, v1::WatchPoolsRequest());
  EXPECT_FALSE(other->Read(&news));
  EXPECT_EQ(other->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  CreatesAlpha(v1::WAIT_NONE);
  EXPECT_THAT(RingOf(first.Takes()), ElementsAre("a"));
  ASSERT_TRUE(watch->Read(&news));
  EXPECT_EQ(news.changed(0).name(), "alpha");
  context.TryCancel();
}

TEST_F(ControlTest, EveryServiceThatReflectionListsIsDescribed) {
  const std::string list = AskReflection(channel_, "list_services: ''");
  for (const char* service : {"grpc.health.v1.Health", "weir.v1.AdminService"}) {
    EXPECT_THAT(list, HasSubstr(StrCat("name: \"", service, "\"")));
    const std::string answer =
        AskReflection(channel_, StrCat("file_containing_symbol: '", service, "'"));
    EXPECT_THAT(answer, HasSubstr("file_descriptor_proto: "));
  }
}

}  // namespace
}  // namespace weir
