// Scripted ends of conversations: a client and a shard, on real sockets and on the test's thread.
//
// They move bytes only in Pump(), which the test's harness calls between turns of its loop, and
// each verb of theirs ends with the harness's Settle. They know just enough of the protocol to
// write requests and replies as text.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/base/unique_fd.h"

namespace weir {

// A reply as a test writes it: bulk and simple strings as they are, ":7", "-ERR text", "(nil)",
// "[a, b]" for arrays and sets, "{k, v}" for maps, ">[…]" for pushes. Takes it off `input`; nothing
// while it is incomplete.
std::optional<std::string> TakeReplyText(std::string_view* input);

// One non-blocking socket of a scripted end, with what it has read and has yet to write.
struct ScriptedSocket {
  UniqueFd fd;
  std::string input;
  std::string output;
  bool reads = true;
  bool ended = false;  // the proxy has closed its end

  // Moves what can be moved; whether anything was.
  bool Pump();
};

// Lets the code under test run until nothing moves; called at the end of each verb.
using Settle = std::function<void()>;

class FakeClient {
 public:
  FakeClient(Settle settle, UniqueFd fd);

  // Requests as words ("SET a1 v"), in one piece.
  template <typename... Requests>
  void Sends(const Requests&... requests) {
    std::string bytes;
    (bytes.append(Encode(requests)), ...);
    SendsBytes(bytes);
  }
  void SendsBytes(std::string_view bytes);
  static std::string Encode(std::string_view words);

  // The replies that came since the last call.
  std::vector<std::string> Received();
  // The bytes that came and were not taken by Received().
  size_t unread_bytes() const { return socket_.input.size(); }
  // The bytes that it would send if the proxy read on.
  size_t unsent_bytes() const { return socket_.output.size(); }
  bool disconnected() const { return socket_.ended; }

  void EndsInput();  // half-closes: it still reads
  void Leaves();
  void StopsReading() { socket_.reads = false; }
  void ReadsOn();
  // Reads and forgets, so that long runs need no memory.
  void DropsInput() { socket_.input.clear(); }
  bool Pump() { return socket_.Pump(); }

 private:
  Settle settle_;
  ScriptedSocket socket_;
};

class FakeShard {
 public:
  // What to answer at once, encoded; an empty string: nothing yet.
  using Answer = std::function<std::string(const std::vector<std::string_view>& request)>;

  FakeShard(Settle settle, std::string path);

  // The requests that came since the last call, as words, on all connections.
  std::vector<std::string> Received();
  // The same, each with the number of its connection.
  std::vector<std::pair<size_t, std::string>> ReceivedByConnection();
  // A bulk string, or any bytes, on the newest connection or on the n-th ever made.
  void Replies(std::string_view text);
  void Sends(std::string_view bytes) { SendsOn(connections_.size() - 1, bytes); }
  void SendsOn(size_t connection, std::string_view bytes);
  void Answers(Answer answer) { answer_ = std::move(answer); }

  void ClosesConnection() { ClosesConnection(connections_.size() - 1); }
  void ClosesConnection(size_t connection);
  void StopsReading();
  void ReadsOn();
  // Refuses connections, and takes them again.
  void StopsListening();
  void Listens();

  size_t connections() const { return connections_.size(); }  // ever made
  bool connected() const { return connected(connections_.size() - 1); }
  bool connected(size_t connection) const {
    return connection < connections_.size() && !connections_[connection]->ended;
  }
  bool Pump();

 private:
  bool TakeRequests(size_t index);

  Settle settle_;
  const std::string path_;
  UniqueFd listener_;
  std::vector<std::unique_ptr<ScriptedSocket>> connections_;
  std::vector<std::pair<size_t, std::string>> received_;
  std::vector<std::string_view> arguments_;
  Answer answer_;
};

}  // namespace weir
