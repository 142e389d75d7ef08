// LiveFleet: real proxies that learn the pool `alpha` from a real weir-control, and changes of its
// shards.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto/weir/v1/admin.pb.h"
#include "tests/integration/control_under_test.h"
#include "tests/integration/weir_process.h"
#include "tests/support/resp_client.h"
#include "tests/support/sockets.h"
#include "tests/support/temp_directory.h"

namespace weir {

struct NamedShard {
  std::string name;
  Address address;
};

// The proxies p0, p1, ... share the pool's address (reuseport), each keeps its last good state. All
// ends with the object. One thread.
class LiveFleet {
 public:
  // All proxies serve `alpha` when it returns. They know `next_control`, if there is one, as the
  // control plane to turn to when the first is gone.
  LiveFleet(size_t proxies, const std::vector<NamedShard>& shards,
            const Address& next_control = "");

  // The first one.
  ControlUnderTest& control() { return control_; }
  // Changes and questions go there from now on. Borrowed.
  void GoTo(ControlUnderTest& control) { asked_ = &control; }
  WeirProcess& proxy(size_t index) { return *proxies_[index]; }
  size_t size() const { return proxies_.size(); }
  // Ends all proxies and starts them again as they were.
  void RestartProxies();

  // Changes of alpha. Each waits until all proxies serve it, and expects that they do.
  v1::Plan AddShard(const NamedShard& shard);
  v1::Plan RemoveShard(const std::string& shard);
  v1::Plan SetWeight(const std::string& shard, uint32_t weight);
  v1::Plan DrainShard(const std::string& shard, bool undo = false);
  // Of the policy only the fields that are set.
  void SetPolicy(const v1::PoolPolicy& policy);

  // Another pool, with a socket that only one process can have; what the proxies say to it.
  std::vector<v1::ProxyResult> CreatePoolForOneProxy(const std::string& name,
                                                     const NamedShard& shard);

  // The proxies that are connected.
  std::vector<v1::Proxy> Proxies();
  // All proxies are connected and hold what they should; waits for it.
  bool InSync(std::chrono::seconds limit = std::chrono::seconds(20));

  // A client of alpha whose connection this proxy has accepted.
  RespClient ClientOf(size_t proxy);

 private:
  std::unique_ptr<WeirProcess> StartProxy(size_t index);
  v1::Plan ExpectAcked(const v1::ChangeResponse& response) const;

  ControlUnderTest control_;
  ControlUnderTest* asked_ = &control_;
  const std::string control_flag_;
  TempDirectory states_;
  const Address address_;
  std::vector<std::unique_ptr<WeirProcess>> proxies_;
};

}  // namespace weir
