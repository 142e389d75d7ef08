#include "proxy/server/control_link.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>
#include <set>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "google/protobuf/util/time_util.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/base/version.h"
#include "proxy/server/report.h"
#include "proxy/xds/snapshot_decoder.h"

namespace weir {
namespace {

using ::google::protobuf::util::TimeUtil;

// How often it is looked whether a refused pool could be served by now.
constexpr Duration kRetryInterval = std::chrono::seconds(1);

AdsOptions AdsOptionsOf(const Options& options) {
  AdsOptions ads;
  ads.controls = options.controls;
  ads.pools = options.pools;
  ads.credentials = {.ca_file = options.control_ca,
                     .cert_file = options.control_cert,
                     .key_file = options.control_key,
                     .token_file = options.control_token_file};
  ads.node.set_id(options.node_id);
  ads.node.set_fleet(options.fleet);
  ads.node.set_zone(options.zone);
  ads.node.set_build(StrCat("weir-proxy ", kVersion));
  return ads;
}

// A state may be of a time with other --pools.
bool IsWanted(const v1::Resource& resource, const Options& options) {
  if (options.pools.empty() || resource.has_secret()) return true;
  return std::ranges::find(options.pools, resource.key().name()) != options.pools.end();
}

// One that cannot be read later, perhaps while it is replaced, is logged and tried again.
absl::Status CheckTokenFile(const std::string& path) {
  if (path.empty() || access(path.c_str(), R_OK) == 0) return absl::OkStatus();
  return Unavailable("--control-token-file: ", path, ": cannot be read: ", std::strerror(errno));
}

std::vector<v1::ResourceError> RefuseAll(const ResourceChange& change) {
  std::vector<v1::ResourceError> errors;
  for (const HeldResourcePtr& resource : change.changed) {
    v1::ResourceError& error = errors.emplace_back();
    *error.mutable_key() = resource->key();
    error.set_version(resource->version());
    error.set_error_detail("the proxy drains, and serves its clients as before until it ends");
  }
  return errors;
}

void LogErrors(const std::vector<v1::ResourceError>& errors) {
  for (const v1::ResourceError& error : errors) {
    LOG_EVENT(LogLevel::kError, "resource_refused",
              {"type", v1::ResourceType_Name(error.key().type())}, {"name", error.key().name()},
              // A secret's would help to guess it.
              {"version", error.key().type() == v1::RESOURCE_SECRET ? "" : error.version()},
              {"field", error.field()}, {"error", error.error_detail()});
  }
}

}  // namespace

ControlLink::ControlLink(const Options& options, EventLoop& loop, Server& server, LivePools& pools)
    : options_(options),
      loop_(loop),
      server_(server),
      pools_(pools),
      retry_backoff_(std::random_device()()),
      retry_timer_(loop.timers(), [this] { RetryBlocked(); }),
      last_report_(loop.now()) {}

ControlLink::~ControlLink() = default;

absl::StatusOr<std::unique_ptr<ControlLink>> ControlLink::Start(const Options& options,
                                                                EventLoop& loop, Server& server,
                                                                LivePools& pools) {
  if (absl::Status status = CheckTokenFile(options.control_token_file); !status.ok()) return status;
  std::unique_ptr<ControlLink> link(new ControlLink(options, loop, server, pools));
  AdsOptions ads = AdsOptionsOf(options);
  if (!options.state_dir.empty()) {
    if (absl::Status status = LastGoodState::Prepare(options.state_dir); !status.ok()) {
      return Unavailable("--state-dir: ", FromAbsl(status.message()));
    }
    link->state_ = std::make_unique<LastGoodState>(options.state_dir);
    ads.restored = link->Restore();
  }
  AdsHandler& handler = *link;
  link->client_ = std::make_unique<AdsClient>(loop, std::move(ads), handler);
  link->client_->Start();
  return link;
}

std::vector<v1::Resource> ControlLink::Restore() {
  absl::StatusOr<v1::LastGoodState> state = state_->Load();
  if (absl::IsNotFound(state.status())) return {};
  if (!state.ok()) {
    LOG_EVENT(LogLevel::kError, "state_refused", {"error", FromAbsl(state.status().message())});
    return {};
  }
  TakeSecretsFromDisk(*state);
  if (state->fleet() != options_.fleet) {
    LOG_EVENT(LogLevel::kWarn, "state_refused", {"error", "it is of another fleet"},
              {"fleet", state->fleet()});
    return {};
  }
  for (const v1::Resource& resource : state->resources()) {
    if (!IsWanted(resource, options_)) continue;
    unrestored_.changed.push_back(std::make_shared<v1::Resource>(resource));
  }
  std::vector<v1::Resource> restored = TryRestoring({});
  const int64_t age =
      absl::ToUnixSeconds(absl::Now()) - TimeUtil::TimestampToSeconds(state->saved());
  LOG_EVENT(LogLevel::kNotice, "state_restored", {"age_s", age}, {"resources", restored.size()});
  return restored;
}

void ControlLink::TakeSecretsFromDisk(const v1::LastGoodState& state) {
  const auto is_secret = [](const v1::Resource& resource) { return resource.has_secret(); };
  const auto secrets = std::ranges::count_if(state.resources(), is_secret);
  if (options_.state_secrets || secrets == 0) return;
  v1::LastGoodState without = state;
  auto& resources = *without.mutable_resources();
  resources.erase(std::remove_if(resources.begin(), resources.end(), is_secret), resources.end());
  state_->Save(without);
  LOG_EVENT(LogLevel::kNotice, "state_secrets_removed", {"secrets", secrets});
}

std::vector<v1::Resource> ControlLink::TryRestoring(const HeldResources& held) {
  std::set<ResourceId> refused;
  for (const v1::ResourceError& error : ApplyChange(held, unrestored_)) {
    refused.insert(IdOf(error.key()));
  }
  std::vector<v1::Resource> restored;
  std::vector<HeldResourcePtr> left;
  for (HeldResourcePtr& resource : unrestored_.changed) {
    if (refused.contains(IdOf(resource->key()))) {
      left.push_back(std::move(resource));
    } else {
      restored.push_back(*resource);
    }
  }
  unrestored_.changed = std::move(left);
  return restored;
}

std::vector<v1::Resource> ControlLink::RestoreMore(const HeldResources& held) {
  if (draining_ || unrestored_.changed.empty() || !pools_.MayServeSomeOf(blocked_)) return {};
  return TryRestoring(held);
}

std::vector<v1::ResourceError> ControlLink::ApplyChange(const HeldResources& held,
                                                        const ResourceChange& change) {
  if (draining_) return RefuseAll(change);
  // These are decided upon now.
  for (const HeldResourcePtr& resource : change.changed) {
    if (resource->has_pool()) blocked_.erase(resource->key().name());
  }
  for (const ResourceId& id : change.removed) {
    if (id.type == v1::RESOURCE_POOL) blocked_.erase(id.name);
  }
  SnapshotDecoder decoder(held, pools_.control(), change);
  while (true) {
    const DecodedPools decoded = decoder.Decode();
    const std::vector<RefusedPool> refused = pools_.ChangeControl(decoded.changed, decoded.removed);
    bool again = false;
    for (const RefusedPool& pool : refused) {
      // Once refused it goes back to what it was, which may be refused, too.
      if (!pool.lasting) blocked_.try_emplace(pool.pool, decoded.changed.at(pool.pool));
      again |= decoder.Refuse(pool.pool, pool.field, pool.what);
    }
    if (!again) break;
  }
  if (blocked_.empty()) {
    retry_backoff_.Reset();
  } else if (!retry_timer_.armed()) {
    retry_timer_.ArmAt(loop_.now() + absl::ToChronoNanoseconds(retry_backoff_.Next()));
  }
  LogErrors(decoder.errors());
  LOG_EVENT(LogLevel::kNotice, "resources_applied", {"changed", change.changed.size()},
            {"removed", change.removed.size()}, {"refused", decoder.errors().size()},
            {"generation", pools_.snapshot()->generation},
            {"pools", pools_.snapshot()->pools.size()});
  return decoder.errors();
}

void ControlLink::RetryBlocked() {
  if (draining_ || blocked_.empty()) return;
  if (pools_.MayServeSomeOf(blocked_) && client_->Renew()) {
    LOG_EVENT(LogLevel::kNotice, "refused_pools_asked_for", {"pools", blocked_.size()});
    // It may have forgotten them; else they are refused again.
    return blocked_.clear();
  }
  retry_timer_.ArmAt(loop_.now() + kRetryInterval);
}

void ControlLink::OnHeldChanged(const HeldResources& held) {
  // A process that drains may have a successor in its directory, whose state is a newer one.
  if (state_ == nullptr || draining_) return;
  v1::LastGoodState state;
  state.set_fleet(options_.fleet);
  *state.mutable_saved() = TimeUtil::SecondsToTimestamp(absl::ToUnixSeconds(absl::Now()));
  for (const auto& [id, resource] : held) {
    if (id.type == v1::RESOURCE_SECRET && !options_.state_secrets) continue;
    v1::Resource& kept = *state.add_resources();
    kept = *resource;
    const auto served = pools_.control().find(id.name);
    if (kept.has_endpoints() && served != pools_.control().end()) {
      AddServedSlots(served->second, kept);
    }
  }
  state_->Save(state);
}

v1::Report ControlLink::MakeReport() {
  v1::Report report = server_.MakeReport();
  const Moment now = loop_.now();
  const uint64_t requests = CountRequests(report);
  const double seconds = std::chrono::duration<double>(now - last_report_).count();
  // A pool that has gone takes its counts along.
  const uint64_t before = std::min(std::exchange(requests_at_last_report_, requests), requests);
  if (seconds > 0) report.set_requests_per_second(static_cast<double>(requests - before) / seconds);
  last_report_ = now;
  LimitShards(report, next_reported_shard_);
  return report;
}

void ControlLink::OnHealthChanged() {
  if (client_ != nullptr) client_->ReportSoon();
}

}  // namespace weir
