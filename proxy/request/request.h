// Request: what a downstream asked, from its complete frame to the last byte of its reply.
//
// Comes from the worker's RequestPool, lives on that worker's thread. Held by its session (until
// its reply was handed on, or the session ended), by each connection that still awaits the reply of
// one of its fragments and by an upload that has not read its end; it goes back to the pool when
// the last of them lets go. A request whose
// session is gone has `session` null: its replies are discarded by position.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/base/byte_queue.h"
#include "proxy/base/clock.h"
#include "proxy/base/node_pool.h"
#include "proxy/codec/command_table.h"
#include "proxy/upstream/fragment.h"

namespace weir {

class Session;

// The fragments of a request that went to several shards, and how their replies become one. Kept
// for reuse with its memory.
struct Split {
  std::vector<Fragment> fragments;        // one per shard; never resized once one was sent
  std::vector<uint32_t> fragment_of_key;  // for Merge::kConcat: which fragment has the i-th value
  Merge merge = Merge::kNone;
  uint32_t remaining = 0;  // fragments without their reply
  bool dropped = false;    // its replies were, for want of room: the answer is an error
};

struct Request {
  Request* next = nullptr;     // in the session's reply queue
  Session* session = nullptr;  // null once it is gone
  uint64_t session_id = 0;     // whose it was
  Moment start{};              // its frame was complete
  uint16_t holders = 0;        // see above
  bool silent = false;         // its reply is dropped
  bool done = false;           // the reply is complete: in fragment.reply, or to be merged
  uint32_t sent_bytes = 0;     // of its frames, as counted against its session
  Fragment fragment;           // the only one, unless `split`; its reply is the request's
  std::unique_ptr<Split> split;
};

static_assert(sizeof(Request) <= 128);

// All requests of one worker.
class RequestPool {
 public:
  // Held once, by the session.
  Request* New(Session* session, Moment start);
  // Gives it a Split, a used one when there is one.
  Split& AddSplit(Request* request);
  void Hold(Request* request) { ++request->holders; }
  void Release(Request* request);
  size_t in_use() const { return nodes_.in_use(); }

 private:
  static constexpr size_t kSpareSplits = 64;
  static constexpr size_t kSpareSplitKeys = 4096;  // a larger one goes back to the allocator
  NodePool<Request> nodes_;
  std::vector<std::unique_ptr<Split>> spare_splits_;
};

}  // namespace weir
