#include "tests/integration/live_fleet.h"

#include <algorithm>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "gtest/gtest.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr char kPool[] = "alpha";
// Of the attempts each ends at a proxy that the kernel chose.
constexpr int kConnectAttempts = 1000;

void SetOptions(v1::ChangeOptions& options) {
  options.set_force(true);
  options.set_wait(v1::WAIT_ALL_CONNECTED);
}

v1::CreatePoolRequest PoolAt(const std::string& name, const Address& listen,
                             const std::vector<NamedShard>& shards) {
  v1::CreatePoolRequest request;
  request.set_name(name);
  v1::PoolSpec& spec = *request.mutable_spec();
  spec.mutable_policy()->set_listen(listen);
  spec.mutable_policy()->set_redis(true);
  spec.mutable_guard()->set_max_moved_fraction(0.9);
  for (const NamedShard& shard : shards) {
    v1::ShardSpec& added = *spec.add_servers();
    added.set_name(shard.name);
    added.set_endpoint(shard.address);
  }
  SetOptions(*request.mutable_options());
  return request;
}

}  // namespace

LiveFleet::LiveFleet(size_t proxies, const std::vector<NamedShard>& shards,
                     const Address& next_control)
    : control_flag_(
          StrCat("--control=", control_.address(), next_control.empty() ? "" : ",", next_control)),
      address_(StrCat("127.0.0.1:", FreePort())) {
  for (size_t i = 0; i < proxies; ++i) proxies_.push_back(StartProxy(i));
  CHECK(InSync());
  v1::CreatePoolRequest request = PoolAt(kPool, address_, shards);
  request.mutable_spec()->mutable_policy()->set_reuseport(true);
  ExpectAcked(asked_->Call(&v1::AdminService::Stub::CreatePool, request));
}

std::unique_ptr<WeirProcess> LiveFleet::StartProxy(size_t index) {
  const std::vector<std::string> flags = {control_flag_, StrCat("--node-id=p", index),
                                          "--threads=2",
                                          StrCat("--state-dir=", states_.path(), "/", index)};
  return std::make_unique<WeirProcess>("", flags);
}

void LiveFleet::RestartProxies() {
  for (auto& proxy : proxies_) EXPECT_EQ(proxy->Terminate(), 0);
  for (size_t i = 0; i < proxies_.size(); ++i) proxies_[i] = StartProxy(i);
}

v1::Plan LiveFleet::ExpectAcked(const v1::ChangeResponse& response) const {
  EXPECT_FALSE(response.held());
  EXPECT_EQ(response.proxies_size(), static_cast<int>(proxies_.size()));
  for (const v1::ProxyResult& result : response.proxies()) {
    EXPECT_EQ(result.outcome(), v1::PROXY_ACKED) << result.ShortDebugString();
  }
  return response.plan();
}

v1::Plan LiveFleet::AddShard(const NamedShard& shard) {
  v1::AddShardRequest request;
  request.set_pool(kPool);
  request.mutable_shard()->set_name(shard.name);
  request.mutable_shard()->set_endpoint(shard.address);
  SetOptions(*request.mutable_options());
  return ExpectAcked(asked_->Call(&v1::AdminService::Stub::AddShard, request));
}

v1::Plan LiveFleet::RemoveShard(const std::string& shard) {
  v1::RemoveShardRequest request;
  request.set_pool(kPool);
  request.set_shard(shard);
  SetOptions(*request.mutable_options());
  return ExpectAcked(asked_->Call(&v1::AdminService::Stub::RemoveShard, request));
}

v1::Plan LiveFleet::SetWeight(const std::string& shard, uint32_t weight) {
  v1::UpdateShardRequest request;
  request.set_pool(kPool);
  request.set_shard(shard);
  request.set_weight(weight);
  SetOptions(*request.mutable_options());
  return ExpectAcked(asked_->Call(&v1::AdminService::Stub::UpdateShard, request));
}

v1::Plan LiveFleet::DrainShard(const std::string& shard, bool undo) {
  v1::DrainShardRequest request;
  request.set_pool(kPool);
  request.set_shard(shard);
  request.set_undo(undo);
  SetOptions(*request.mutable_options());
  return ExpectAcked(asked_->Call(&v1::AdminService::Stub::DrainShard, request));
}

void LiveFleet::SetPolicy(const v1::PoolPolicy& policy) {
  v1::UpdatePoolRequest request;
  request.set_name(kPool);
  *request.mutable_spec()->mutable_policy() = policy;
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  v1::PoolPolicy::GetReflection()->ListFields(policy, &fields);
  for (const auto* field : fields) {
    request.mutable_update_mask()->add_paths(StrCat("policy.", field->name()));
  }
  SetOptions(*request.mutable_options());
  ExpectAcked(asked_->Call(&v1::AdminService::Stub::UpdatePool, request));
}

std::vector<v1::ProxyResult> LiveFleet::CreatePoolForOneProxy(const std::string& name,
                                                              const NamedShard& shard) {
  const v1::ChangeResponse response = asked_->Call(
      &v1::AdminService::Stub::CreatePool, PoolAt(name, StrCat("127.0.0.1:", FreePort()), {shard}));
  return {response.proxies().begin(), response.proxies().end()};
}

std::vector<v1::Proxy> LiveFleet::Proxies() {
  const v1::ListProxiesResponse list =
      asked_->Call(&v1::AdminService::Stub::ListProxies, v1::ListProxiesRequest());
  return {list.proxies().begin(), list.proxies().end()};
}

bool LiveFleet::InSync(std::chrono::seconds limit) {
  const auto in_sync = [this] {
    const std::vector<v1::Proxy> proxies = Proxies();
    return proxies.size() == proxies_.size() &&
           std::ranges::all_of(proxies, [](const v1::Proxy& proxy) { return proxy.in_sync(); });
  };
  return Eventually(in_sync, limit);
}

RespClient LiveFleet::ClientOf(size_t proxy) {
  const std::string pid = StrCat("process_id:", proxies_[proxy]->process().pid(), "\r\n");
  for (int i = 0; i < kConnectAttempts; ++i) {
    RespClient client(address_);
    const std::vector<Reply> replies = client.Ask(EncodeRequest({"INFO"}), 1);
    if (!replies.empty() && replies[0].text.find(pid) != std::string::npos) return client;
  }
  CHECK(false);
  return RespClient(address_);
}

}  // namespace weir
