#include "proxy/base/resolver.h"

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

Moment After(Moment from, absl::Duration time) {
  // A year is as good as never, and cannot overflow.
  if (time >= absl::Hours(24 * 365)) return kNever;
  return from + absl::ToChronoNanoseconds(time);
}

bool SameSet(const Addresses& a, const Addresses& b) {
  return a.size() == b.size() && std::is_permutation(a.begin(), a.end(), b.begin());
}

// The answer for an endpoint that needs no query.
std::optional<absl::StatusOr<Addresses>> AnswerAtOnce(const Endpoint& endpoint) {
  if (const auto address = LiteralAddress(endpoint)) return Addresses{*address};
  if (endpoint.kind == EndpointKind::kTcp) return std::nullopt;
  return InvalidArgument("path of a Unix socket is too long: ", endpoint.path);
}

}  // namespace

absl::StatusOr<Addresses> SystemLookup(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), StrCat(port).c_str(), &hints, &found);
  if (error != 0) {
    const char* why = error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
    return Unavailable("cannot resolve ", host, ": ", why);
  }
  Addresses addresses;
  for (const addrinfo* item = found; item != nullptr; item = item->ai_next) {
    const ResolvedAddress address = MakeAddress(item->ai_addr, item->ai_addrlen);
    const bool repeated = std::find(addresses.begin(), addresses.end(), address) != addresses.end();
    if (!repeated) addresses.push_back(address);
  }
  freeaddrinfo(found);
  return addresses;
}

absl::StatusOr<ResolvedAddress> ResolveNow(const Endpoint& endpoint) {
  if (std::optional<ResolvedAddress> literal = LiteralAddress(endpoint)) return *literal;
  absl::StatusOr<Addresses> found = SystemLookup(endpoint.host, endpoint.port);
  if (!found.ok()) return found.status();
  return found->front();
}

// What the thread, the Resolver and its watches share. All of it is guarded by `mutex`, save
// `options`.
struct Resolver::State {
  // One name to be resolved, once or repeatedly. Callbacks stay here (and not with the thread)
  // while a lookup is under way, so that the destructor can drop them although the lookup hangs.
  struct Job {
    std::string host;
    uint16_t port;
    bool once;
    absl::Duration interval;
    std::shared_ptr<Callback> callback;
    Moment due;
    Moment looked_up_at = {};                      // when the latest lookup ended
    std::optional<Addresses> good = std::nullopt;  // last told
  };
  using Jobs = std::map<uint64_t, Job>;

  explicit State(Options given) : options(std::move(given)) {}

  uint64_t Add(const Endpoint& endpoint, bool once, absl::Duration interval, Callback callback);
  void Run();
  // The job that is due, or the end after waiting for one and for `closing`. Requires the lock.
  Jobs::iterator WaitForDue(std::unique_lock<std::mutex>& lock);
  // Books the result of a lookup of `job`; true when its callback is to be told.
  bool Book(Job& job, const absl::StatusOr<Addresses>& result);
  // Runs the callback of job `id` without the lock.
  void Deliver(std::unique_lock<std::mutex>& lock, uint64_t id,
               const absl::StatusOr<Addresses>& result);
  // Until no callback of job `id` (0: of any job) runs. Returns at once on the resolver's own
  // thread.
  void WaitUntilDelivered(std::unique_lock<std::mutex>& lock, uint64_t id);

  const Options options;
  std::mutex mutex;
  std::condition_variable changed;  // jobs, closing
  std::condition_variable delivered;
  Jobs jobs;  // by id, which rise
  uint64_t last_id = 0;
  uint64_t delivering = 0;  // job whose callback is running
  bool looking_up = false;  // the thread is inside options.lookup
  bool closing = false;
  std::thread::id thread_id;
};

uint64_t Resolver::State::Add(const Endpoint& endpoint, bool once, absl::Duration interval,
                              Callback callback) {
  std::lock_guard lock(mutex);
  const uint64_t id = ++last_id;
  jobs.emplace(id, Job{.host = endpoint.host,
                       .port = endpoint.port,
                       .once = once,
                       .interval = interval,
                       .callback = std::make_shared<Callback>(std::move(callback)),
                       .due = Clock::now()});
  changed.notify_one();
  return id;
}

void Resolver::State::Run() {
  std::unique_lock lock(mutex);
  thread_id = std::this_thread::get_id();
  while (true) {
    const auto due = WaitForDue(lock);
    if (closing) return;
    const uint64_t id = due->first;
    const std::string host = due->second.host;
    const uint16_t port = due->second.port;
    due->second.due = kNever;
    looking_up = true;
    lock.unlock();
    const absl::StatusOr<Addresses> result = options.lookup(host, port);
    lock.lock();
    looking_up = false;
    if (closing) return;
    if (!result.ok()) {
      LOG_EVENT_LIMITED(LogLevel::kWarn, "resolve_failed", {"host", host},
                        {"error", FromAbsl(result.status().message())});
    }
    const auto job = jobs.find(id);
    if (job != jobs.end() && Book(job->second, result)) Deliver(lock, id, result);
  }
}

