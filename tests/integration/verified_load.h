// VerifiedLoad: clients that write and read through proxies while shards change, never retry, and
// check every reply.
//
// A value says which key it is of and which of its writes. While nothing changes, a key has exactly
// what was written to it since the last change. Weir moves no data: while a change is under way,
// and for keys that were not written since, the key may be missing, or have an older value of its
// own. Never a later one, one of another key, or an error.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/resp_client.h"

namespace weir {

class VerifiedLoad {
 public:
  struct Outcome {
    uint64_t requests = 0;
    uint64_t exact = 0;  // reads that had to give one certain value
    uint64_t failed = 0;
    uint64_t wrong = 0;
    std::string first_problem;
  };

  // A thread for each client, which goes on until Stop.
  explicit VerifiedLoad(std::vector<RespClient> clients);
  ~VerifiedLoad() { Stop(); }
  VerifiedLoad(const VerifiedLoad&) = delete;
  VerifiedLoad& operator=(const VerifiedLoad&) = delete;

  // Runs `change`, which may change where keys are until it returns. Every client has made some
  // rounds before it and after it.
  void During(const std::function<void()>& change);

  // Of all clients. A second call gives the same.
  Outcome Stop();

 private:
  struct Key {
    std::string name;
    uint64_t written = 0;  // number of the last write; 0: none
    uint64_t epoch = 0;    // in which it was written; kNoEpoch when that is not certain
  };
  struct Client {
    explicit Client(RespClient connected) : connection(std::move(connected)) {}

    RespClient connection;
    std::vector<Key> keys;
    Outcome outcome;
    std::atomic<uint64_t> rounds = 0;
    std::atomic<bool> ended = false;
    std::thread thread;
  };

  void Run(Client& client);
  // Reads, writes and reads again some keys, in one pipeline. False when the connection has ended.
  bool Round(Client& client, size_t first_key);
  void CheckRead(const Reply& reply, const Key& key, bool is_certain, Outcome& outcome) const;
  void AwaitRounds() const;

  std::vector<std::unique_ptr<Client>> clients_;
  std::atomic<uint64_t> epoch_ = 0;  // odd while a change is under way
  std::atomic<bool> stopping_ = false;
};

}  // namespace weir
