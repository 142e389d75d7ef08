#include "proxy/request/merger.h"

#include <utility>

#include "proxy/codec/resp_encoder.h"

namespace weir {
namespace {

constexpr std::string_view kUnexpected =
    "ERR a shard's reply to its part of a split command is not of the expected kind";

}  // namespace

void Merger::Merge(const Split& split, bool partial_elements, ChunkPool& chunks, ByteQueue* out) {
  TakeFrames(split);
  ByteQueueWriter writer(chunks, *out);
  const bool keep_errors = partial_elements && split.merge == Merge::kConcat;
  if (std::optional<std::string_view> error = FirstError(); error && !keep_errors) {
    writer.append(*error);
    return DropLargeScratch();
  }
  // Nothing may be half written when a part turns out to be wrong.
  ByteQueue merged;
  ByteQueueWriter merged_writer(chunks, merged);
  bool ok = false;
  switch (split.merge) {
    case Merge::kSum:
      ok = MergeSum(merged_writer);
      break;
    case Merge::kAllOk:
      ok = MergeAllOk(merged_writer);
      break;
    case Merge::kConcat:
      ok = MergeConcat(split, merged_writer);
      break;
    case Merge::kNone:
      break;
  }
  if (ok) {
    out->Splice(chunks, std::move(merged));
  } else {
    AppendError(writer, kUnexpected);
  }
  DropLargeScratch();
}

void Merger::TakeFrames(const Split& split) {
  parts_.clear();
  if (scratch_.size() < split.fragments.size()) scratch_.resize(split.fragments.size());
  for (size_t i = 0; i < split.fragments.size(); ++i) {
    const std::string_view reply = split.fragments[i].reply.Flatten(&scratch_[i]);
    parts_.push_back({.frame = WithoutAttributes(reply)});
  }
}

void Merger::DropLargeScratch() {
  parts_.clear();
  for (std::string& scratch : scratch_) {
    if (scratch.capacity() > kKeptScratchBytes) std::string().swap(scratch);
  }
}

std::optional<std::string_view> Merger::FirstError() const {
  for (const Part& part : parts_) {
    if (IsError(part.frame)) return part.frame;
  }
  return std::nullopt;
}

bool Merger::MergeSum(ByteQueueWriter& out) const {
  int64_t sum = 0;
  for (const Part& part : parts_) {
    const std::optional<int64_t> value = ReadInteger(part.frame);
    if (!value.has_value() || __builtin_add_overflow(sum, *value, &sum)) return false;
  }
  AppendInteger(out, sum);
  return true;
}

bool Merger::MergeAllOk(ByteQueueWriter& out) const {
  for (const Part& part : parts_) {
    if (!IsSimple(part.frame, "OK")) return false;
  }
  AppendSimple(out, "OK");
  return true;
}

bool Merger::MergeConcat(const Split& split, ByteQueueWriter& out) {
  for (uint32_t fragment : split.fragment_of_key) ++parts_[fragment].expected;
  for (Part& part : parts_) {
    part.elements = RespElements(part.frame);
    if (!IsError(part.frame) && part.elements.count() != part.expected) return false;
  }
  AppendArrayHeader(out, static_cast<int64_t>(split.fragment_of_key.size()));
  for (uint32_t fragment : split.fragment_of_key) {
    Part& part = parts_[fragment];
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
