// A simulated proxy: one discovery stream that subscribes to all pools of its fleet, checks what it
// is sent, keeps versions only and ACKs at once.
//
// Runs on gRPC's threads; the methods below may be called by any thread. It must live until its
// OnDone has run, which FleetProgress tells as OnEnd.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "grpcpp/client_context.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "tests/benchmark/fleet/access.h"
#include "tests/benchmark/fleet/fleet_progress.h"
#include "tests/benchmark/fleet/held_versions.h"
#include "weir/v1/discovery.pb.h"

namespace weir::benchmark {

class ProxyStream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // `catalog` and `progress` outlive it.
  ProxyStream(std::string node_id, const Catalog& catalog, FleetProgress& progress,
              bool checks_content);

  // Once; both are used until it returns.
  void Begin(grpc::GenericStub& stub, const Access& access);
  // Ends the stream as a proxy that is killed would. After Begin.
  void End();

  // From now on no response is ACKed; with false the one that waits is, and later ones at once.
  void HoldAcks(bool hold);

  bool Holds(const Versions& versions) const;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  // These need `mutex_`.
  void Send(const v1::DiscoveryRequest& request);
  void AckLast();

  void Fail(const absl::Status& status);

  const std::string node_id_;
  FleetProgress& progress_;
  grpc::ClientContext context_;
  std::atomic<bool> ending_ = false;

  mutable std::mutex mutex_;
  HeldVersions held_;
  grpc::ByteBuffer request_;   // on its way, while `writing_`
  grpc::ByteBuffer response_;  // being read
  bool writing_ = false;
  bool writes_ack_ = false;  // what is being written
  bool holds_acks_ = false;
  bool read_ended_ = false;  // nothing is to be written any more
  bool complete_ = false;    // the last response left nothing out
  bool synced_ = false;
  std::string nonce_;  // of the response that is to be ACKed; empty: none
};

}  // namespace weir::benchmark
