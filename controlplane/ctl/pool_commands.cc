#include "controlplane/ctl/pool_commands.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "controlplane/ctl/input_file.h"
#include "controlplane/ctl/text.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_yaml.h"

namespace weir {
namespace {

using Stub = AdminClient::Stub;

absl::StatusOr<std::vector<NamedPool>> ReadPools(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadInputFile(path);
  if (!text.ok()) return text.status();
  return ParsePools(*text, path);
}

ExitCode CreateOne(const NamedPool& pool, const CtlOptions& options, Session& session) {
  v1::CreatePoolRequest request;
  request.set_name(pool.name);
  *request.mutable_spec() = pool.spec;
  const PoolChange change{.pool = pool.name,
                          .needs_etag = false,
                          .send = SendRequest(session.client, &Stub::CreatePool, request)};
  return MakeChange(change, options, session);
}

// Only what differs from the declaration is a change: shards that were changed live stay so.
ExitCode ApplyOne(const NamedPool& pool, const CtlOptions& options, Session& session) {
  const absl::StatusOr<v1::Pool> existing = GetPool(session.client, pool.name);
  if (absl::IsNotFound(existing.status())) return CreateOne(pool, options, session);
  if (!existing.ok()) return Fail(existing.status(), session.console);
  // A held change of the declaration is taken back by what is declared now.
  if (FormatPool(pool.name, existing->spec()) == FormatPool(pool.name, pool.spec) &&
      !existing->status().has_held()) {
    session.console.err << "pool '" << pool.name << "': unchanged\n";
    return ExitCode::kDone;
  }
  v1::UpdatePoolRequest request;
  request.set_name(pool.name);
  *request.mutable_spec() = pool.spec;
  const PoolChange change{.pool = pool.name,
                          .send = SendRequest(session.client, &Stub::UpdatePool, request)};
  return MakeChange(change, options, session);
}

using PoolCommand = ExitCode (*)(const NamedPool&, const CtlOptions&, Session&);

// Every pool in turn, also after one that could not be changed; ends as the first such did.
ExitCode ForEach(const std::vector<NamedPool>& pools, PoolCommand command,
                 const CtlOptions& options, Session& session) {
  if (pools.size() > 1 && (!options.etag.empty() || !options.request_id.empty())) {
    session.console.err << "weirctl: --etag and --request-id: expected a file with one pool\n";
    return ExitCode::kUsage;
  }
  ExitCode worst = ExitCode::kDone;
  for (const NamedPool& pool : pools) {
    const ExitCode code = command(pool, options, session);
    if (worst == ExitCode::kDone) worst = code;
  }
  return worst;
}

ExitCode ForEachInFile(PoolCommand command, const CtlOptions& options, Session& session) {
  if (options.file.empty()) {
    session.console.err << "weirctl: expected --file with the pools; - is standard input\n";
    return ExitCode::kUsage;
  }
  const absl::StatusOr<std::vector<NamedPool>> pools = ReadPools(options.file);
  if (!pools.ok()) return Fail(pools.status(), session.console);
  return ForEach(*pools, command, options, session);
}

// A password stays where it is: the pool names a secret, which the operator creates.
void NameSecret(const ImportedPool& imported, NamedPool& pool, Console& console) {
  if (imported.redis_auth.empty()) return;
  pool.spec.mutable_policy()->set_redis_auth_secret(imported.name);
  const std::string name = Displayable(imported.name);
  console.err << "pool '" << name << "' has a password, which the pool names as redis_auth_secret: "
              << "write it into the file '" << name << "' of weir-control's --secrets-dir. It goes "
              << "to proxies over TLS only: start weir-control with --tls-cert, --tls-key and "
              << "--tokens, and each weir-proxy with --control-ca and --control-token-file (or "
              << "--control-cert and --control-key)\n";
}

}  // namespace

ExitCode CreatePools(const CtlOptions& options, Session& session) {
  return ForEachInFile(CreateOne, options, session);
}

ExitCode ApplyPools(const CtlOptions& options, Session& session) {
  return ForEachInFile(ApplyOne, options, session);
}

ExitCode ImportFile(const CtlOptions& options, Session& session) {
  const absl::StatusOr<std::string> text = ReadInputFile(options.words[0]);
  if (!text.ok()) return Fail(text.status(), session.console);
  const absl::StatusOr<std::vector<ImportedPool>> imported = ImportPools(*text, options.words[0]);
  if (!imported.ok()) return Fail(imported.status(), session.console);
  std::vector<NamedPool> pools;
  for (const ImportedPool& each : *imported) {
    NamedPool& pool = pools.emplace_back(NamedPool{each.name, each.spec});
    pool.spec.set_fleet(options.fleet);
    NameSecret(each, pool, session.console);
  }
  if (!options.print) return ForEach(pools, CreateOne, options, session);
  for (const NamedPool& pool : pools) session.console.out << FormatPool(pool.name, pool.spec);
  return ExitCode::kDone;
}

ExitCode DeletePool(const CtlOptions& options, Session& session) {
  v1::DeletePoolRequest request;
  request.set_name(options.words[0]);
  request.set_allow_missing(options.allow_missing);
  const PoolChange change{.pool = options.words[0],
                          .allow_missing = options.allow_missing,
                          .always_ask = true,
                          .send = SendRequest(session.client, &Stub::DeletePool, request)};
  return MakeChange(change, options, session);
}

ExitCode ApprovePlan(const CtlOptions& options, Session& session) {
  v1::ApprovePlanRequest request;
  request.set_pool(options.words[0]);
  request.set_plan_id(options.words[1]);
  const PoolChange change{.pool = options.words[0],
                          .needs_etag = false,
                          .send = SendRequest(session.client, &Stub::ApprovePlan, request)};
  return MakeChange(change, options, session);
}

ExitCode Rollback(const CtlOptions& options, Session& session) {
  const std::optional<uint64_t> generation = ParseInt<uint64_t>(options.words[1]);
  if (!generation) {
    session.console.err << "weirctl: generation: found '" << options.words[1]
                        << "', expected a number that `weirctl get versions` lists\n";
    return ExitCode::kUsage;
  }
  v1::RollbackRequest request;
  request.set_pool(options.words[0]);
  request.set_generation(*generation);
  const PoolChange change{.pool = options.words[0],
                          .send = SendRequest(session.client, &Stub::Rollback, request)};
  return MakeChange(change, options, session);
}

}  // namespace weir
