#include "controlplane/stream/discovery_stream.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "proto/resource_id.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kDefaultFleet = "default";

absl::Status CheckLength(std::string_view field, std::string_view text, size_t least, size_t most) {
  if (text.size() >= least && text.size() <= most) return absl::OkStatus();
  return InvalidArgument(field, ": ", text.size(), " bytes; want ", least, " to ", most);
}

// Of what people and lists are shown.
absl::Status CheckText(std::string_view field, std::string_view text, size_t least, size_t most) {
  absl::Status valid = CheckLength(field, text, least, most);
  const auto is_control = [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); };
  if (std::ranges::any_of(text, is_control)) {
    valid.Update(InvalidArgument(field, ": found a control character"));
  }
  return valid;
}

absl::Status CheckCount(std::string_view field, int count, size_t most) {
  if (static_cast<size_t>(count) <= most) return absl::OkStatus();
  return InvalidArgument(field, ": ", count, " of them; want at most ", most);
}

}  // namespace

v1::DiscoveryResponse OutgoingResponse::ToMessage() const {
  v1::DiscoveryResponse response = head;
  for (const ResourcePtr& resource : changed) *response.add_changed() = resource->message;
  return response;
}

std::string OutgoingResponse::Encode() const {
  // Protocol buffers: encoded messages put one behind the other are the merged message.
  std::string bytes = head.SerializeAsString();
  size_t size = bytes.size();
  for (const ResourcePtr& resource : changed) size += resource->encoded.size();
  bytes.reserve(size);
  for (const ResourcePtr& resource : changed) bytes += resource->encoded;
  return bytes;
}

DiscoveryStream::DiscoveryStream(ProxyPtr proxy) : DiscoveryStream(std::move(proxy), Limits()) {}

DiscoveryStream::DiscoveryStream(ProxyPtr proxy, const Limits& limits)
    : proxy_(std::move(proxy)), limits_(limits) {
  CHECK(limits_.response_bytes > 0);
}

absl::StatusOr<RequestOutcome> DiscoveryStream::OnRequest(const v1::DiscoveryRequest& request,
                                                          absl::Time now) {
  absl::Status valid = open_ ? Check(request) : CheckFirst(request);
  valid.Update(CheckReport(request.report()));
  if (!valid.ok()) return valid;
  RequestOutcome outcome;
  if (!open_) {
    Open(request);
    outcome.opened = true;
  }
  if (request.has_subscription()) {
    const auto& pools = request.subscription().pools();
    proxy_->Subscribe({pools.begin(), pools.end()});
    outcome.subscribed = true;
  }
  if (request.has_ack()) OnAck(request.ack(), outcome);
  if (request.has_report()) {
    proxy_->Reported(request.report(), now);
    outcome.reported = true;
  }
  return outcome;
}

std::optional<OutgoingResponse> DiscoveryStream::NextResponse(const FleetView& view) {
  if (!open_ || in_flight_.has_value()) return std::nullopt;
  Difference difference = proxy_->Missing(view, limits_.response_bytes);
  if (difference.empty() && responses_ > 0) return std::nullopt;

  OutgoingResponse response;
  response.head.set_nonce(StrCat(++responses_));
  if (difference.complete) {
    response.head.set_system_version(difference.system_version.ToString());
  }
  response.head.mutable_removed()->Assign(difference.removed.begin(), difference.removed.end());
  response.changed = difference.changed;
  in_flight_ = {.nonce = response.head.nonce(),
                .changed = std::move(difference.changed),
                .removed = std::move(difference.removed)};
  return response;
}

absl::Status DiscoveryStream::CheckFirst(const v1::DiscoveryRequest& request) const {
  if (!request.has_node()) return InvalidArgument("node: missing in the first request");
  if (!request.has_subscription()) {
    return InvalidArgument("subscription: missing in the first request");
  }
  if (absl::Status valid = CheckNode(request.node()); !valid.ok()) return valid;
  if (absl::Status valid = CheckHeld(request); !valid.ok()) return valid;
  return CheckSubscription(request.subscription());
}

absl::Status DiscoveryStream::Check(const v1::DiscoveryRequest& request) const {
  if (request.has_node()) return InvalidArgument("node: want it in the first request only");
  if (request.held_size() > 0) return InvalidArgument("held: want it in the first request only");
  return CheckSubscription(request.subscription());
}

absl::Status DiscoveryStream::CheckNode(const v1::Node& node) const {
  const size_t most = limits_.name_bytes;
  absl::Status valid = CheckText("node.id", node.id(), 1, most);
  valid.Update(CheckText("node.fleet", node.fleet(), 0, limits_.fleet_bytes));
  valid.Update(CheckText("node.zone", node.zone(), 0, most));
  valid.Update(CheckText("node.build", node.build(), 0, most));
  valid.Update(CheckCount("node.capabilities", node.capabilities_size(), limits_.capabilities));
  for (const std::string& capability : node.capabilities()) {
    valid.Update(CheckText("node.capabilities", capability, 1, most));
  }
  return valid;
}

absl::Status DiscoveryStream::CheckHeld(const v1::DiscoveryRequest& request) const {
  absl::Status valid = CheckCount("held", request.held_size(), limits_.held);
  for (const v1::HeldResource& held : request.held()) {
    const v1::ResourceType type = held.key().type();
    if (type == v1::RESOURCE_TYPE_UNSPECIFIED) {
      valid.Update(InvalidArgument("held.key.type: missing"));
    }
    valid.Update(CheckLength("held.key.name", held.key().name(), 1, limits_.name_bytes));
    valid.Update(CheckLength("held.version", held.version(), 0, limits_.version_bytes));
    if (!valid.ok()) break;
  }
  return valid;
}

absl::Status DiscoveryStream::CheckSubscription(const v1::Subscription& subscription) const {
  absl::Status valid = CheckCount("subscription.pools", subscription.pools_size(), limits_.pools);
  for (const std::string& pool : subscription.pools()) {
    valid.Update(CheckLength("subscription.pools", pool, 1, limits_.name_bytes));
    if (!valid.ok()) break;
  }
  return valid;
}

absl::Status DiscoveryStream::CheckReport(const v1::Report& report) const {
  absl::Status valid = CheckCount("report.applied", report.applied_size(), limits_.held);
  valid.Update(CheckCount("report.shards", report.shards_size(), limits_.reported_shards));
  return valid;
}

void DiscoveryStream::Open(const v1::DiscoveryRequest& request) {
  v1::Node node = request.node();
  if (node.fleet().empty()) node.set_fleet(std::string(kDefaultFleet));
  proxy_->Open(std::move(node), request.held());
  open_ = true;
}

void DiscoveryStream::OnAck(const v1::Ack& ack, RequestOutcome& outcome) {
  if (!in_flight_.has_value() || ack.nonce() != in_flight_->nonce) {
    outcome.stale_nonce = true;
    return;
  }
  const InFlight answered = *std::exchange(in_flight_, std::nullopt);
  outcome.answer = proxy_->Answer(answered.changed, answered.removed, ack);
}

}  // namespace weir
