#include "proxy/downstream/session_lease.h"

#include <utility>

#include "proxy/base/check.h"
#include "proxy/request/request.h"

namespace weir {

SessionLease::~SessionLease() { CHECK(connection_ == nullptr); }

bool SessionLease::Begin(uint32_t shard, RespVersion version, absl::AnyInvocable<void()> on_sent) {
  DCHECK(connection_ == nullptr);
  connection_ = connections_.BeginLease(shard, version);
  if (connection_ == nullptr) return false;
  connection_->SetSentCallback(std::move(on_sent));
  return true;
}

bool SessionLease::Take(UpstreamConnection* connection, const Session* session) {
  DCHECK(connection_ == nullptr);
  for (const Fragment* f = connection->first_pending(); f != nullptr; f = f->next) {
    if (f->request->session != session) return false;
  }
  connection_ = connections_.TakeAsLease(connection);
  return connection_ != nullptr;
}

std::optional<Failure> SessionLease::Send(Fragment* fragment, std::string_view bytes) {
  return uploading_ ? connection_->SendBeginning(fragment, bytes)
                    : connection_->Send(fragment, bytes);
}

void SessionLease::SendMore(Fragment* fragment, std::string_view bytes, bool last) {
  if (connection_ != nullptr) connection_->SendMore(fragment, bytes, last);
}

void SessionLease::End() {
  if (connection_ == nullptr) return;
  if (uploading_) connection_->Close(Failure::kReset);
  connections_.EndLease(std::exchange(connection_, nullptr));
}

}  // namespace weir
