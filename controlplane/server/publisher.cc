#include "controlplane/server/publisher.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace weir {

Publisher::Publisher(ResourceCache& cache, ProxyRegistry& proxies, std::function<void()> wake)
    : cache_(cache), proxies_(proxies), wake_(std::move(wake)) {}

void Publisher::SetPool(const std::string& pool, PoolPtr state, Moment now) {
  {
    const std::lock_guard lock(mutex_);
    const auto [entry, is_first] = pending_.try_emplace(pool);
    Pending& pending = entry->second;
    if (is_first) pending.first = now;
    pending.due = std::min(now + kQuiet, pending.first + kLongestDelay);
    pending.state = std::move(state);
  }
  wake_();
}

void Publisher::Await(AckRequest request) {
  {
    const std::lock_guard lock(mutex_);
    const auto pending = ending_ ? pending_.end() : pending_.find(request.pool);
    if (pending != pending_.end()) {
      pending->second.waits.push_back(std::move(request));
      return;
    }
  }
  Start(std::move(request));
  wake_();
}

Moment Publisher::RunDue(Moment now) {
  for (auto& [pool, pending] : TakeDue(now)) {
    Publish(pool, pending.state);
    for (AckRequest& request : pending.waits) Start(std::move(request));
  }
  for (Wait& ended : TakeEnded(now)) ended.wait->Expire();  // without effect on finished ones
  return NextDue();
}

std::map<std::string, Publisher::Pending> Publisher::TakeDue(Moment now) {
  std::map<std::string, Pending> due;
  const std::lock_guard lock(mutex_);
  for (auto it = pending_.begin(); it != pending_.end();) {
    const auto next = std::next(it);
    if (it->second.due <= now) due.insert(pending_.extract(it));
    it = next;
  }
  return due;
}

void Publisher::Publish(const std::string& pool, const PoolPtr& state) {
  // Proxies serve no pool without a shard: this one's wait for their first addresses.
  if (state != nullptr && !state->IsOnRing()) return Publish(pool, nullptr);
  const auto published = published_fleet_.find(pool);
  const std::string before = published == published_fleet_.end() ? "" : published->second;
  const std::string fleet = state == nullptr ? "" : state->fleet();
  // The new fleet first: the old one's proxies are told as of which state the pool has left them.
  if (state == nullptr) {
    published_fleet_.erase(pool);
  } else {
    cache_.SetPool(fleet, state->resources.pool, state->resources.endpoints);
    published_fleet_[pool] = fleet;
  }
  if (!before.empty() && before != fleet) cache_.RemovePool(before, pool);
}

void Publisher::Start(AckRequest request) {
  auto finished = std::make_shared<bool>(false);
  auto wait = proxies_.AwaitAcks(
      request.fleet, request.pool, std::move(request.targets),
      [this, finished, done = std::move(request.done)](std::vector<v1::ProxyResult> results) {
        done(std::move(results));
        const std::lock_guard lock(mutex_);
        *finished = true;
      });
  {
    const std::lock_guard lock(mutex_);
    if (*finished) return;
    if (!ending_) {
      waits_.push_back(
          {.deadline = request.deadline, .finished = std::move(finished), .wait = std::move(wait)});
      return;
    }
  }
  wait->Expire();
}

void Publisher::EndWaits() {
  std::vector<AckRequest> unpublished;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    for (auto& [pool, pending] : pending_) {
      std::ranges::move(pending.waits, std::back_inserter(unpublished));
      pending.waits.clear();
    }
  }
  for (AckRequest& request : unpublished) Start(std::move(request));
  for (Wait& ended : TakeEnded(kNever)) ended.wait->Expire();
}

std::list<Publisher::Wait> Publisher::TakeEnded(Moment now) {
  std::list<Wait> ended;
  const std::lock_guard lock(mutex_);
  for (auto it = waits_.begin(); it != waits_.end();) {
    const auto next = std::next(it);
    if (*it->finished || it->deadline <= now) ended.splice(ended.end(), waits_, it);
    it = next;
  }
  return ended;
}

Moment Publisher::NextDue() {
  Moment next = kNever;
  const std::lock_guard lock(mutex_);
  for (const auto& [pool, pending] : pending_) next = std::min(next, pending.due);
  for (const Wait& wait : waits_) next = std::min(next, wait.deadline);
  return next;
}

}  // namespace weir
