// RedisSessionState: what the redis protocol keeps for one session.
//
// Owned by the session, used on its worker's thread; dies with it. Small while the session is idle:
// the parser and the transaction exist only while a request or a transaction is unfinished.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "proxy/base/chunk_pool.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/codec/resp_request_parser.h"
#include "proxy/codec/resp_request_scanner.h"
#include "proxy/config/pool_config.h"
#include "proxy/downstream/redis_transaction.h"
#include "proxy/downstream/request_handler.h"
#include "proxy/request/request.h"

namespace weir {

// CLIENT REPLY.
enum class ReplyMode : uint8_t {
  kOn,
  kSkipNext,  // SKIP was said: the next request gets no reply
  kOff,
};

// A request that is passed on while it arrives. Holds it, since it may fail before its end is here.
class RedisUpload {
 public:
  RedisUpload(RequestPool& requests, Request* request, const RequestLimits& limits)
      : requests_(requests), request_(request), scanner_(limits) {
    requests_.Hold(request_);
  }
  ~RedisUpload() { requests_.Release(request_); }
  RedisUpload(const RedisUpload&) = delete;
  RedisUpload& operator=(const RedisUpload&) = delete;

  Request* request() { return request_; }
  // Finds the request's end.
  RespRequestScanner& scanner() { return scanner_; }

 private:
  RequestPool& requests_;
  Request* request_;
  RespRequestScanner scanner_;
};

// The parser of an unfinished request. What it holds beside itself counts with `pool`, borrowed,
// for --memory-limit.
class HeldParser {
 public:
  HeldParser(ChunkPool& pool, RespRequestParser&& parser)
      : pool_(pool), parser_(std::move(parser)) {
    Count();
  }
  ~HeldParser() { pool_.UncountBeside(counted_); }
  HeldParser(const HeldParser&) = delete;
  HeldParser& operator=(const HeldParser&) = delete;

  RespRequestParser& parser() { return parser_; }
  size_t held_bytes() const { return counted_; }
  // The request is known to be one that cannot be streamed, however large.
  bool gathers = false;
  // To be called when it has parsed more.
  void Count() {
    const size_t bytes = parser_.memory_bytes();
    pool_.UncountBeside(std::exchange(counted_, bytes));
    pool_.CountBeside(bytes);
  }

 private:
  ChunkPool& pool_;
  RespRequestParser parser_;
  size_t counted_ = 0;
};

struct RedisSessionState final : ProtocolState {
  size_t held_bytes() const override {
    return (transaction == nullptr ? 0 : transaction->frames.size()) +
           (parser == nullptr ? 0 : parser->held_bytes());
  }

  RespVersion version = RespVersion::kResp2;
  ReplyMode reply_mode = ReplyMode::kOn;
  bool authenticated = false;
  absl::Time connected_at;  // the session's begin, for CLIENT INFO
  std::string client_name;  // CLIENT SETNAME, HELLO … SETNAME
  std::string library;      // CLIENT SETINFO, "name version"; empty: neither
  std::unique_ptr<HeldParser> parser;
  std::unique_ptr<RedisUpload> upload;  // between the beginning and the end of a large request
  std::unique_ptr<RedisTransaction> transaction;  // between MULTI and EXEC or DISCARD
};

// Whether the session has yet to give the pool's password. A reload may have taken that away.
inline bool IsLocked(const RedisSessionState& state, const PoolConfig& config) {
  return !state.authenticated && !config.redis_auth.empty();
}

}  // namespace weir
