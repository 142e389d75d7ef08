#include "proxy/base/resolver.h"

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <thread>
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

// Decides which failures are logged: a host's first, another error of it, and the same one once a
// minute.
class FailureLog {
 public:
  bool Admit(const std::string& host, std::string_view error) {
    const absl::Time now = Log::Now();
    std::erase_if(last_, [&](const auto& entry) { return now - entry.second.time >= kPause; });
    const auto [entry, is_new] = last_.try_emplace(host);
    if (!is_new && entry->second.error == error) return false;
    entry->second = {.error = std::string(error), .time = now};
    return true;
  }
  void Forget(const std::string& host) { last_.erase(host); }

 private:
  static constexpr absl::Duration kPause = absl::Minutes(1);
  struct Failure {
    std::string error;
    absl::Time time;
  };
  std::map<std::string, Failure> last_;  // by host
};

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

// What the threads, the Resolver and its watches share. All of it is guarded by `mutex`, save
// `options`.
struct Resolver::State : std::enable_shared_from_this<Resolver::State> {
  // One name to be resolved, once or repeatedly. Callbacks stay here (and not with a thread) while
  // a lookup is under way, so that the destructor can drop them although the lookup hangs.
  struct Job {
    std::string host;
    uint16_t port;
    std::string user;  // for people; empty: nobody known
    bool once;
    absl::Duration interval;
    std::shared_ptr<Callback> callback;
    Moment due;
    Moment looked_up_at = {};                      // when the latest lookup ended
    std::optional<Addresses> good = std::nullopt;  // last told
  };
  using Jobs = std::map<uint64_t, Job>;
  struct Thread {
    std::thread thread;
    bool looking_up = false;  // inside options.lookup
  };

  explicit State(Options given) : options(std::move(given)) {}

  uint64_t Add(const Endpoint& endpoint, std::string user, bool once, absl::Duration interval,
               Callback callback);
  // Sees to it that a thread looks at what is due, unless all are busy.
  void Wake();
  // One more thread. Where the system has none left, those that run do the work.
  void Start();
  void Run(Thread& self);
  // The job that is due next, of a host that nobody is asking for; end: there is none.
  Jobs::iterator Next();
  // The job that is due, or the end after waiting for one and for `closing`.
  Jobs::iterator WaitForDue(std::unique_lock<std::mutex>& lock);
  // The jobs of `host` that are due: one lookup is for all of them.
  std::vector<uint64_t> TakeDue(const std::string& host);
  // Logs what became of a lookup for these jobs, unless it is the same again.
  void NoteResult(const std::string& host, const std::vector<uint64_t>& waiters,
                  const absl::Status& status);
  // Tells job `id`, if it is still there, what became of a lookup of its host.
  void Tell(std::unique_lock<std::mutex>& lock, uint64_t id,
            const absl::StatusOr<Addresses>& result);
  // Books the answer to `job`; true when its callback is to be told.
  bool Book(Job& job, const absl::StatusOr<Addresses>& answer);
  // Runs the callback of job `id` without the lock, when no other one runs.
  void Deliver(std::unique_lock<std::mutex>& lock, uint64_t id,
               const absl::StatusOr<Addresses>& answer);
  // Until no callback of job `id` (0: of any job) runs. Returns at once on the thread of the one
  // that is running.
  void WaitUntilDelivered(std::unique_lock<std::mutex>& lock, uint64_t id);

  const Options options;
  std::mutex mutex;
  std::condition_variable changed;  // jobs, closing
  std::condition_variable delivered;
  Jobs jobs;  // by id, which rise
  uint64_t last_id = 0;
  std::list<Thread> threads;
  size_t idle = 0;  // threads that wait for something to be due
  FailureLog failures;
  std::set<std::string> under_way;  // hosts whose waiters a thread asks for, until they are told
  uint64_t delivering = 0;          // job whose callback is running
  std::thread::id deliverer;        // on this thread
  bool closing = false;
};

uint64_t Resolver::State::Add(const Endpoint& endpoint, std::string user, bool once,
                              absl::Duration interval, Callback callback) {
  std::lock_guard lock(mutex);
  const uint64_t id = ++last_id;
  jobs.emplace(id, Job{.host = endpoint.host,
                       .port = endpoint.port,
                       .user = std::move(user),
                       .once = once,
                       .interval = interval,
                       .callback = std::make_shared<Callback>(std::move(callback)),
                       .due = Clock::now()});
  Wake();
  return id;
}

void Resolver::State::Wake() {
  if (closing) return;
  if (idle > 0) {
    changed.notify_one();
  } else if (threads.size() < options.max_threads) {
    Start();
  }
}

void Resolver::State::Start() {
  Thread& added = threads.emplace_back();
  try {
    added.thread = std::thread([state = shared_from_this(), &added] { state->Run(added); });
  } catch (const std::system_error& error) {
    threads.pop_back();
    LOG_EVENT_LIMITED(LogLevel::kWarn, "resolver_thread_failed", {"error", error.what()});
    CHECK(!threads.empty());
  }
}

void Resolver::State::Run(Thread& self) {
  std::unique_lock lock(mutex);
  while (true) {
    const auto due = WaitForDue(lock);
    if (closing) return;
    const std::string host = due->second.host;
    const uint16_t port = due->second.port;
    const std::vector<uint64_t> waiters = TakeDue(host);
    under_way.insert(host);
    self.looking_up = true;
    if (Next() != jobs.end()) Wake();  // another thread minds the rest
    lock.unlock();
    const absl::StatusOr<Addresses> result = options.lookup(host, port);
    lock.lock();
    self.looking_up = false;
    if (closing) return;
    NoteResult(host, waiters, result.status());
    for (const uint64_t id : waiters) Tell(lock, id, result);
    under_way.erase(host);
  }
}

