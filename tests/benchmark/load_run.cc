#include "tests/benchmark/load_run.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "proxy/base/strings.h"
#include "tests/benchmark/sockets.h"

namespace weir::benchmark {
namespace {

constexpr size_t kReadSize = 256 << 10;
constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kNever = ~uint64_t{0};
constexpr uint64_t kPatienceNs = 10 * kSecond;
constexpr size_t kPreloadBytes = 64 << 10;  // sent together
constexpr size_t kTouchedTogether = 50;

}  // namespace

struct LoadRun::Group {
  explicit Group(const GroupSpec& group_spec)
      : spec(group_spec), keys(group_spec.keys, group_spec.value_size) {}

  GroupSpec spec;
  KeySpace keys;
  std::vector<LoadConnection*> connections;
  Histogram latency_ns;
  // Open loop: when and on which connection the next request is due.
  uint64_t due_ns = kNever;
  uint64_t sent = 0;
  uint64_t begin_ns = 0;
};

LoadRun::LoadRun(const Workload& workload, std::vector<std::string> targets, pid_t measured)
    : targets_(std::move(targets)),
      measured_(measured),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      scratch_(kReadSize, '\0') {
  for (const GroupSpec& spec : workload.groups) groups_.push_back(std::make_unique<Group>(spec));
}

LoadRun::~LoadRun() { close(epoll_); }

// --- connections ---

absl::StatusOr<LoadConnection*> LoadRun::Open(size_t group, const std::string& target) {
  absl::StatusOr<int> fd = Connect(target, static_cast<unsigned>(connections_.size()));
  if (!fd.ok()) return fd.status();
  connections_.push_back(std::make_unique<LoadConnection>(*fd, group, groups_[group]->keys));
  LoadConnection* connection = connections_.back().get();
  epoll_event event = {.events = EPOLLIN, .data = {.ptr = connection}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, *fd, &event);
  return connection;
}

absl::Status LoadRun::OpenGroup(size_t group) {
  for (uint32_t i = 0; i < groups_[group]->spec.connections; ++i) {
    absl::StatusOr<LoadConnection*> connection = Open(group, targets_[i % targets_.size()]);
    if (!connection.ok()) return connection.status();
    groups_[group]->connections.push_back(*connection);
  }
  return absl::OkStatus();
}

absl::Status LoadRun::Flush(LoadConnection* connection) {
  absl::Status status = connection->Flush();
  if (!status.ok()) return status;
  if (connection->wants_write() != connection->watches_write()) {
    connection->set_watches_write(connection->wants_write());
    epoll_event event = {.events = EPOLLIN, .data = {.ptr = connection}};
    if (connection->wants_write()) event.events |= EPOLLOUT;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->fd(), &event);
  }
  return absl::OkStatus();
}

// --- the loop ---

template <typename Refill>
absl::Status LoadRun::Serve(LoadConnection* connection, uint32_t events, Refill refill) {
  if ((events & ~EPOLLOUT) != 0) {
    Group& group = *groups_[connection->group()];
    absl::Status status = connection->Receive(&scratch_, [&](uint64_t start_ns, uint64_t now) {
      group.latency_ns.Record(now - start_ns);
      last_reply_ns_ = now;
    });
    if (!status.ok()) return status;
    if (connection->pending() == 0) {
      if (status = refill(connection); !status.ok()) return status;
    }
  }
  return (events & EPOLLOUT) != 0 ? Flush(connection) : absl::OkStatus();
}

template <typename Refill>
absl::Status LoadRun::Turn(uint64_t timeout_ns, Refill refill) {
  std::array<epoll_event, 256> events;
  timeout_ns = std::min(timeout_ns, kSecond);
  timespec timeout = {.tv_sec = static_cast<time_t>(timeout_ns / kSecond),
                      .tv_nsec = static_cast<long>(timeout_ns % kSecond)};
  int count = epoll_pwait2(epoll_, events.data(), events.size(), &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    auto* connection = static_cast<LoadConnection*>(events[i].data.ptr);
    absl::Status status = Serve(connection, events[i].events, refill);
    if (!status.ok()) return status;
  }
  if (count == 0 && LoadConnection::NowNs() > last_reply_ns_ + kPatienceNs) {
    return absl::DeadlineExceededError("no reply for 10 s");
  }
  return absl::OkStatus();
}

// --- load ---

Request LoadRun::Choose(const Group& group, uint64_t start_ns) {
  random_ ^= random_ << 13;  // xorshift64 (Marsaglia 2003)
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const Mix& mix = group.spec.mix;
  uint32_t weight = static_cast<uint32_t>(random_ >> 32) % mix.total();
  Request request = {.key = static_cast<uint32_t>(random_) % group.keys.count(),
                     .start_ns = start_ns};
  if (weight < mix.get) {
    request.operation = Operation::kGet;
  } else if (weight < mix.get + mix.set) {
    request.operation = Operation::kSet;
  } else {
    request.operation = Operation::kMget;
    request.mget_keys = static_cast<uint16_t>(group.spec.mget_keys);
  }
  return request;
}

absl::Status LoadRun::SendBatch(LoadConnection* connection) {
  Group& group = *groups_[connection->group()];
  if (group.spec.rate != 0) return absl::OkStatus();
  uint64_t now = LoadConnection::NowNs();
  for (uint32_t i = 0; i < group.spec.pipeline; ++i) connection->Queue(Choose(group, now));
  return Flush(connection);
}

absl::Status LoadRun::SendDue(uint64_t now) {
  for (auto& group : groups_) {
    while (group->due_ns <= now) {
      LoadConnection* connection = group->connections[group->sent % group->connections.size()];
      connection->Queue(Choose(*group, group->due_ns));
      if (absl::Status status = Flush(connection); !status.ok()) return status;
      ++group->sent;
      group->due_ns = group->begin_ns + group->sent * kSecond / group->spec.rate;
    }
  }
  return absl::OkStatus();
}

