#include "tests/benchmark/reply_verifier.h"

#include <algorithm>
#include <cstring>

#include "proxy/base/strings.h"

namespace weir::benchmark {
namespace {
constexpr uint32_t kBulkParts = 4;  // header, key, filler, line end
}  // namespace

void ReplyVerifier::Expect(const KeySpace& keys, const Request& request) {
  keys_ = &keys;
  request_ = request;
  segment_ = 0;
  offset_ = 0;
  if (request.operation == Operation::kMget) {
    array_header_ = StrCat("*", request.mget_keys, "\r\n");
  }
}

std::string_view ReplyVerifier::BulkSegment(uint32_t key, uint32_t part) const {
  switch (part) {
    case 0:
      return keys_->bulk_header();
    case 1:
      return keys_->Key(key);
    case 2:
      return keys_->Filler(key);
    default:
      return "\r\n";
  }
}

std::string_view ReplyVerifier::Segment(uint32_t index) const {
  switch (request_.operation) {
    case Operation::kSet:
      return index == 0 ? "+OK\r\n" : "";
    case Operation::kGet:
      return index < kBulkParts ? BulkSegment(request_.key, index) : "";
    case Operation::kMget: {
      if (index == 0) return array_header_;
      uint32_t nth = (index - 1) / kBulkParts;
      if (nth == request_.mget_keys) return "";
      return BulkSegment((request_.key + nth) % keys_->count(), (index - 1) % kBulkParts);
    }
  }
  return "";
}

Verdict ReplyVerifier::Feed(std::string_view* input) {
  for (;;) {
    std::string_view expected = Segment(segment_);
    if (expected.empty()) return Verdict::kComplete;
    expected.remove_prefix(offset_);
    size_t size = std::min(expected.size(), input->size());
    if (std::memcmp(expected.data(), input->data(), size) != 0) return Verdict::kMismatch;
    input->remove_prefix(size);
    if (size < expected.size()) {
      offset_ += size;
      return Verdict::kNeedMore;
    }
    offset_ = 0;
    ++segment_;
  }
}

std::string ReplyVerifier::DescribeExpected() const {
  std::string_view rest = Segment(segment_).substr(offset_);
  return StrCat("key ", keys_->Key(request_.key), ", segment ", segment_, ": ", rest.substr(0, 80));
}

void AppendRequest(const KeySpace& keys, const Request& request, std::string* out) {
  switch (request.operation) {
    case Operation::kGet:
      return keys.AppendGet(request.key, out);
    case Operation::kSet:
      return keys.AppendSet(request.key, out);
    case Operation::kMget:
      return keys.AppendMget(request.key, request.mget_keys, out);
  }
}

}  // namespace weir::benchmark
