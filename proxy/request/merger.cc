#include "proxy/request/merger.h"

namespace weir {

std::span<const std::string_view> Merger::TakeReplies(const Split& split) {
  replies_.clear();
  if (scratch_.size() < split.fragments.size()) scratch_.resize(split.fragments.size());
  for (size_t i = 0; i < split.fragments.size(); ++i) {
    replies_.push_back(split.fragments[i].reply.Flatten(&scratch_[i]));
  }
  return replies_;
}

void Merger::DropLargeScratch() {
  replies_.clear();
  for (std::string& scratch : scratch_) {
    if (scratch.capacity() > kKeptScratchBytes) std::string().swap(scratch);
  }
}

}  // namespace weir
