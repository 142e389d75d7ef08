#include "proxy/request/request.h"

#include <utility>

#include "proxy/base/check.h"

namespace weir {

Request* RequestPool::New(Session* session, Moment start) {
  Request* request = nodes_.New();
  request->session = session;
  request->start = start;
  request->holders = 1;
  request->fragment.request = request;
  return request;
}

Split& RequestPool::AddSplit(Request* request) {
  if (spare_splits_.empty()) {
    request->split = std::make_unique<Split>();
  } else {
    request->split = std::move(spare_splits_.back());
    spare_splits_.pop_back();
  }
  return *request->split;
}

void RequestPool::Release(Request* request) {
  DCHECK(request->holders > 0);
  if (--request->holders > 0) return;
  if (request->split != nullptr && spare_splits_.size() < kSpareSplits &&
      request->split->fragment_of_key.capacity() <= kSpareSplitKeys) {
    Split& split = *request->split;
    split.fragments.clear();
    split.fragment_of_key.clear();
    split.merge = Merge::kNone;
    split.remaining = 0;
    split.dropped = false;
    spare_splits_.push_back(std::move(request->split));
  }
  nodes_.Delete(request);
}

}  // namespace weir
