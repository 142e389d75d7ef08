#include "proxy/downstream/session_lease.h"

#include <algorithm>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/request/request.h"

namespace weir {

SessionLease::~SessionLease() { CHECK(connection_ == nullptr && late_.empty()); }

bool SessionLease::Begin(uint32_t shard, ConnectionVariant variant) {
  DCHECK(connection_ == nullptr);
  if (UpstreamConnection* late = LateTo(shard)) {
    DCHECK(late->variant() == variant);
    Hold(late);
  } else {
    connection_ = connections_.BeginLease(shard, variant);
    if (connection_ == nullptr) return false;
  }
  connection_->SetSentCallback([this] { on_moved_(); });
  return true;
}

bool SessionLease::Take(UpstreamConnection* connection, const Session* session) {
  DCHECK(connection_ == nullptr);
  if (std::ranges::find(late_, connection) != late_.end()) {
    Hold(connection);
    return true;
  }
  for (const Fragment* f = connection->first_pending(); f != nullptr; f = f->next) {
    if (f->request->session != session) return false;
  }
  connection_ = connections_.TakeAsLease(connection);
  return connection_ != nullptr;
}

void SessionLease::Hold(UpstreamConnection* late) {
  std::erase(late_, late);
  late->SetDrainedCallback(nullptr);
  connection_ = late;
}

std::optional<Failure> SessionLease::Send(Fragment* fragment, std::string_view bytes) {
  if (!uploading_) return connection_->Send(fragment, bytes);
  const std::optional<Failure> refused = connection_->SendBeginning(fragment, bytes);
  half_sent_ = !refused.has_value();
  return refused;
}

void SessionLease::SendMore(Fragment* fragment, std::string_view bytes, bool last) {
  if (connection_ != nullptr) connection_->SendMore(fragment, bytes, last);
  if (last) half_sent_ = false;
}

void SessionLease::CloseIfHalfSent() {
  if (std::exchange(half_sent_, false)) connection_->Close(Failure::kReset);
}

void SessionLease::End() {
  if (connection_ == nullptr) return;
  CloseIfHalfSent();
  UpstreamConnection* connection = std::exchange(connection_, nullptr);
  if (connection->pending() == 0) return connections_.EndLease(connection);
  connection->SetSentCallback(nullptr);
  connection->SetReading(true);
  connection->SetDrainedCallback([this] { on_moved_(); });
  late_.push_back(connection);
}

size_t SessionLease::unsent() const {
  size_t bytes = connection_ == nullptr ? 0 : connection_->unsent();
  for (const UpstreamConnection* late : late_) bytes += late->unsent();
  return bytes;
}

UpstreamConnection* SessionLease::FindLate(uint32_t shard) const {
  auto found = std::ranges::find_if(late_, [&](const UpstreamConnection* late) {
    return late->shard() == shard && late->pending() > 0;
  });
  return found == late_.end() ? nullptr : *found;
}

void SessionLease::DropRemoved() {
  for (UpstreamConnection* late : late_) {
    if (late->shard() == kRemovedShard) late->Close(Failure::kRemoved);
  }
}

void SessionLease::EndDrained() {
  std::erase_if(late_, [&](UpstreamConnection* late) {
    if (late->pending() > 0) return false;
    connections_.EndLease(late);
    return true;
  });
}

void SessionLease::EndAll() {
  if (connection_ != nullptr) {
    CloseIfHalfSent();
    connections_.EndLease(std::exchange(connection_, nullptr));
  }
  for (UpstreamConnection* late : std::exchange(late_, {})) connections_.EndLease(late);
}

}  // namespace weir
