// Calls by gRPC, in the process, over a store in memory.
#include "controlplane/server/admin_service.h"

#include <chrono>
#include <future>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include "controlplane/server/control_plane_test_support.h"
#include "gmock/gmock.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr int kMany = 8;  // more than there are threads for changes

class AdminServiceTest : public ControlPlaneTest {
 protected:
  // Serves ControlPlane with these parts.
  void Serves(const ControlPlane::Parts& parts) {
    served_ = std::make_unique<ControlPlane>(parts);
    ASSERT_TRUE(served_->Load().ok());
    ASSERT_TRUE(served_->Start().ok());
    service_ = std::make_unique<AdminService>(*served_, access_, metrics_,
                                              PeerLimit::Limits{.in_all = 10, .per_peer = 10});
    server_ = grpc::ServerBuilder().RegisterService(service_.get()).BuildAndStart();
    stub_ = v1::AdminService::NewStub(server_->InProcessChannel({}));
  }
  ~AdminServiceTest() override {
    if (server_ != nullptr) server_->Shutdown();
  }

  grpc::Status Creates(const std::string& pool, const std::string& endpoint,
                       v1::ChangeResponse& response) {
    v1::CreatePoolRequest request;
    request.set_name(pool);
    *request.mutable_spec() = SpecWith({"a"});
    request.mutable_spec()->mutable_servers(0)->set_endpoint(endpoint);
    grpc::ClientContext context;
    return stub_->CreatePool(&context, request, &response);
  }
  // kMany pools, each in the background: whether it has been created, and waits for an address.
  std::vector<std::future<bool>> CreateMany(const std::string& endpoint) {
    std::vector<std::future<bool>> created;
    for (int i = 0; i < kMany; ++i) {
      created.push_back(std::async(std::launch::async, [this, endpoint, i] {
        v1::ChangeResponse response;
        const grpc::Status status = Creates(StrCat("p", i), endpoint, response);
        EXPECT_TRUE(status.ok()) << status.error_message();
        return response.pool().status().waiting_size() > 0;
      }));
    }
    return created;
  }
  int CountPools() {
    v1::ListPoolsResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->ListPools(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.pools_size();
  }

  ResourceCache served_cache_;
  Access access_;
  std::unique_ptr<ControlPlane> served_;
  std::unique_ptr<AdminService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::AdminService::Stub> stub_;
};

TEST_F(AdminServiceTest, ReadsAreAnsweredWhileEveryThreadOfChangesIsHeldUp) {
  std::counting_semaphore<> entered(0);
  std::counting_semaphore<> may_go_on(0);
  ControlPlane::Parts parts = PartsWith(served_cache_);
  parts.look_up = std::chrono::hours(1);
  parts.wake = [&] {  // of changes, on their threads
    entered.release();
    may_go_on.acquire();
  };
  Serves(parts);
  std::vector<std::future<bool>> created = CreateMany("no-such.example:6379");
  for (int i = 0; i < 4; ++i) entered.acquire();
  EXPECT_EQ(CountPools(), 0);
  may_go_on.release(1000);
  served_->EndWaits();
  served_->RefreshPools(moment_);
  for (std::future<bool>& each : created) EXPECT_TRUE(each.get());
  EXPECT_EQ(CountPools(), kMany);
}

TEST_F(AdminServiceTest, ChangesThatWaitForNamesHoldUpNoOtherChange) {
  std::counting_semaphore<> waits(0);
  ControlPlane::Parts parts = PartsWith(served_cache_);
  parts.look_up = std::chrono::hours(1);
  parts.wake = [&waits] { waits.release(); };
  Serves(parts);
  while (waits.try_acquire()) continue;  // of the start
  std::vector<std::future<bool>> created = CreateMany("no-such.example:6379");
  for (int i = 0; i < kMany; ++i) waits.acquire();
  v1::ChangeResponse response;
  EXPECT_TRUE(Creates("literal", "127.0.0.1:6379", response).ok());
  EXPECT_EQ(CountPools(), 1);

  served_->EndWaits();
  served_->RefreshPools(moment_);
  for (std::future<bool>& each : created) EXPECT_TRUE(each.get());
  EXPECT_EQ(CountPools(), kMany + 1);
}

TEST_F(AdminServiceTest, AChangeWhoseCallerGivesUpWhileItWaitsForNamesIsNotMade) {
  ControlPlane::Parts parts = PartsWith(served_cache_);
  parts.look_up = std::chrono::hours(1);
  Serves(parts);
  v1::CreatePoolRequest request;
  request.set_name("late");
  *request.mutable_spec() = SpecWith({"a"});
  request.mutable_spec()->mutable_servers(0)->set_endpoint("no-such.example:6379");
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  v1::ChangeResponse response;
  EXPECT_EQ(stub_->CreatePool(&context, request, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  served_->EndWaits();
  served_->RefreshPools(moment_);
  EXPECT_EQ(CountPools(), 0);
}

TEST_F(AdminServiceTest, AChangeWhoseCallerHasGivenUpBeforeItsTurnIsNotMade) {
  std::counting_semaphore<> entered(0);
  std::counting_semaphore<> may_go_on(0);
  ControlPlane::Parts parts = PartsWith(served_cache_);
  parts.look_up = std::chrono::hours(1);
  parts.wake = [&] {
    entered.release();
    may_go_on.acquire();
  };
  Serves(parts);
  std::vector<std::future<bool>> created = CreateMany("no-such.example:6379");
  for (int i = 0; i < 4; ++i) entered.acquire();  // every thread of changes is held up

  v1::CreatePoolRequest request;
  request.set_name("late");
  *request.mutable_spec() = SpecWith({"a"});
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(10));
  v1::ChangeResponse response;
  EXPECT_EQ(stub_->CreatePool(&context, request, &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);

  may_go_on.release(1000);
  served_->EndWaits();
  served_->RefreshPools(moment_);
  for (std::future<bool>& each : created) EXPECT_TRUE(each.get());
  EXPECT_TRUE(Creates("last", "127.0.0.1:6379", response).ok());  // its turn comes after
  EXPECT_EQ(CountPools(), kMany + 1);
}

}  // namespace
}  // namespace weir
