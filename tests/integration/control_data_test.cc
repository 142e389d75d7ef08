// Who may write a data directory: real weir-controls, one of which is stopped for a while.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "proto/weir/v1/admin.pb.h"
#include "proxy/base/strings.h"
#include "tests/integration/control_under_test.h"

namespace weir {
namespace {

using testing::HasSubstr;

using Stub = v1::AdminService::Stub;

v1::CreatePoolRequest CreateAlpha() {
  v1::CreatePoolRequest request;
  request.set_name("alpha");
  request.mutable_spec()->mutable_policy()->set_listen("127.0.0.1:22121");
  request.mutable_spec()->mutable_policy()->set_redis(true);
  v1::ShardSpec& shard = *request.mutable_spec()->add_servers();
  shard.set_name("a");
  shard.set_endpoint("127.0.0.1:6379");
  return request;
}

v1::AddShardRequest AddB() {
  v1::AddShardRequest request;
  request.set_pool("alpha");
  request.mutable_shard()->set_name("b");
  request.mutable_shard()->set_endpoint("127.0.0.1:6380");
  request.mutable_options()->set_force(true);
  return request;
}

TEST(ControlDataTest, ASecondControlPlaneIsRefusedWhileTheFirstIsStoppedAndTheFirstGoesOn) {
  ControlUnderTest control;
  control.Call(&Stub::CreatePool, CreateAlpha());
  control.process().Signal(SIGSTOP);
  const auto [code, output] = control.StartSecond();
  EXPECT_EQ(code, 1);
  EXPECT_THAT(output, HasSubstr(StrCat("another weir-control has it open, pid ",
                                       control.process().pid(), "\n")));
  control.process().Signal(SIGCONT);
  EXPECT_EQ(control.Call(&Stub::AddShard, AddB()).pool().shard_map().generation(), 2u);

  control.Kill();  // which lets go of the directory
  control.Start();
  v1::GetPoolRequest get;
  get.set_name("alpha");
  EXPECT_EQ(control.Call(&Stub::GetPool, get).shard_map().generation(), 2u);
}

}  // namespace
}  // namespace weir
