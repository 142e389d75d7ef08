// ReplyScanner: finds where each reply of a shard ends, in the protocol of its pool.
//
// It holds the scanner of that protocol by value and passes every call on inline: what is called
// once for each reply costs no indirect call. A plain value of fixed size, kept by the connection
// whose bytes it reads; used on that thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/base/check.h"
#include "proxy/codec/parse_status.h"
#include "proxy/codec/resp_frame_scanner.h"
#include "proxy/codec/shard_protocol.h"

namespace weir {

class ReplyScanner {
 public:
  explicit ReplyScanner(Protocol protocol) { CHECK(protocol == Protocol::kRedis); }

  // Takes the next bytes of the connection. kFrame: the frame ends `consumed` bytes into `bytes`,
  // and the next call gets what follows. kNeedMore: all was taken. kError: the shard broke the
  // protocol; until Reset the answer stays the same.
  ParseResult Scan(std::string_view bytes) { return redis_.Scan(bytes); }
  // As new, for another connection.
  void Reset() { redis_.Reset(); }

  // Of the frame in progress, or of the last one until the next begins:
  // It answers no request: a push of RESP3.
  bool is_push() const { return redis_.type() == '>'; }
  // It is an error in one line, as a shard may send before it has read the whole request.
  bool is_error_line() const { return redis_.type() == '-'; }
  // Bytes that are sure to follow of the value in progress; else 0.
  uint64_t announced_bytes() const { return redis_.announced_bytes(); }

  // After kError: what was wrong, for logs. A constant.
  std::string_view error() const { return redis_.error(); }

 private:
  RespFrameScanner redis_;
};

}  // namespace weir
