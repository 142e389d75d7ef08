#include "tests/benchmark/fleet/pool_writer.h"

#include <chrono>
#include <iterator>
#include <utility>

#include "absl/strings/str_format.h"
#include "grpcpp/create_channel.h"
#include "proxy/base/strings.h"

namespace weir::benchmark {
namespace {

constexpr std::chrono::seconds kLongestCall(60);
constexpr int kLongestWaitSeconds = 30;
constexpr int kPoolsOfPage = 20;
constexpr int kFirstPort = 20000;

v1::CreatePoolRequest NewPool(size_t number, size_t shards) {
  v1::CreatePoolRequest request;
  request.set_name(absl::StrFormat("benchmark-pool-%04d", number));
  v1::PoolPolicy& policy = *request.mutable_spec()->mutable_policy();
  policy.set_listen(StrCat("127.0.0.1:", kFirstPort + number));
  policy.set_redis(true);
  policy.set_hash("fnv1a_64");
  policy.set_distribution("ketama");
  for (size_t i = 0; i < shards; ++i) {
    v1::ShardSpec& shard = *request.mutable_spec()->add_servers();
    shard.set_name(absl::StrFormat("shard-%03d", i));
    shard.set_endpoint(StrCat("127.1.", number, ".", i % 250, ":", 6379 + i / 250));
    shard.set_weight(1);
  }
  return request;
}

}  // namespace

PoolWriter::PoolWriter(const std::string& target, Access access)
    : access_(std::move(access)),
      stub_(v1::AdminService::NewStub(grpc::CreateChannel(target, access_.Credentials()))) {}

template <typename Call>
absl::Status PoolWriter::Make(std::string_view what, Call call) const {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kLongestCall);
  access_.Authorize(context);
  const grpc::Status status = call(&context);
  if (status.ok()) return absl::OkStatus();
  return Internal(what, ": ", status.error_message());
}

absl::Status PoolWriter::Create(size_t pools, size_t shards) {
  for (size_t i = 0; i < pools; ++i) {
    const v1::CreatePoolRequest request = NewPool(i, shards);
    v1::ChangeResponse response;
    absl::Status created = Make("CreatePool", [&](grpc::ClientContext* context) {
      return stub_->CreatePool(context, request, &response);
    });
    if (!created.ok()) return created;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Pool>> PoolWriter::List() {
  std::vector<v1::Pool> pools;
  v1::ListPoolsRequest request;
  request.set_page_size(kPoolsOfPage);
  do {
    v1::ListPoolsResponse page;
    absl::Status listed = Make("ListPools", [&](grpc::ClientContext* context) {
      return stub_->ListPools(context, request, &page);
    });
    if (!listed.ok()) return listed;
    std::move(page.mutable_pools()->begin(), page.mutable_pools()->end(),
              std::back_inserter(pools));
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return pools;
}

absl::StatusOr<v1::ChangeResponse> PoolWriter::SetWeight(const v1::Pool& pool, size_t slot,
                                                         uint32_t weight, bool wait) {
  v1::UpdateShardRequest request;
  request.set_weight(weight);
  return Update(std::move(request), pool, slot, wait);
}

absl::StatusOr<v1::ChangeResponse> PoolWriter::SetEndpoint(const v1::Pool& pool, size_t slot,
                                                           std::string_view endpoint, bool wait) {
  v1::UpdateShardRequest request;
  request.set_endpoint(std::string(endpoint));
  return Update(std::move(request), pool, slot, wait);
}

absl::StatusOr<v1::ChangeResponse> PoolWriter::Update(v1::UpdateShardRequest request,
                                                      const v1::Pool& pool, size_t slot,
                                                      bool wait) {
  request.set_pool(pool.name());
  request.set_shard(pool.shard_map().slots(static_cast<int>(slot)).name());
  request.mutable_options()->set_force(true);
  request.mutable_options()->set_wait(wait ? v1::WAIT_ALL_CONNECTED : v1::WAIT_NONE);
  request.mutable_options()->mutable_wait_timeout()->set_seconds(kLongestWaitSeconds);
  v1::ChangeResponse response;
  absl::Status changed = Make("UpdateShard", [&](grpc::ClientContext* context) {
    return stub_->UpdateShard(context, request, &response);
  });
  if (!changed.ok()) return changed;
  if (response.held()) return Internal("UpdateShard: the guard holds it");
  return response;
}

}  // namespace weir::benchmark
