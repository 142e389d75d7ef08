#include "proxy/health/prober.h"

#include <cstring>
#include <utility>

#include "proxy/base/strings.h"
#include "proxy/event/transport.h"

namespace weir {

Probe::Probe(EventLoop& loop, ChunkPool& chunks, ProbeTarget target, Done done)
    : loop_(loop),
      chunks_(chunks),
      target_(std::move(target)),
      done_(std::move(done)),
      error_("its name has no address"),
      timer_(loop.timers(), [this] { OnTimer(); }) {
  timer_.ArmAt(loop.now());
}

Probe::~Probe() { Disconnect(); }

void Probe::OnTimer() {
  const bool trying = connecting_.valid() || stream_ != nullptr;
  if (!trying) return TryNextAddress();
  Fail(StrCat("no answer within ",
              std::chrono::duration_cast<std::chrono::milliseconds>(target_.timeout).count(),
              " ms"));
}

void Probe::TryNextAddress() {
  Disconnect();
  while (next_address_ < target_.addresses.size()) {
    absl::StatusOr<UniqueFd> fd = StartConnect(target_.addresses[next_address_++]);
    if (!fd.ok()) {
      error_ = FromAbsl(fd.status().message());
      asked_ = asked_ || !absl::IsResourceExhausted(fd.status());
      continue;
    }
    asked_ = true;
    connecting_ = *std::move(fd);
    loop_.Watch(connecting_.get(), Interest::kWrite, this);
    return timer_.ArmAt(loop_.now() + target_.timeout);
  }
  const bool short_of_sockets = !asked_ && !target_.addresses.empty();
  Finish(short_of_sockets ? absl::ResourceExhaustedError(error_) : Unavailable(error_));
}

void Probe::OnReady(Readiness ready) {
  if (!connecting_.valid()) return;
  const int error = ConnectError(connecting_.get());
  if (error != 0) return Fail(std::strerror(error));
  OnConnected();
}

void Probe::OnConnected() {
  loop_.Unwatch(connecting_.get());
  StreamOwner& owner = *this;
  stream_ = std::make_unique<Stream>(
      loop_, chunks_, std::make_unique<PlainTransport>(std::move(connecting_)), owner);
  handshake_ = std::make_unique<Handshake>(target_.login, ConnectionVariant::kBase);
  if (handshake_->state() == Handshake::State::kDone) return Ask();
  stream_->Write(handshake_->output());
}

void Probe::Ask() {
  handshake_.reset();
  question_.emplace(target_.login.protocol);
  stream_->Write(question_->output());
}

void Probe::OnBytes(std::string_view bytes) {
  if (handshake_ != nullptr) return OnHandshakeBytes(bytes);
  switch (question_->OnBytes(bytes)) {
    case ProbeQuestion::State::kWaiting:
      return;
    case ProbeQuestion::State::kServes:
      return Finish(absl::OkStatus());
    case ProbeQuestion::State::kFailed:
      return Fail(question_->error());
  }
}

void Probe::OnHandshakeBytes(std::string_view bytes) {
  switch (handshake_->OnBytes(bytes)) {
    case Handshake::State::kWaiting:
      return;
    case Handshake::State::kDone:
      return Ask();
    case Handshake::State::kFailed:
      return Fail(handshake_->error());
  }
}

void Probe::OnEnd() { OnLost("closed the connection"); }

void Probe::OnStreamBroken(int error) { OnLost(std::strerror(error)); }

void Probe::OnLost(std::string_view error) {
  if (++tries_ >= kTries) return Fail(error);
  --next_address_;
  TryNextAddress();
}

void Probe::Fail(std::string_view error) {
  const ResolvedAddress& address = target_.addresses[next_address_ - 1];
  error_ = StrCat(address.ToString(), ": ", error);
  tries_ = 0;
  TryNextAddress();
}

void Probe::Finish(const absl::Status& result) {
  Disconnect();
  timer_.Disarm();
  Done done = std::move(done_);
  done(result);
}

void Probe::Disconnect() {
  if (connecting_.valid()) {
    loop_.Unwatch(connecting_.get());
    connecting_.Close();
  }
  if (stream_ != nullptr) {
    stream_->Close();
    loop_.DeleteLater(std::move(stream_));
  }
  handshake_.reset();
}

}  // namespace weir
