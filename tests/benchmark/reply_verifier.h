// Compares the replies of one connection with what must come, byte for byte.
//
// The load generator knows each reply exactly (payload.h), so nothing is parsed and nothing is
// gathered: the incoming bytes are compared as they come, in pieces of any size. Anything else than
// the right reply (an error, nil, another key's value, a byte too many) is a mismatch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/benchmark/payload.h"

namespace weir::benchmark {

enum class Operation : uint8_t { kGet, kSet, kMget };

// One request that was sent and the moment its latency counts from.
struct Request {
  Operation operation = Operation::kGet;
  uint16_t mget_keys = 0;
  uint32_t key = 0;       // index in the KeySpace; of an MGET, the first
  uint64_t start_ns = 0;  // when sent (closed loop) or due (open loop)
};

enum class Verdict { kNeedMore, kComplete, kMismatch };

// Owned by one connection, used on its thread.
class ReplyVerifier {
 public:
  // Begins with the reply to `request`, whose keys are from `keys`. `keys` must outlive its check.
  void Expect(const KeySpace& keys, const Request& request);

  // Takes from the front of `input` what belongs to the expected reply. On kMismatch `input` begins
  // with the piece that differs. After kComplete call Expect again before Feed.
  Verdict Feed(std::string_view* input);

  // What was expected at the point reached, shortened, for an error message.
  std::string DescribeExpected() const;

 private:
  // The reply is a row of segments; an empty one ends it.
  std::string_view Segment(uint32_t index) const;
  std::string_view BulkSegment(uint32_t key, uint32_t part) const;

  const KeySpace* keys_ = nullptr;
  Request request_;
  uint32_t segment_ = 0;
  size_t offset_ = 0;  // within the segment
  std::string array_header_;
};

// Appends `request` in RESP.
void AppendRequest(const KeySpace& keys, const Request& request, std::string* out);

}  // namespace weir::benchmark
