#include "proxy/health/prober.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proxy/base/strings.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/event/transport.h"

namespace weir {
namespace {

constexpr std::string_view kPong = "+PONG\r\n";

}  // namespace

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
  handshake_ = std::make_unique<Handshake>(target_.auth, target_.db, RespVersion::kResp2);
  if (handshake_->state() == Handshake::State::kDone) return SendPing();
  stream_->Write(handshake_->output());
}

void Probe::SendPing() {
  handshake_.reset();
  answer_.clear();
  std::string ping;
  AppendCommand(ping, "PING");
  stream_->Write(ping);
}

void Probe::OnBytes(std::string_view bytes) {
  if (handshake_ != nullptr) return OnHandshakeBytes(bytes);
  answer_.append(bytes.substr(0, kMaxAnswer));
  if (answer_ == kPong) return Finish(absl::OkStatus());
  const size_t line_end = answer_.find('\r');
  if (line_end != std::string::npos || answer_.size() >= kMaxAnswer) {
    if (kPong.starts_with(answer_)) return;  // only the last byte is missing
    Fail(StrCat("PING: ", answer_.substr(0, std::min(line_end, kMaxAnswer))));
  }
}

void Probe::OnHandshakeBytes(std::string_view bytes) {
  switch (handshake_->OnBytes(bytes)) {
    case Handshake::State::kWaiting:
      return;
    case Handshake::State::kDone:
      return SendPing();
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
