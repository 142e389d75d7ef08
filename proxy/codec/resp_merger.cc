#include "proxy/codec/resp_merger.h"

#include <utility>

#include "proxy/codec/resp_encoder.h"

namespace weir {
namespace {

constexpr std::string_view kUnexpected =
    "ERR a shard's reply to its part of a split command is not of the expected kind";

}  // namespace

void RespMerger::Merge(const ReplyParts& parts, ChunkPool& chunks, ByteQueue* out) {
  parts_.clear();
  for (std::string_view reply : parts.replies) {
    parts_.push_back({.frame = WithoutAttributes(reply)});
  }
  ByteQueueWriter writer(chunks, *out);
  const bool keep_errors = parts.errors_as_values && parts.merge == Merge::kConcat;
  if (std::optional<std::string_view> error = FirstError(); error && !keep_errors) {
    return writer.append(*error);
  }
  // Nothing may be half written when a part turns out to be wrong.
  ByteQueue merged;
  ByteQueueWriter merged_writer(chunks, merged);
  bool ok = false;
  switch (parts.merge) {
    case Merge::kSum:
      ok = MergeSum(merged_writer);
      break;
    case Merge::kAllOk:
      ok = MergeAllOk(merged_writer);
      break;
    case Merge::kConcat:
      ok = MergeConcat(parts.part_of_value, merged_writer);
      break;
    case Merge::kNone:
      break;
  }
  if (ok) {
    out->Splice(chunks, std::move(merged));
  } else {
    AppendError(writer, kUnexpected);
  }
}

std::optional<std::string_view> RespMerger::FirstError() const {
  for (const Part& part : parts_) {
    if (IsError(part.frame)) return part.frame;
  }
  return std::nullopt;
}

bool RespMerger::MergeSum(ByteQueueWriter& out) const {
  int64_t sum = 0;
  for (const Part& part : parts_) {
    const std::optional<int64_t> value = ReadInteger(part.frame);
    if (!value.has_value() || __builtin_add_overflow(sum, *value, &sum)) return false;
  }
  AppendInteger(out, sum);
  return true;
}

bool RespMerger::MergeAllOk(ByteQueueWriter& out) const {
  for (const Part& part : parts_) {
    if (!IsSimple(part.frame, "OK")) return false;
  }
  AppendSimple(out, "OK");
  return true;
}

bool RespMerger::MergeConcat(std::span<const uint32_t> part_of_value, ByteQueueWriter& out) {
  for (uint32_t part : part_of_value) ++parts_[part].expected;
  for (Part& part : parts_) {
    part.elements = RespElements(part.frame);
    if (!IsError(part.frame) && part.elements.count() != part.expected) return false;
  }
  AppendArrayHeader(out, static_cast<int64_t>(part_of_value.size()));
  for (uint32_t index : part_of_value) {
    Part& part = parts_[index];
    if (IsError(part.frame)) {
      out.append(part.frame);
    } else if (std::optional<std::string_view> element = part.elements.Next()) {
      out.append(*element);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace weir