void Resolver::State::NoteResult(const std::string& host, const std::vector<uint64_t>& waiters,
                                 const absl::Status& status) {
  if (status.ok()) return failures.Forget(host);
  if (!failures.Admit(host, FromAbsl(status.message()))) return;
  std::string users;
  for (const uint64_t id : waiters) {
    const auto job = jobs.find(id);
    if (job == jobs.end() || job->second.user.empty()) continue;
    StrAppend(&users, users.empty() ? "" : ",", job->second.user);
  }
  LOG_EVENT_LIMITED(LogLevel::kWarn, "resolve_failed", {"host", host}, {"for", users},
                    {"error", FromAbsl(status.message())});
}

Resolver::State::Jobs::iterator Resolver::State::Next() {
  auto next = jobs.end();
  for (auto job = jobs.begin(); job != jobs.end(); ++job) {
    const Moment due = job->second.due;
    if (due == kNever || (next != jobs.end() && next->second.due <= due)) continue;
    if (!under_way.contains(job->second.host)) next = job;
  }
  return next;
}

Resolver::State::Jobs::iterator Resolver::State::WaitForDue(std::unique_lock<std::mutex>& lock) {
  while (!closing) {
    const auto next = Next();
    if (next != jobs.end() && next->second.due <= Clock::now()) return next;
    ++idle;
    if (next == jobs.end()) {
      changed.wait(lock);
    } else {
      changed.wait_until(lock, Moment(next->second.due));
    }
    --idle;
  }
  return jobs.end();
}

std::vector<uint64_t> Resolver::State::TakeDue(const std::string& host) {
  std::vector<uint64_t> taken;
  const Moment moment = Clock::now();
  for (auto& [id, job] : jobs) {
    if (job.due > moment || job.host != host) continue;
    job.due = kNever;
    taken.push_back(id);
  }
  return taken;
}

void Resolver::State::Tell(std::unique_lock<std::mutex>& lock, uint64_t id,
                           const absl::StatusOr<Addresses>& result) {
  const auto job = jobs.find(id);
  if (job == jobs.end()) return;
  absl::StatusOr<Addresses> answer = result;
  if (answer.ok()) {
    for (ResolvedAddress& address : *answer) address = WithPort(address, job->second.port);
  }
  if (Book(job->second, answer)) Deliver(lock, id, answer);
}

bool Resolver::State::Book(Job& job, const absl::StatusOr<Addresses>& answer) {
  job.looked_up_at = Clock::now();
  if (job.once) return true;
  const bool known = answer.ok() || job.good.has_value();
  const bool again = job.interval > absl::ZeroDuration();
  // Refresh may have made it due meanwhile.
  Moment next = again ? After(job.looked_up_at, job.interval) : kNever;
  if (!known) next = std::min(next, After(job.looked_up_at, options.retry_after));
  job.due = std::min(job.due, next);
  if (!answer.ok()) return !job.good.has_value();
  const bool same = job.good.has_value() && SameSet(*job.good, *answer);
  if (!same) job.good = *answer;
  return !same;
}

void Resolver::State::Deliver(std::unique_lock<std::mutex>& lock, uint64_t id,
                              const absl::StatusOr<Addresses>& answer) {
  delivered.wait(lock, [&] { return delivering == 0 || closing; });
  const auto job = jobs.find(id);
  if (closing || job == jobs.end()) return;
  std::shared_ptr<Callback> callback = job->second.callback;
  if (job->second.once) jobs.erase(job);
  delivering = id;
  deliverer = std::this_thread::get_id();
  lock.unlock();
  (*callback)(answer);
  callback.reset();  // what it captured may take the lock as it goes
  lock.lock();
  delivering = 0;
  deliverer = {};
  delivered.notify_all();
}

void Resolver::State::WaitUntilDelivered(std::unique_lock<std::mutex>& lock, uint64_t id) {
  if (deliverer == std::this_thread::get_id()) return;
  delivered.wait(lock, [&] { return delivering == 0 || (id != 0 && delivering != id); });
}

Resolver::Resolver() : Resolver(Options()) {}

Resolver::Resolver(Options options) : state_(std::make_shared<State>(std::move(options))) {
  CHECK_GT(state_->options.max_threads, 0u);
  const std::lock_guard lock(state_->mutex);
  state_->Start();
}

Resolver::~Resolver() {
  State::Jobs dropped;  // destroyed without the lock: callbacks may own watches
  std::vector<std::thread> ending;
  {
    std::unique_lock lock(state_->mutex);
    CHECK(state_->deliverer != std::this_thread::get_id());
    state_->closing = true;
    state_->changed.notify_all();
    state_->delivered.notify_all();
    state_->WaitUntilDelivered(lock, 0);
    for (State::Thread& thread : state_->threads) {
      if (thread.looking_up) {
        thread.thread.detach();
      } else {
        ending.push_back(std::move(thread.thread));
      }
    }
    dropped.swap(state_->jobs);
  }
  for (std::thread& thread : ending) thread.join();
}

void Resolver::Resolve(const Endpoint& endpoint, Callback done) {
  if (const auto answer = AnswerAtOnce(endpoint)) {
    done(*answer);
    return;
  }
  state_->Add(endpoint, /*user=*/"", /*once=*/true, absl::ZeroDuration(), std::move(done));
}

Resolver::Watch Resolver::WatchEndpoint(const Endpoint& endpoint, absl::Duration interval,
                                        Callback on_change, std::string user) {
  if (const auto answer = AnswerAtOnce(endpoint)) {
    on_change(*answer);
    return Watch();
  }
  return Watch(state_, state_->Add(endpoint, std::move(user), /*once=*/false, interval,
                                   std::move(on_change)));
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
  state->Wake();
}

}  // namespace weir
