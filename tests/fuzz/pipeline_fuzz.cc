// A program of steps for several clients and shards, run against the whole in-process data plane:
// clients send, in any pieces, leave or stop reading; shards answer in any order and any pieces,
// close, send garbage, fall silent; time passes. Whatever happens,
//   - a client's replies come in the order of its requests, and each is its own: values are the
//     keys, which name client and request; only an error may stand in a reply's place;
//   - what a client asks a shard never comes by another connection than what it asked before and is
//     not answered yet: it could overtake that;
//   - once everybody behaves again, each request of a client that is still there is answered;
//   - the proxy holds nothing in the end (the harness checks that), and never spins.
//
// An input is a sequence of bytes: a step (kSteps), then what the step asks for.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"
#include "tests/fuzz/fuzz_program.h"
#include "tests/support/resp.h"
#include "tests/support/session_harness.h"

namespace weir {
namespace {

constexpr size_t kMaxSteps = 300;
constexpr size_t kMaxClients = 12;
constexpr size_t kLargeValue = 40'000;  // beyond kGatherBytes and the stream's write-through
constexpr std::array<std::string_view, 2> kShards = {"a", "b"};

// The value of a key: the key itself, and for "…L" keys a long tail behind it.
std::string ValueOf(std::string_view key) {
  std::string value(key);
  if (key.back() == 'L') value.append(kLargeValue, key.front());
  return value;
}

constexpr size_t kNobody = SIZE_MAX;

// One connection of a shard: what it has yet to say.
struct ShardConnection {
  // What is left to say up to the end of a reply for this client.
  struct Owed {
    size_t client;
    size_t bytes;
  };

  std::string unsent;
  std::deque<Owed> owed;
  size_t client = kNobody;  // that asked last
  bool in_transaction = false;
  std::string queued;  // elements of EXEC's reply
  int commands = 0;

