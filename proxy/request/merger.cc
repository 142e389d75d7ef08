#include "proxy/request/merger.h"

#include <optional>
#include <string_view>
#include <vector>

#include "proxy/codec/resp_encoder.h"
#include "proxy/codec/resp_reader.h"

namespace weir {
namespace {

constexpr std::string_view kUnexpected =
    "ERR a shard's reply to its part of a split command is not of the expected kind";

// The replies as contiguous frames; those in several chunks are gathered in `scratch`.
std::vector<std::string_view> Frames(const Split& split, std::vector<std::string>* scratch) {
  std::vector<std::string_view> frames;
  scratch->resize(split.fragments.size());
  frames.reserve(split.fragments.size());
  for (size_t i = 0; i < split.fragments.size(); ++i) {
    frames.push_back(WithoutAttributes(split.fragments[i].reply.Flatten(&(*scratch)[i])));
  }
  return frames;
}

std::optional<std::string_view> FirstError(const std::vector<std::string_view>& frames) {
  for (std::string_view frame : frames) {
    if (IsError(frame)) return frame;
  }
  return std::nullopt;
}

bool MergeSum(const std::vector<std::string_view>& frames, ByteQueueWriter& out) {
  int64_t sum = 0;
  for (std::string_view frame : frames) {
    std::optional<int64_t> value = ReadInteger(frame);
    if (!value.has_value()) return false;
    sum += *value;
  }
  AppendInteger(out, sum);
  return true;
}

bool MergeAllOk(const std::vector<std::string_view>& frames, ByteQueueWriter& out) {
  for (std::string_view frame : frames) {
    if (!IsSimple(frame, "OK")) return false;
  }
  AppendSimple(out, "OK");
  return true;
}

bool MergeConcat(const Split& split, const std::vector<std::string_view>& frames,
                 ByteQueueWriter& out) {
  std::vector<uint32_t> expected(frames.size(), 0);
  for (uint32_t fragment : split.fragment_of_key) ++expected[fragment];
  std::vector<RespElements> elements;
  elements.reserve(frames.size());
  for (size_t i = 0; i < frames.size(); ++i) {
    elements.emplace_back(frames[i]);
    if (!IsError(frames[i]) && elements[i].count() != expected[i]) return false;
  }
  AppendArrayHeader(out, static_cast<int64_t>(split.fragment_of_key.size()));
  for (uint32_t fragment : split.fragment_of_key) {
    if (IsError(frames[fragment])) {
      out.append(frames[fragment]);
    } else if (std::optional<std::string_view> element = elements[fragment].Next()) {
      out.append(*element);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

void MergeReplies(const Split& split, bool partial_elements, ChunkPool& chunks, ByteQueue* out) {
  std::vector<std::string> scratch;
  const std::vector<std::string_view> frames = Frames(split, &scratch);
  ByteQueueWriter writer(chunks, *out);
  const bool keep_errors = partial_elements && split.merge == Merge::kConcat;
  if (std::optional<std::string_view> error = FirstError(frames); error && !keep_errors) {
    return writer.append(*error);
  }
  ByteQueue merged;
  ByteQueueWriter merged_writer(chunks, merged);
  bool ok = false;
  switch (split.merge) {
    case Merge::kSum:
      ok = MergeSum(frames, merged_writer);
      break;
    case Merge::kAllOk:
      ok = MergeAllOk(frames, merged_writer);
      break;
    case Merge::kConcat:
      ok = MergeConcat(split, frames, merged_writer);
      break;
    case Merge::kNone:
      break;
  }
  if (!ok) return AppendError(writer, kUnexpected);
  out->Splice(chunks, std::move(merged));
}

}  // namespace weir
