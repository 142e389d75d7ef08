// ReplyDispatcher: hands what arrives from the shards to the sessions that asked.
//
// A value of its worker, on its thread; ends after the connections. A request whose session is gone
// lets its reply pass unread.
#pragma once

#include <span>

#include "proxy/request/request.h"
#include "proxy/upstream/reply_sink.h"

namespace weir {

class ReplyDispatcher final : public ReplySink {
 public:
  // Borrowed; outlives the connections that report here.
  explicit ReplyDispatcher(RequestPool& requests) : requests_(requests) {}

  void OnReplyParts(std::span<const ReplyPart> parts) override;
  void OnFragmentFailed(Fragment* fragment, Failure failure) override;
  void OnFragmentReleased(Fragment* fragment) override;

 private:
  RequestPool& requests_;
};

}  // namespace weir
