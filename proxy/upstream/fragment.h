// Fragment: one shard's part of a request, as a connection sees it.
//
// Lives inside a Request or its Split (request/request.h), which come from the worker's pool; a
// connection only links it, on that worker's thread. Between Send and the end of its reply it
// belongs to the connection's FIFO, so a request whose session is gone lives on until its reply was
// discarded by position.
#pragma once

#include <cstdint>

#include "proxy/base/byte_queue.h"
#include "proxy/base/clock.h"

namespace weir {

struct Request;

enum class FragmentState : uint8_t {
  kIdle,     // not sent
  kPending,  // sent; its reply is awaited
  kExpired,  // failed with kTimedOut; the connection still awaits its reply, to discard it
  kDone,     // replied to, or failed
};

struct Fragment {
  Fragment* next = nullptr;      // in the connection's FIFO
  Request* request = nullptr;    // whose part this is
  Moment deadline = kNever;      // of the reply's first byte
  uint64_t end_position = 0;     // of its last byte in the connection's output
  uint32_t bytes = 0;            // of the fragment on the wire
  uint32_t replies_to_skip = 0;  // replies dropped before its own: the QUEUED ones of a transaction
  uint32_t shard = 0;            // where it went
  uint32_t mark = 0;             // of the request, see LargeReplies
  FragmentState state = FragmentState::kIdle;
  bool passed_on = false;  // bytes of its reply have gone to the session
  ByteQueue reply;         // gathered and not yet passed on

  uint64_t begin_position() const { return end_position - bytes; }
};

}  // namespace weir