  void Answer(const std::vector<std::string>& words, bool resp2_only);
  void Owe(std::string_view reply);
  // Takes the next `bytes` of what it owes.
  std::string Say(size_t bytes);
  void Forget();
  bool Owes(size_t to) const {
    return std::ranges::any_of(owed, [&](const Owed& o) { return o.client == to; });
  }
};

std::vector<std::string> WordsOf(std::string_view request) {
  std::vector<std::string> words;
  for (size_t at = 0; at <= request.size();) {
    const size_t end = std::min(request.find(' ', at), request.size());
    words.emplace_back(request.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

void ShardConnection::Owe(std::string_view reply) {
  unsent += reply;
  size_t before = 0;
  for (const Owed& o : owed) before += o.bytes;
  owed.push_back({client, unsent.size() - before});
}

std::string ShardConnection::Say(size_t bytes) {
  std::string said = unsent.substr(0, bytes);
  unsent.erase(0, said.size());
  for (size_t left = said.size(); left > 0;) {
    const size_t taken = std::min(left, owed.front().bytes);
    left -= taken;
    if ((owed.front().bytes -= taken) == 0) owed.pop_front();
  }
  return said;
}

void ShardConnection::Forget() {
  unsent.clear();
  owed.clear();
}

void ShardConnection::Answer(const std::vector<std::string>& words, bool resp2_only) {
  std::string reply;
  if (words[0] == "HELLO") {
    return Owe(resp2_only ? "-NOPROTO unsupported protocol version\r\n" : "%1\r\n+proto\r\n:3\r\n");
  }
  if (words[0] == "MULTI") {
    in_transaction = true;
    return Owe("+OK\r\n");
  }
  if (words[0] == "EXEC") {
    Owe(StrCat("*", commands, "\r\n", queued));
    queued.clear();
    commands = 0;
    in_transaction = false;
    return;
  }
  if (words[0] == "GET") reply = EncodeBulk(ValueOf(words[1]));
  if (words[0] == "SET" || words[0] == "MSET") reply = "+OK\r\n";
  if (words[0] == "DEL") reply = StrCat(":", words.size() - 1, "\r\n");
  if (words[0] == "MGET") {
    reply = StrCat("*", words.size() - 1, "\r\n");
    for (size_t i = 1; i < words.size(); ++i) reply += EncodeBulk(ValueOf(words[i]));
  }
  CHECK(!reply.empty());
  if (in_transaction) {
    Owe("+QUEUED\r\n");
    queued += reply;
    ++commands;
  } else {
    Owe(reply);
  }
}

// HELLO's reply to the client of a session.
std::string Greeting(int version, size_t session) {
  return StrCat(version == 3 ? "{" : "[", "server, redis, version, 7.0.15, proto, :", version,
                ", id, :", session, ", mode, standalone, role, master, modules, []",
                version == 3 ? "}" : "]");
}

struct Client {
  size_t index = 0;                  // in the harness
  std::string unsent;                // encoded, not yet given to the socket
  std::deque<std::string> expected;  // replies
  int requests = 0;
  bool here = true;
};

class Pipeline {
 public:
  explicit Pipeline(std::string_view program)
      : program_(program), harness_([](PoolConfig& pool) {
          pool.timeout = absl::Milliseconds(100);
          pool.shard_silence_limit = absl::Milliseconds(1000);
          pool.large_request = 1000;
          pool.session_output_limit = 200'000;
          pool.max_leases = 2;
        }) {
    for (size_t i = 0; i < 3; ++i) NewClient();
  }

  void Run() {
    for (size_t steps = 0; steps < kMaxSteps && !program_.done(); ++steps) {
      Step(Next());
      Check();
    }
    Heal();
  }

 private:
  uint8_t Next() { return program_.Next(); }

  void NewClient() {
    if (clients_.size() == kMaxClients) return;
    clients_.emplace_back();
    clients_.back().index = clients_.size() - 1;
    harness_.client(clients_.back().index);
  }

  Client& AnyClient() { return clients_[Next() % clients_.size()]; }
  FakeClient& End(const Client& client) { return harness_.client(client.index); }

  void Step(uint8_t step) {
    switch (step % 16) {
      case 0:
      case 1:
      case 2:
        return Ask(AnyClient(), Next());
      case 3:
        return Write(AnyClient(), Next());
      case 4:
        return Write(AnyClient(), SIZE_MAX);
      case 5:
      case 6:
        return Speak(Next() % kShards.size(), Next(), Next());
      case 7:
        return Speak(Next() % kShards.size(), Next(), SIZE_MAX);
      case 8:
        return harness_.Advance(std::chrono::milliseconds(Next()));
      case 9:
        return harness_.Advance(std::chrono::milliseconds(100));
      case 10:
        return Leave(AnyClient());
      case 11:
        return NewClient();
      case 12:
        return Close(Next() % kShards.size(), Next());
      case 13:
        return Misbehave(Next() % kShards.size(), Next());
      case 14: {
        Client& client = AnyClient();
        return client.here ? (Next() % 2 == 0 ? End(client).StopsReading() : End(client).ReadsOn())
                           : void();
      }
      case 15: {
        const size_t shard = Next() % kShards.size();
        FakeShard& end = harness_.shard(kShards[shard]);
        deaf_[shard] = Next() % 2 == 0;
        return deaf_[shard] ? end.StopsReading() : end.ReadsOn();
      }
    }
  }

  // A key of this client's next request.
  std::string Key(Client& client, uint8_t shard, bool large = false) {
    return StrCat(kShards[shard % kShards.size()], client.index, ".", client.requests++,
                  large ? "L" : "");
  }

  void Ask(Client& client, uint8_t kind) {
    if (!client.here) return;
    const uint8_t shard = kind >> 4;
    std::string key = Key(client, shard, kind % 16 == 3);
    switch (kind % 16) {
      default:
        client.unsent += FakeClient::Encode(StrCat("GET ", key));
        client.expected.push_back(ValueOf(key));
        return;
      case 4:
      case 5: {
        const std::string other = Key(client, shard + 1);
        client.unsent += FakeClient::Encode(StrCat("MGET ", key, " ", other, " ", key));
        client.expected.push_back(StrCat("[", key, ", ", other, ", ", key, "]"));
        return;
      }
      case 6:
        client.unsent += FakeClient::Encode(StrCat("DEL ", key, " ", Key(client, shard + 1)));
        client.expected.emplace_back(":2");
        return;
      case 7:
        client.unsent += FakeClient::Encode(StrCat("SET ", key, " ", std::string(2000, 'v')));
        client.expected.emplace_back("OK");
        return;
      case 8:
        client.unsent += FakeClient::Encode("PING");
        client.expected.emplace_back("PONG");
        return;
      case 9:
        client.unsent += FakeClient::Encode("MULTI") + FakeClient::Encode(StrCat("GET ", key)) +
                         FakeClient::Encode(StrCat("SET ", key, " v")) + FakeClient::Encode("EXEC");
        for (std::string_view reply : {"OK", "QUEUED", "QUEUED"}) {
          client.expected.emplace_back(reply);
        }
        client.expected.push_back(StrCat("[", key, ", OK]"));
        return;
      case 10:
        for (int i = 0; i < 40; ++i) {
          client.unsent += FakeClient::Encode(StrCat("GET ", key));
          client.expected.push_back(ValueOf(key));
          key = Key(client, shard);
        }
        return;
      case 11:
      case 12: {
        const int version = kind % 16 == 11 ? 3 : 2;
        client.unsent += FakeClient::Encode(StrCat("HELLO ", version));
        client.expected.push_back(Greeting(version, client.index));
        return;
      }
      case 13:
        client.unsent += FakeClient::Encode("RESET");
        client.expected.emplace_back("RESET");
        return;
      case 14:
        client.unsent += FakeClient::Encode(
            StrCat("MSET ", key, " ", std::string(2000, 'v'), " ", Key(client, shard + 1), " v"));
        client.expected.emplace_back("OK");
        return;
      case 15:
        client.unsent += FakeClient::Encode("MULTI") +
                         FakeClient::Encode(StrCat("SET ", key, " ", std::string(2000, 'v'))) +
                         FakeClient::Encode("EXEC");
        for (std::string_view reply : {"OK", "QUEUED", "[OK]"}) {
          client.expected.emplace_back(reply);
        }
        return;
    }
  }

  void Write(Client& client, size_t bytes) {
    if (!client.here) return;
    const size_t count = std::min(bytes, client.unsent.size());
    End(client).SendsBytes(std::string_view(client.unsent).substr(0, count));
    client.unsent.erase(0, count);
  }

  void Hear() {
    for (size_t shard = 0; shard < kShards.size(); ++shard) {
      for (auto& [connection, request] : harness_.shard(kShards[shard]).ReceivedByConnection()) {
        const std::vector<std::string> words = WordsOf(request);
        ShardConnection& end = connections_[{shard, connection}];
        if (words.size() > 1 && words[0] != "HELLO") {
          end.client = static_cast<size_t>(std::stoi(words[1].substr(1)));
          CheckOrder(shard, connection);
        } else if (words[0] != "EXEC") {
          end.client = kNobody;
        }
        end.Answer(words, resp2_only_[shard]);
      }
    }
  }

  // Whoever has just asked on `connection` is owed nothing on another one.
  void CheckOrder(size_t shard, size_t connection) {
    FakeShard& end = harness_.shard(kShards[shard]);
    // What the proxy has given up comes late; whoever does not read sees no end.
    if (deaf_[shard] || !end.connected(connection)) return;
    const size_t client = connections_[{shard, connection}].client;
    for (const auto& [place, other] : connections_) {
      if (place.first != shard || place.second == connection) continue;
      CHECK(!other.Owes(client) || !end.connected(place.second));
    }
  }

  // The shard says up to `bytes` of what it owes on one connection.
  void Speak(size_t shard, size_t connection, size_t bytes) {
    Hear();
    FakeShard& end = harness_.shard(kShards[shard]);
    if (end.connections() == 0) return;
    connection = end.connections() - 1 - connection % std::min<size_t>(end.connections(), 4);
    ShardConnection& speaker = connections_[{shard, connection}];
    if (!end.connected(connection)) return speaker.Forget();
    end.SendsOn(connection, speaker.Say(bytes));
  }

  void Leave(Client& client) {
    if (!client.here) return;
    client.here = false;
    End(client).Leaves();
    NewClient();
  }

  void Close(size_t shard, size_t connection) {
    FakeShard& end = harness_.shard(kShards[shard]);
    if (end.connections() == 0) return;
    connection = end.connections() - 1 - connection % std::min<size_t>(end.connections(), 4);
    if (end.connected(connection)) end.ClosesConnection(connection);
  }

  void Misbehave(size_t shard, uint8_t how) {
    FakeShard& end = harness_.shard(kShards[shard]);
    if (how % 8 == 7) resp2_only_[shard] = !resp2_only_[shard];
    if (how % 4 == 0) return end.StopsListening();
    if (how % 4 == 1) return end.Listens();
    if (!end.connected()) return;
    // In the middle of a reply this would be its contents.
    const size_t connection = end.connections() - 1;
    if (how % 4 == 2) return end.SendsOn(connection, "?");
    ShardConnection& speaker = connections_[{shard, connection}];
    if (!speaker.unsent.empty()) return;
    speaker.client = kNobody;
    speaker.Owe(">2\r\n+message\r\n$3\r\nall\r\n");
  }

  void Check() {
    for (size_t i = 0; i < clients_.size(); ++i) {
      Client& client = clients_[i];
      if (!client.here) continue;
      FakeClient& end = End(client);
      for (const std::string& reply : end.Received()) {
        CHECK(!client.expected.empty());
        CHECK(reply == client.expected.front() || reply.starts_with('-'));
        client.expected.pop_front();
      }
      // A session may end with half a reply, or at its output limit.
      if (end.disconnected()) {
        client.here = false;
        NewClient();
      }
    }
  }

  // Everybody behaves; then nobody may be left waiting.
  void Heal() {
    for (std::string_view name : kShards) {
      harness_.shard(name).StopsListening();
      harness_.shard(name).Listens();
      harness_.shard(name).ReadsOn();
    }
    deaf_ = {};
    for (Client& client : clients_) {
      if (client.here) End(client).ReadsOn();
    }
    const auto waits = [](const Client& client) { return client.here && !client.expected.empty(); };
    for (int rounds = 0; std::ranges::any_of(clients_, waits); ++rounds) {
      CHECK_LT(rounds, 1000);
      for (Client& client : clients_) Write(client, SIZE_MAX);
      for (size_t shard = 0; shard < kShards.size(); ++shard) {
        for (size_t connection = 0; connection < 4; ++connection) {
          Speak(shard, connection, SIZE_MAX);
        }
      }
      harness_.Advance(std::chrono::milliseconds(20));
      Check();
    }
  }

  FuzzProgram program_;
  SessionHarness harness_;
  std::deque<Client> clients_;  // references stay when it grows
  std::map<std::pair<size_t, size_t>, ShardConnection> connections_;
  std::array<bool, kShards.size()> resp2_only_ = {};
  std::array<bool, kShards.size()> deaf_ = {};  // it stopped reading
};

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::Log::SetLevel(0);
  weir::Pipeline(std::string_view(reinterpret_cast<const char*>(data), size)).Run();
  return 0;
}
