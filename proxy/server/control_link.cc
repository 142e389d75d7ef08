#include "proxy/server/control_link.h"

#include <algorithm>
#include <chrono>
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

AdsOptions AdsOptionsOf(const Options& options) {
  AdsOptions ads;
  ads.controls = options.controls;
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

void LogErrors(const std::vector<v1::ResourceError>& errors) {
  for (const v1::ResourceError& error : errors) {
    LOG_EVENT(LogLevel::kError, "resource_refused",
              {"type", v1::ResourceType_Name(error.key().type())}, {"name", error.key().name()},
              {"version", error.version()}, {"field", error.field()},
              {"error", error.error_detail()});
  }
}

}  // namespace

ControlLink::ControlLink(const Options& options, EventLoop& loop, Server& server, LivePools& pools)
    : options_(options), loop_(loop), server_(server), pools_(pools), last_report_(loop.now()) {}

ControlLink::~ControlLink() = default;

absl::StatusOr<std::unique_ptr<ControlLink>> ControlLink::Start(const Options& options,
                                                                EventLoop& loop, Server& server,
                                                                LivePools& pools) {
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
  if (state->fleet() != options_.fleet) {
    LOG_EVENT(LogLevel::kWarn, "state_refused", {"error", "it is of another fleet"},
              {"fleet", state->fleet()});
    return {};
  }
  ResourceChange change;
  for (const v1::Resource& resource : state->resources()) {
    change.changed.push_back(std::make_shared<v1::Resource>(resource));
  }
  std::vector<v1::Resource> restored;
  for (const v1::ResourceError& error : ApplyChange({}, change)) {
    std::erase_if(change.changed, [&](const HeldResourcePtr& resource) {
      return IdOf(resource->key()) == IdOf(error.key());
    });
  }
  for (const HeldResourcePtr& resource : change.changed) restored.push_back(*resource);
  const int64_t age =
      absl::ToUnixSeconds(absl::Now()) - TimeUtil::TimestampToSeconds(state->saved());
  LOG_EVENT(LogLevel::kNotice, "state_restored", {"age_s", age}, {"resources", restored.size()});
  return restored;
}

std::vector<v1::ResourceError> ControlLink::ApplyChange(const HeldResources& held,
                                                        const ResourceChange& change) {
  SnapshotDecoder decoder(held, change);
  while (true) {
    const DecodedPools decoded = decoder.Decode();
    for (const std::string& pool : decoded.waiting) {
      LOG_EVENT(LogLevel::kInfo, "pool_waits_for_endpoints", {"pool", pool});
    }
    const std::vector<RefusedPool> refused = pools_.ChangeControl(decoded.changed, decoded.removed);
    bool again = false;
    for (const RefusedPool& pool : refused) {
      again |= decoder.Refuse(pool.pool, pool.field, pool.what);
    }
    if (!again) break;
  }
  LogErrors(decoder.errors());
  LOG_EVENT(LogLevel::kNotice, "resources_applied", {"changed", change.changed.size()},
            {"removed", change.removed.size()}, {"refused", decoder.errors().size()},
            {"generation", pools_.snapshot()->generation},
            {"pools", pools_.snapshot()->pools.size()});
  return decoder.errors();
}

void ControlLink::OnHeldChanged(const HeldResources& held) {
  if (state_ == nullptr) return;
  v1::LastGoodState state;
  state.set_fleet(options_.fleet);
  *state.mutable_saved() = TimeUtil::SecondsToTimestamp(absl::ToUnixSeconds(absl::Now()));
  for (const auto& [id, resource] : held) {
    if (id.type == v1::RESOURCE_SECRET && !options_.state_secrets) continue;
    *state.add_resources() = *resource;
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
  return report;
}

void ControlLink::OnHealthChanged() {
  if (client_ != nullptr) client_->ReportSoon();
}

}  // namespace weir
