#include "proxy/request/merger.h"

#include <utility>

namespace weir {

std::span<const std::string_view> Merger::TakeReplies(Split& split, ChunkPool& chunks) {
  replies_.clear();
  if (scratch_.size() < split.fragments.size()) scratch_.resize(split.fragments.size());
  for (size_t i = 0; i < split.fragments.size(); ++i) {
    ByteQueue& reply = split.fragments[i].reply;
    replies_.push_back(reply.Flatten(&scratch_[i]));
    if (reply.front().size() == reply.size()) continue;
    chunks.CountBeside(reply.size());
    scratch_bytes_ += reply.size();
    reply.Clear();
  }
  return replies_;
}

void Merger::DropScratch(ChunkPool& chunks) {
  replies_.clear();
  chunks.UncountBeside(std::exchange(scratch_bytes_, 0));
  for (std::string& scratch : scratch_) {
    if (scratch.capacity() > kKeptScratchBytes) std::string().swap(scratch);
  }
}

}  // namespace weir
