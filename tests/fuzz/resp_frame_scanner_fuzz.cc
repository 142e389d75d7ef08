// Any bytes, whole and in pieces: the scanner must find the same frames and the same error; and
// what it found can be read.

#include <cstdint>
#include <string>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/codec/resp_frame_scanner.h"
#include "proxy/codec/resp_reader.h"
#include "tests/fuzz/random_pieces.h"

namespace weir {
namespace {

struct Outcome {
  size_t size;  // of the frame
  char type;
  std::string error;  // empty for a frame

  bool operator==(const Outcome&) const = default;
};

void CheckFrame(std::string_view frame, char type) {
  const std::string_view proper = WithoutAttributes(frame);
  CHECK(!proper.empty() && proper.front() == type);
  CHECK(IsError(frame) == (type == '-' || type == '!'));
  CHECK_LE(ErrorText(frame).size(), frame.size());
  CHECK(type == ':' || !ReadInteger(frame).has_value());
  (void)ReadString(frame);
  const bool is_aggregate = type == '*' || type == '%' || type == '~' || type == '>';
  RespElements elements(frame);
  CHECK(elements.is_aggregate() == (is_aggregate && !IsNull(frame)));
  while (std::optional<std::string_view> element = elements.Next()) {
    CHECK(!element->empty());
  }
  CHECK_EQ(elements.remaining(), 0);
}

std::vector<Outcome> ScanWhole(std::string_view input, const FrameLimits& limits) {
  std::vector<Outcome> outcomes;
  RespFrameScanner scanner(limits);
  while (true) {
    const ParseResult result = scanner.Scan(input);
    if (result.status == ParseStatus::kNeedMore) {
      CHECK_EQ(result.consumed, input.size());
      break;
    }
    outcomes.push_back({result.consumed, scanner.type(), std::string(scanner.error())});
    if (result.status == ParseStatus::kError) break;
    CHECK_GT(result.consumed, 0u);
    CheckFrame(input.substr(0, result.consumed), scanner.type());
    input.remove_prefix(result.consumed);
  }
  return outcomes;
}

std::vector<Outcome> ScanPieces(std::string_view input, const FrameLimits& limits, uint32_t round) {
  std::vector<Outcome> outcomes;
  RespFrameScanner scanner(limits);
  RandomPieces pieces(input, round);
  size_t frame_bytes = 0;
  uint64_t announced = 0;
  while (!pieces.done()) {
    // A copy of its own: reading before or behind it is found.
    std::vector<char> piece;
    const std::string_view bytes = pieces.Next();
    piece.assign(bytes.begin(), bytes.end());
    std::string_view rest(piece.data(), piece.size());
    while (!rest.empty()) {
      const ParseResult result = scanner.Scan(rest);
      if (result.status == ParseStatus::kError) {
        outcomes.push_back({0, scanner.type(), std::string(scanner.error())});
        return outcomes;
      }
      if (announced > rest.size()) CHECK_EQ(scanner.announced_bytes(), announced - rest.size());
      frame_bytes += result.consumed;
      rest.remove_prefix(result.consumed);
      announced = scanner.announced_bytes();
      CHECK(scanner.in_frame() == (result.status == ParseStatus::kNeedMore));
      if (result.status != ParseStatus::kFrame) continue;
      outcomes.push_back({frame_bytes, scanner.type(), ""});
      frame_bytes = 0;
    }
  }
  return outcomes;
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const weir::FrameLimits small = {
      .max_line_bytes = 20, .max_depth = 3, .max_elements = 9, .max_bulk_bytes = 100};
  for (const weir::FrameLimits& limits : {weir::FrameLimits(), small}) {
    const std::vector<weir::Outcome> whole = weir::ScanWhole(input, limits);
    for (uint32_t round = 0; round < 2; ++round) {
      CHECK(weir::ScanPieces(input, limits, round) == whole);
    }
  }
  return 0;
}