Resolver::State::Jobs::iterator Resolver::State::WaitForDue(std::unique_lock<std::mutex>& lock) {
  while (!closing) {
    const auto next = std::min_element(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) {
      return a.second.due < b.second.due;
    });
    if (next == jobs.end() || next->second.due == kNever) {
      changed.wait(lock);
    } else if (next->second.due > Clock::now()) {
      changed.wait_until(lock, Moment(next->second.due));
    } else {
      return next;
    }
  }
  return jobs.end();
}

bool Resolver::State::Book(Job& job, const absl::StatusOr<Addresses>& result) {
  job.looked_up_at = Clock::now();
  if (job.once) return true;
  const bool known = result.ok() || job.good.has_value();
  const bool again = job.interval > absl::ZeroDuration();
  // Refresh may have made it due meanwhile.
  Moment next = again ? After(job.looked_up_at, job.interval) : kNever;
  if (!known) next = std::min(next, After(job.looked_up_at, options.retry_after));
  job.due = std::min(job.due, next);
  if (!result.ok()) return !job.good.has_value();
  const bool same = job.good.has_value() && SameSet(*job.good, *result);
  if (!same) job.good = *result;
  return !same;
}

void Resolver::State::Deliver(std::unique_lock<std::mutex>& lock, uint64_t id,
                              const absl::StatusOr<Addresses>& result) {
  const auto job = jobs.find(id);
  std::shared_ptr<Callback> callback = job->second.callback;
  if (job->second.once) jobs.erase(job);
  delivering = id;
  lock.unlock();
  (*callback)(result);
  callback.reset();  // what it captured may take the lock as it goes
  lock.lock();
  delivering = 0;
  delivered.notify_all();
}

void Resolver::State::WaitUntilDelivered(std::unique_lock<std::mutex>& lock, uint64_t id) {
  if (thread_id == std::this_thread::get_id()) return;
  delivered.wait(lock, [&] { return delivering == 0 || (id != 0 && delivering != id); });
}

Resolver::Resolver() : Resolver(Options()) {}

Resolver::Resolver(Options options)
    : state_(std::make_shared<State>(std::move(options))),
      thread_([state = state_] { state->Run(); }) {}

Resolver::~Resolver() {
  State::Jobs dropped;  // destroyed without the lock: callbacks may own watches
  bool hangs = false;
  {
    std::unique_lock lock(state_->mutex);
    CHECK(state_->thread_id != std::this_thread::get_id());
    state_->closing = true;
    state_->changed.notify_one();
    state_->WaitUntilDelivered(lock, 0);
    hangs = state_->looking_up;
    dropped.swap(state_->jobs);
  }
  if (hangs) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void Resolver::Resolve(const Endpoint& endpoint, Callback done) {
  if (const auto answer = AnswerAtOnce(endpoint)) {
    done(*answer);
    return;
  }
  state_->Add(endpoint, /*once=*/true, absl::ZeroDuration(), std::move(done));
}

Resolver::Watch Resolver::WatchEndpoint(const Endpoint& endpoint, absl::Duration interval,
                                        Callback on_change) {
  if (const auto answer = AnswerAtOnce(endpoint)) {
    on_change(*answer);
    return Watch();
  }
  return Watch(state_, state_->Add(endpoint, /*once=*/false, interval, std::move(on_change)));
}

Resolver::Watch::Watch(std::weak_ptr<State> state, uint64_t id)
    : state_(std::move(state)), id_(id) {}

Resolver::Watch::Watch(Watch&& other) noexcept
    : state_(std::move(other.state_)), id_(std::exchange(other.id_, 0)) {}

Resolver::Watch& Resolver::Watch::operator=(Watch&& other) noexcept {
  if (this == &other) return *this;
  Cancel();
  state_ = std::move(other.state_);
  id_ = std::exchange(other.id_, 0);
  return *this;
}

Resolver::Watch::~Watch() { Cancel(); }

void Resolver::Watch::Cancel() {
  const std::shared_ptr<State> state = state_.lock();
  if (state == nullptr) return;
  State::Jobs::node_type dropped;  // destroyed without the lock
  std::unique_lock lock(state->mutex);
  dropped = state->jobs.extract(id_);
  state->WaitUntilDelivered(lock, id_);
  lock.unlock();
}

void Resolver::Watch::Refresh() {
  const std::shared_ptr<State> state = state_.lock();
  if (state == nullptr) return;
  std::lock_guard lock(state->mutex);
  const auto job = state->jobs.find(id_);
  if (job == state->jobs.end()) return;
  const Moment earliest = After(job->second.looked_up_at, state->options.min_refresh_gap);
  job->second.due = std::min(job->second.due, std::max(Clock::now(), earliest));
  state->changed.notify_one();
}

}  // namespace weir
