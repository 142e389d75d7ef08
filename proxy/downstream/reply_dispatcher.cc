#include "proxy/downstream/reply_dispatcher.h"

#include "proxy/downstream/session.h"

namespace weir {

void ReplyDispatcher::OnReplyParts(std::span<const ReplyPart> parts) {
  // A session that closes on the way ends its lease, which drops what is pending there: the request
  // whose reply goes on, always that of the last part, stays until the parts are dealt with.
  Request* unfinished = parts.back().last ? nullptr : parts.back().fragment->request;
  if (unfinished != nullptr) requests_.Hold(unfinished);
  for (const ReplyPart& part : parts) {
    Request* request = part.fragment->request;
    if (request->session != nullptr) request->session->OnReplyPart(request, part);
    if (part.last) requests_.Release(request);
  }
  if (unfinished != nullptr) requests_.Release(unfinished);
}

void ReplyDispatcher::OnFragmentFailed(Fragment* fragment, Failure failure) {
  Request* request = fragment->request;
  // An expired fragment stays with its connection until the late reply came.
  const bool released = fragment->state == FragmentState::kDone;
  if (request->session != nullptr) {
    request->session->OnFragmentFailed(request, fragment, failure);
  }
  if (released) requests_.Release(request);
}

void ReplyDispatcher::OnFragmentReleased(Fragment* fragment) {
  requests_.Release(fragment->request);
}

}  // namespace weir
