#include "controlplane/ctl/shard_commands.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "proxy/base/strings.h"

namespace weir {
namespace {

using Stub = AdminClient::Stub;

template <typename Request>
ExitCode ChangeShard(AdminClient::Method<Request, v1::ChangeResponse> method, Request request,
                     const CtlOptions& options, Session& session) {
  request.set_pool(options.words[0]);
  const PoolChange change{.pool = options.words[0],
                          .send = SendRequest(session.client, method, std::move(request))};
  return MakeChange(change, options, session);
}

}  // namespace

ExitCode AddShard(const CtlOptions& options, Session& session) {
  v1::AddShardRequest request;
  request.mutable_shard()->set_name(options.words[1]);
  request.mutable_shard()->set_endpoint(options.words[2]);
  request.mutable_shard()->set_weight(options.weight);
  return ChangeShard(&Stub::AddShard, request, options, session);
}

ExitCode RemoveShard(const CtlOptions& options, Session& session) {
  v1::RemoveShardRequest request;
  request.set_shard(options.words[1]);
  return ChangeShard(&Stub::RemoveShard, request, options, session);
}

ExitCode SetWeight(const CtlOptions& options, Session& session) {
  const std::optional<uint32_t> weight = ParseInt<uint32_t>(options.words[2]);
  if (!weight) {
    session.console.err << "weirctl: weight: found '" << options.words[2]
                        << "', expected a number from 1 to 2147483647\n";
    return ExitCode::kUsage;
  }
  v1::UpdateShardRequest request;
  request.set_shard(options.words[1]);
  request.set_weight(*weight);
  return ChangeShard(&Stub::UpdateShard, request, options, session);
}

ExitCode SetEndpoint(const CtlOptions& options, Session& session) {
  v1::UpdateShardRequest request;
  request.set_shard(options.words[1]);
  request.set_endpoint(options.words[2]);
  return ChangeShard(&Stub::UpdateShard, request, options, session);
}

ExitCode DrainShard(const CtlOptions& options, Session& session) {
  v1::DrainShardRequest request;
  request.set_shard(options.words[1]);
  request.set_undo(options.undo);
  return ChangeShard(&Stub::DrainShard, request, options, session);
}

}  // namespace weir