uint64_t LoadRun::NextDue() const {
  uint64_t due = kNever;
  for (const auto& group : groups_) due = std::min(due, group->due_ns);
  return due;
}

absl::Status LoadRun::RunUntil(uint64_t end_ns) {
  for (;;) {
    uint64_t now = LoadConnection::NowNs();
    if (now >= end_ns) return absl::OkStatus();
    if (absl::Status status = SendDue(now); !status.ok()) return status;
    uint64_t wake = std::min(NextDue(), end_ns);
    now = LoadConnection::NowNs();
    absl::Status status = Turn(wake > now ? wake - now : 0, [this](LoadConnection* connection) {
      return SendBatch(connection);
    });
    if (!status.ok()) return status;
  }
}

absl::Status LoadRun::Drain() {
  last_reply_ns_ = LoadConnection::NowNs();
  auto busy = [](const auto& connection) { return connection->pending() > 0; };
  while (std::any_of(connections_.begin(), connections_.end(), busy)) {
    absl::Status status = Turn(kSecond, [](LoadConnection*) { return absl::OkStatus(); });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<LoadResult> LoadRun::Measure(uint64_t warmup_ns, uint64_t window_ns) {
  for (size_t i = 0; i < groups_.size(); ++i) {
    if (absl::Status status = OpenGroup(i); !status.ok()) return status;
  }
  uint64_t begin_ns = LoadConnection::NowNs();
  last_reply_ns_ = begin_ns;
  for (auto& group : groups_) {
    if (group->spec.rate != 0) group->begin_ns = group->due_ns = begin_ns;
    for (LoadConnection* connection : group->connections) {
      if (absl::Status status = SendBatch(connection); !status.ok()) return status;
    }
  }
  if (absl::Status status = RunUntil(begin_ns + warmup_ns); !status.ok()) return status;

  LoadResult result;
  result.before = SampleProcess(measured_);
  for (auto& group : groups_) group->latency_ns.Reset();
  uint64_t window_begin_ns = LoadConnection::NowNs();
  absl::Status status = RunUntil(window_begin_ns + window_ns);
  if (!status.ok()) return status;
  result.after = SampleProcess(measured_);
  result.seconds = static_cast<double>(LoadConnection::NowNs() - window_begin_ns) / kSecond;
  for (auto& group : groups_) {
    result.groups.push_back({group->spec.name, group->latency_ns});
    group->due_ns = kNever;
  }
  if (status = Drain(); !status.ok()) return status;
  return result;
}

// --- preload ---

absl::Status LoadRun::PreloadGroup(size_t group, const std::string& target) {
  absl::StatusOr<LoadConnection*> connection = Open(group, target);
  if (!connection.ok()) return connection.status();
  const KeySpace& keys = groups_[group]->keys;
  const size_t batch = std::max<size_t>(1, kPreloadBytes / keys.value_size());
  uint32_t next = 0;
  bool done = false;
  auto send_more = [&](LoadConnection* to) {
    done = next == keys.count();
    for (size_t i = 0; i < batch && next < keys.count(); ++i) {
      to->Queue({.operation = Operation::kSet, .key = next++});
    }
    return Flush(to);
  };
  absl::Status status = send_more(*connection);
  while (status.ok() && !done) status = Turn(kSecond, send_more);
  connections_.pop_back();  // closes it
  return status;
}

absl::Status LoadRun::Preload() {
  last_reply_ns_ = LoadConnection::NowNs();
  for (size_t group = 0; group < groups_.size(); ++group) {
    for (const std::string& target : targets_) {
      if (absl::Status status = PreloadGroup(group, target); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// --- idle connections ---

absl::Status LoadRun::Touch(const std::vector<LoadConnection*>& connections) {
  for (size_t first = 0; first < connections.size(); first += kTouchedTogether) {
    size_t end = std::min(first + kTouchedTogether, connections.size());
    size_t waiting = end - first;
    for (size_t i = first; i < end; ++i) {
      uint64_t now = LoadConnection::NowNs();
      connections[i]->Queue(Choose(*groups_[connections[i]->group()], now));
      if (absl::Status status = Flush(connections[i]); !status.ok()) return status;
    }
    last_reply_ns_ = LoadConnection::NowNs();
    while (waiting > 0) {
      absl::Status status = Turn(kSecond, [&](LoadConnection*) {
        --waiting;
        return absl::OkStatus();
      });
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// A request on one more connection to each target. Connections are accepted in order, so with the
// reply all earlier ones have been accepted too.
absl::Status LoadRun::Probe() {
  std::vector<LoadConnection*> probes;
  for (const std::string& target : targets_) {
    absl::StatusOr<LoadConnection*> connection = Open(0, target);
    if (!connection.ok()) return connection.status();
    probes.push_back(*connection);
  }
  return Touch(probes);
}

absl::StatusOr<IdleResult> LoadRun::MeasureIdle() {
  IdleResult result;
  if (absl::Status status = Probe(); !status.ok()) return status;
  result.before = SampleProcess(measured_);
  for (size_t i = 0; i < groups_.size(); ++i) {
    if (absl::Status status = OpenGroup(i); !status.ok()) return status;
    result.connections += groups_[i]->spec.connections;
  }
  if (absl::Status status = Probe(); !status.ok()) return status;
  result.untouched = SampleProcess(measured_);
  for (auto& group : groups_) {
    if (absl::Status status = Touch(group->connections); !status.ok()) return status;
  }
  result.touched = SampleProcess(measured_);
  return result;
}

}  // namespace weir::benchmark
