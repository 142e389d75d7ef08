#include "tests/benchmark/fleet/fleet.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir::benchmark {
namespace {

constexpr absl::Duration kLongestEnd = absl::Seconds(30);
constexpr absl::Duration kPoll = absl::Milliseconds(10);

std::unique_ptr<grpc::GenericStub> NewConnection(const std::string& target, const Access& access) {
  grpc::ChannelArguments arguments;
  // Else channels with one target share a connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return std::make_unique<grpc::GenericStub>(
      grpc::CreateCustomChannel(target, access.Credentials(), arguments));
}

}  // namespace

Fleet::Fleet(const Options& options, const Catalog& catalog) : options_(options) {
  CHECK(options_.proxies > 0 && options_.connections > 0 && options_.ramp > 0);
  for (size_t i = 0; i < std::min(options_.connections, options_.proxies); ++i) {
    stubs_.push_back(NewConnection(options_.target, options_.access));
  }
  for (size_t i = 0; i < options_.proxies; ++i) {
    // One of them spends the time to look closer.
    streams_.push_back(std::make_unique<ProxyStream>(absl::StrFormat("simulated-proxy-%04d", i),
                                                     catalog, progress_,
                                                     /*checks_content=*/i == 0));
  }
}

Fleet::~Fleet() {
  // A stream that has not ended cannot be destroyed.
  if (!closed_) CHECK(Close(kLongestEnd).ok());
}

absl::Status Fleet::Open(absl::Duration longest) {
  const absl::Time deadline = absl::Now() + longest;
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (i >= options_.ramp) {
      absl::Status synced =
          progress_.Await(&FleetCounts::synced, i + 1 - options_.ramp, deadline - absl::Now());
      if (!synced.ok()) return synced;
    }
    streams_[i]->Begin(*stubs_[i % stubs_.size()], options_.access);
    begun_ = i + 1;
  }
  return progress_.Await(&FleetCounts::synced, streams_.size(), deadline - absl::Now());
}

absl::Status Fleet::Close(absl::Duration longest) {
  closed_ = true;
  for (size_t i = 0; i < begun_; ++i) streams_[i]->End();
  const absl::Time deadline = absl::Now() + longest;
  while (progress_.counts().ended < begun_) {
    if (absl::Now() >= deadline) {
      return Internal(progress_.counts().ended, " of ", begun_, " streams have ended");
    }
    absl::SleepFor(kPoll);
  }
  return absl::OkStatus();
}

void Fleet::HoldAcks(bool hold) {
  for (const auto& stream : streams_) stream->HoldAcks(hold);
}

absl::Status Fleet::Check(const Versions& versions) const {
  const auto wrong =
      std::ranges::count_if(streams_, [&](const auto& stream) { return !stream->Holds(versions); });
  if (wrong == 0) return absl::OkStatus();
  return Internal(wrong, " of ", streams_.size(), " proxies do not hold what is in force");
}

}  // namespace weir::benchmark
