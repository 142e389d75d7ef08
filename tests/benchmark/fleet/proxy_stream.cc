#include "tests/benchmark/fleet/proxy_stream.h"

#include <utility>

#include "controlplane/server/byte_buffers.h"
#include "proxy/base/strings.h"

namespace weir::benchmark {

ProxyStream::ProxyStream(std::string node_id, const Catalog& catalog, FleetProgress& progress,
                         bool checks_content)
    : node_id_(std::move(node_id)), progress_(progress), held_(catalog, checks_content) {}

void ProxyStream::Begin(grpc::GenericStub& stub, const Access& access) {
  access.Authorize(context_);
  stub.PrepareBidiStreamingCall(&context_, "/weir.v1.DiscoveryService/Stream", {}, this);
  AddHold();  // until nothing can be read any more: ACKs may be sent by other threads
  v1::DiscoveryRequest first;
  first.mutable_node()->set_id(node_id_);
  first.mutable_node()->set_build("fleet_simulator");
  first.mutable_subscription();
  {
    const std::lock_guard lock(mutex_);
    Send(first);
    StartRead(&response_);
  }
  StartCall();
}

void ProxyStream::End() {
  ending_ = true;
  context_.TryCancel();
}

void ProxyStream::HoldAcks(bool hold) {
  const std::lock_guard lock(mutex_);
  holds_acks_ = hold;
  AckLast();
}

bool ProxyStream::Holds(const Versions& versions) const {
  const std::lock_guard lock(mutex_);
  return held_.versions() == versions;
}

void ProxyStream::OnReadDone(bool ok) {
  if (!ok) {
    {
      const std::lock_guard lock(mutex_);
      read_ended_ = true;
    }
    RemoveHold();
    return;
  }
  thread_local v1::DiscoveryResponse response;  // its memory is used again
  const std::lock_guard lock(mutex_);
  const size_t bytes = response_.Length();
  const bool parsed = ParseByteBuffer(&response_, response);
  const absl::Status taken = parsed ? held_.Take(response) : Internal("no DiscoveryResponse");
  StartRead(&response_);
  if (!taken.ok()) return Fail(taken);
  if (!nonce_.empty()) return Fail(Internal("a response before the ACK of the last one"));
  nonce_ = response.nonce();
  complete_ = !response.system_version().empty();
  progress_.OnResponse(static_cast<uint64_t>(response.changed_size()), bytes);
  AckLast();
}

void ProxyStream::OnWriteDone(bool ok) {
  if (!ok) return;  // the read fails, too
  const std::lock_guard lock(mutex_);
  writing_ = false;
  if (writes_ack_) {
    const bool syncs = complete_ && !synced_;
    synced_ = synced_ || complete_;
    progress_.OnAck(syncs);
  }
  AckLast();
}

void ProxyStream::OnDone(const grpc::Status& status) {
  if (!ending_) Fail(Internal("the stream has ended: ", status.error_message()));
  progress_.OnEnd();  // the last touch
}

void ProxyStream::Send(const v1::DiscoveryRequest& request) {
  const grpc::Slice slice(request.SerializeAsString());
  request_ = grpc::ByteBuffer(&slice, 1);
  writing_ = true;
  writes_ack_ = request.has_ack();
  StartWrite(&request_);
}

// The server may have sent the next response before the ACK of the last one is told to be written.
void ProxyStream::AckLast() {
  if (nonce_.empty() || holds_acks_ || writing_ || read_ended_) return;
  v1::DiscoveryRequest request;
  request.mutable_ack()->set_nonce(std::exchange(nonce_, {}));
  Send(request);
}

void ProxyStream::Fail(const absl::Status& status) {
  progress_.OnFailure(Internal(node_id_, ": ", FromAbsl(status.message())));
}

}  // namespace weir::benchmark
