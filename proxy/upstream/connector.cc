#include "proxy/upstream/connector.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "proxy/event/socket.h"

namespace weir {
namespace {

constexpr Duration kFirstBackOff = std::chrono::milliseconds(50);
constexpr Duration kLongestBackOff = std::chrono::seconds(1);

}  // namespace

Connector::Connector(EventLoop& loop, const std::vector<ResolvedAddress>& addresses,
                     const Duration& limit, const ShardLabel& label, ConnectorOwner& owner)
    : loop_(loop),
      addresses_(addresses),
      limit_(limit),
      label_(label),
      owner_(owner),
      timer_(loop.timers(), [this] { OnTimer(); }) {}

Connector::~Connector() { CloseSocket(); }

void Connector::Connect() {
  if (state_ == State::kIdle || state_ == State::kBackingOff) Begin();
}

void Connector::Begin() {
  state_ = State::kConnecting;
  failure_ = addresses_.empty() ? ConnectFailure::kShard : ConnectFailure::kOwn;
  timer_.ArmAt(After(loop_.now(), limit_));
  if (addresses_.empty()) return;
  untried_ = addresses_.size();
  TryNextAddress();
}

void Connector::TryNextAddress() {
  if (owner_.MustWait()) {
    CloseSocket();
    timer_.Disarm();
    state_ = State::kHeld;
    return;
  }
  while (untried_ > 0 && !addresses_.empty()) {
    --untried_;
    address_ = addresses_[in_use_ % addresses_.size()];
    absl::StatusOr<UniqueFd> fd = StartConnect(address_);
    if (fd.ok()) {
      socket_ = *std::move(fd);
      return loop_.Watch(socket_.get(), Interest::kWrite, this);
    }
    ++in_use_;
    if (!absl::IsResourceExhausted(fd.status())) failure_ = ConnectFailure::kShard;
    LOG_EVENT_LIMITED(LogLevel::kWarn, "connect_failed", {"pool", label_.pool},
                      {"shard", label_.shard}, {"address", address_.ToString()},
                      {"error", FromAbsl(fd.status().message())});
  }
  // Fails by the timer, never inside of Connect.
  timer_.ArmAt(loop_.now());
}

void Connector::OnReady(Readiness ready) {
  if (!socket_.valid()) return;
  int error = ConnectError(socket_.get());
  if (error == 0 && ConnectedToItself(socket_.get())) error = ECONNREFUSED;
  if (error == 0) {
    loop_.Unwatch(socket_.get());
    state_ = State::kProving;
    return owner_.OnConnected(std::move(socket_));
  }
  LOG_EVENT_LIMITED(LogLevel::kWarn, "connect_failed", {"pool", label_.pool},
                    {"shard", label_.shard}, {"address", address_.ToString()},
                    {"error", std::strerror(error)});
  ++in_use_;
  failure_ = ConnectFailure::kShard;
  CloseSocket();
  if (untried_ > 0) return TryNextAddress();
  owner_.OnConnectFailed(failure_);
}

void Connector::OnTimer() {
  if (state_ == State::kBackingOff) {
    return owner_.MayConnectAgain() ? Begin() : timer_.ArmAt(loop_.now() + kLongestBackOff);
  }
  const bool too_late = socket_.valid() || state_ == State::kProving;
  if (too_late) {
    LOG_EVENT_LIMITED(LogLevel::kWarn, "connect_failed", {"pool", label_.pool},
                      {"shard", label_.shard}, {"address", address_.ToString()},
                      {"error", state_ == State::kProving ? "no answer to the login in time"
                                                          : "no connection in time"});
  }
  owner_.OnConnectFailed(too_late ? ConnectFailure::kShard : failure_);
}

void Connector::Succeed() {
  DCHECK(state_ == State::kProving);
  state_ = State::kIdle;
  failed_attempts_ = 0;
  timer_.Disarm();
}

void Connector::BackOff() {
  // Refused addresses were passed over one by one; this one was connected to, or took too long.
  if (state_ == State::kProving || socket_.valid()) ++in_use_;
  CloseSocket();
  state_ = State::kBackingOff;
  const Duration delay = kFirstBackOff * (1 << std::min(failed_attempts_, 5u));
  ++failed_attempts_;
  timer_.ArmAt(loop_.now() + std::min(delay, kLongestBackOff));
}

void Connector::Cancel() {
  CloseSocket();
  state_ = State::kIdle;
  timer_.Disarm();
}

void Connector::LetGo() {
  if (state_ == State::kHeld) Begin();
}

void Connector::OnAddressesChanged() {
  if (!backing_off()) {
    auto same = std::ranges::find(addresses_, address_);
    if (same != addresses_.end()) in_use_ = same - addresses_.begin();
  }
  const bool waits = state_ == State::kConnecting && !socket_.valid();
  if (waits && addresses_.empty()) return owner_.OnConnectFailed(ConnectFailure::kShard);
  const bool is_news = backing_off() && !addresses_.empty() && owner_.MayConnectAgain();
  if (waits || is_news) Begin();
}

void Connector::CloseSocket() {
  if (!socket_.valid()) return;
  loop_.Unwatch(socket_.get());
  socket_.Close();
}

}  // namespace weir
