#include "tests/integration/verified_load.h"

#include <chrono>
#include <limits>
#include <optional>
#include <random>
#include <string_view>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "tests/support/resp.h"

namespace weir {
namespace {

constexpr size_t kKeys = 40;
constexpr size_t kKeysOfRound = 8;
constexpr uint64_t kRoundsAround = 20;  // a change
constexpr uint64_t kNoEpoch = std::numeric_limits<uint64_t>::max();
// Between two rounds: a load, not a race for the machine.
constexpr std::chrono::milliseconds kPause(1);

std::string ValueOf(std::string_view key, uint64_t write) { return StrCat(key, "=", write); }

// Whether `text` is the value of one of the first `last` writes of the key.
bool IsValueOf(std::string_view text, std::string_view key, uint64_t last) {
  if (!text.starts_with(key) || text.substr(key.size(), 1) != "=") return false;
  const std::optional<uint64_t> write = ParseInt<uint64_t>(text.substr(key.size() + 1));
  return write.has_value() && *write >= 1 && *write <= last;
}

void Count(uint64_t& counter, std::string problem, VerifiedLoad::Outcome& outcome) {
  ++counter;
  if (outcome.first_problem.empty()) outcome.first_problem = std::move(problem);
}

}  // namespace

VerifiedLoad::VerifiedLoad(std::vector<RespClient> clients) {
  std::mt19937_64 random(7);
  for (RespClient& connection : clients) {
    auto client = std::make_unique<Client>(std::move(connection));
    for (size_t i = 0; i < kKeys; ++i) {
      client->keys.push_back({.name = StrCat("load:", clients_.size(), ":", random())});
    }
    clients_.push_back(std::move(client));
  }
  for (const auto& client : clients_) {
    client->thread = std::thread([this, client = client.get()] { Run(*client); });
  }
}

void VerifiedLoad::During(const std::function<void()>& change) {
  AwaitRounds();
  epoch_.fetch_add(1);
  change();
  epoch_.fetch_add(1);
  AwaitRounds();
}

void VerifiedLoad::AwaitRounds() const {
  for (const auto& client : clients_) {
    const uint64_t until = client->rounds.load() + kRoundsAround;
    CHECK(Eventually([&] { return client->ended || client->rounds.load() >= until; }));
  }
}

VerifiedLoad::Outcome VerifiedLoad::Stop() {
  stopping_ = true;
  Outcome sum;
  for (const auto& client : clients_) {
    if (client->thread.joinable()) client->thread.join();
    const Outcome& outcome = client->outcome;
    sum.requests += outcome.requests;
    sum.exact += outcome.exact;
    sum.failed += outcome.failed;
    sum.wrong += outcome.wrong;
    if (sum.first_problem.empty()) sum.first_problem = outcome.first_problem;
  }
  return sum;
}

void VerifiedLoad::Run(Client& client) {
  for (size_t first_key = 0; !stopping_; first_key = (first_key + kKeysOfRound) % kKeys) {
    if (!Round(client, first_key)) break;
    client.rounds.fetch_add(1);
    std::this_thread::sleep_for(kPause);
  }
  client.ended = true;
}

bool VerifiedLoad::Round(Client& client, size_t first_key) {
  Outcome& outcome = client.outcome;
  std::string requests;
  for (size_t i = first_key; i < first_key + kKeysOfRound; ++i) {
    const Key& key = client.keys[i];
    requests += EncodeRequest({"GET", key.name});
    requests += EncodeRequest({"SET", key.name, ValueOf(key.name, key.written + 1)});
    requests += EncodeRequest({"GET", key.name});
  }
  const uint64_t epoch = epoch_.load();
  const std::vector<Reply> replies = client.connection.Ask(requests, 3 * kKeysOfRound);
  const bool is_calm = epoch % 2 == 0 && epoch == epoch_.load();
  outcome.requests += 3 * kKeysOfRound;
  if (replies.size() < 3 * kKeysOfRound) {
    Count(outcome.failed, StrCat("the connection ended after ", replies.size(), " replies"),
          outcome);
    return false;
  }
  for (size_t i = 0; i < kKeysOfRound; ++i) {
    Key& key = client.keys[first_key + i];
    CheckRead(replies[3 * i], key, is_calm && key.epoch == epoch, outcome);
    const Reply& written = replies[3 * i + 1];
    if (written.type != '+') {
      Count(outcome.failed, StrCat("SET ", key.name, ": ", written.text), outcome);
    }
    ++key.written;
    key.epoch = is_calm ? epoch : kNoEpoch;
    CheckRead(replies[3 * i + 2], key, is_calm, outcome);
  }
  return true;
}

void VerifiedLoad::CheckRead(const Reply& reply, const Key& key, bool is_certain,
                             Outcome& outcome) const {
  if (reply.type != '$' && reply.type != '_') {
    return Count(outcome.failed, StrCat("GET ", key.name, ": ", reply.text), outcome);
  }
  // Written in this calm: the last value; before the first write: nothing.
  const bool is_last = key.written == 0
                           ? reply.type == '_'
                           : reply.type == '$' && reply.text == ValueOf(key.name, key.written);
  if (is_certain) ++outcome.exact;
  if (is_last) return;
  const bool is_possible = reply.type == '_' || IsValueOf(reply.text, key.name, key.written);
  if (!is_certain && is_possible) return;
  Count(outcome.wrong,
        StrCat("GET ", key.name, " after write ", key.written, ": ",
               reply.type == '_' ? "nothing" : reply.text),
        outcome);
}

}  // namespace weir
