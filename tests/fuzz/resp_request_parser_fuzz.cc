// Any bytes, whole and in pieces: the parser must find the same requests and the same error.

#include <cstdint>
#include <string>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/codec/resp_frame_scanner.h"
#include "proxy/codec/resp_request_parser.h"
#include "tests/fuzz/random_pieces.h"

namespace weir {
namespace {

struct Outcome {
  size_t size;  // of the frame
  std::vector<std::string> args;
  bool is_inline;
  std::string error;  // empty for a frame

  bool operator==(const Outcome&) const = default;
};

Outcome OutcomeOf(RespRequestParser& parser, const ParseResult& result) {
  if (result.status == ParseStatus::kError) {
    CHECK(!parser.error().empty());
    return {0, {}, false, std::string(parser.error())};
  }
  return {result.consumed, {parser.args().begin(), parser.args().end()}, parser.is_inline(), ""};
}

// What is true of every request that was found in `bytes`.
void CheckFrame(std::string_view bytes, const Outcome& outcome) {
  CHECK_GT(outcome.size, 0u);
  CHECK_LE(outcome.size, bytes.size());
  if (outcome.args.empty()) return;
  std::vector<std::string_view> args(outcome.args.begin(), outcome.args.end());
  std::string encoded;
  AppendCommand(encoded, args);
  // An array has one encoding only, and is the frame that the scanner finds.
  if (!outcome.is_inline) {
    CHECK(encoded == bytes.substr(0, outcome.size));
    CHECK(RespFrameScanner().Scan(bytes) == (ParseResult{ParseStatus::kFrame, outcome.size}));
  }
  RespRequestParser parser;
  CHECK(parser.Parse(encoded) == (ParseResult{ParseStatus::kFrame, encoded.size()}));
  CHECK(OutcomeOf(parser, {ParseStatus::kFrame, 0}).args == outcome.args);
}

std::vector<Outcome> ParseWhole(std::string_view input, const RequestLimits& limits) {
  std::vector<Outcome> outcomes;
  RespRequestParser parser(limits);
  while (true) {
    const ParseResult result = parser.Parse(input);
    if (result.status == ParseStatus::kNeedMore) break;
    outcomes.push_back(OutcomeOf(parser, result));
    if (result.status == ParseStatus::kError) break;
    CheckFrame(input, outcomes.back());
    input.remove_prefix(result.consumed);
  }
  return outcomes;
}

// As from a connection: each input is at a new address and exactly as large as it says.
std::vector<Outcome> ParsePieces(std::string_view input, const RequestLimits& limits,
                                 uint32_t round) {
  std::vector<Outcome> outcomes;
  RespRequestParser parser(limits);
  RandomPieces pieces(input, round);
  std::vector<char> unread;
  uint64_t wanted = 0;
  size_t args_seen = 0;
  while (!pieces.done()) {
    const std::string_view piece = pieces.Next();
    std::vector<char> next(unread.size() + piece.size());
    std::copy(unread.begin(), unread.end(), next.begin());
    std::copy(piece.begin(), piece.end(), next.begin() + static_cast<ptrdiff_t>(unread.size()));
    unread = std::move(next);
    while (true) {
      const ParseResult result = parser.Parse({unread.data(), unread.size()});
      if (result.status == ParseStatus::kNeedMore) {
        CHECK_GT(parser.wanted_bytes(), unread.size());
        CHECK_GE(parser.wanted_bytes(), wanted);
        wanted = parser.wanted_bytes();
        // Asking or not must make no difference.
        if (piece.size() % 2 == 0) {
          CHECK_GE(parser.args().size(), args_seen);
          args_seen = parser.args().size();
        }
        break;
      }
      outcomes.push_back(OutcomeOf(parser, result));
      if (result.status == ParseStatus::kError) return outcomes;
      CHECK_GE(result.consumed, wanted);
      CHECK_GE(outcomes.back().args.size(), args_seen);
      wanted = 0;
      args_seen = 0;
      unread =
          std::vector<char>(unread.begin() + static_cast<ptrdiff_t>(result.consumed), unread.end());
    }
  }
  return outcomes;
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 2048) return -1;  // each piece copies all that is unread
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const weir::RequestLimits small = {
      .max_line_bytes = 64, .max_args = 16, .max_bulk_bytes = 200, .max_request_bytes = 300};
  for (const weir::RequestLimits& limits : {weir::RequestLimits(), small}) {
    const std::vector<weir::Outcome> whole = weir::ParseWhole(input, limits);
    for (uint32_t round = 0; round < 2; ++round) {
      CHECK(weir::ParsePieces(input, limits, round) == whole);
    }
  }
  return 0;
}
