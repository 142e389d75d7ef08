#include "tests/support/scripted_ends.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "proxy/base/check.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"
#include "proxy/event/socket.h"
#include "tests/support/resp.h"

namespace weir {
namespace {

std::string JoinWords(const std::vector<std::string_view>& words) {
  std::string text;
  for (std::string_view word : words) StrAppend(&text, text.empty() ? "" : " ", word);
  return text;
}

std::optional<std::string> TakeElements(std::string_view* input, int64_t count, char open,
                                        char close) {
  std::string text(1, open);
  for (int64_t i = 0; i < count; ++i) {
    std::optional<std::string> element = TakeReplyText(input);
    if (!element.has_value()) return std::nullopt;
    StrAppend(&text, i == 0 ? "" : ", ", *element);
  }
  text += close;
  return text;
}

}  // namespace

std::optional<std::string> TakeReplyText(std::string_view* input) {
  const size_t end = input->find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const char type = input->front();
  const std::string_view line = input->substr(1, end - 1);
  std::string_view rest = input->substr(end + 2);
  std::optional<std::string> text;
  const int64_t count = ParseInt<int64_t>(line).value_or(0);
  switch (type) {
    case '$':
      if (count < 0) {
        text = "(nil)";
      } else if (rest.size() >= static_cast<size_t>(count) + 2) {
        text = std::string(rest.substr(0, static_cast<size_t>(count)));
        rest.remove_prefix(static_cast<size_t>(count) + 2);
      }
      break;
    case '*':
    case '~':
      text = count < 0 ? "(nil)" : TakeElements(&rest, count, '[', ']');
      break;
    case '%':
      text = TakeElements(&rest, 2 * count, '{', '}');
      break;
    case '>':
      text = TakeElements(&rest, count, '[', ']');
      if (text.has_value()) text = StrCat(">", *text);
      break;
    case '_':
      text = "(nil)";
      break;
    case '+':
      text = std::string(line);
      break;
    default:
      CHECK(std::string_view("-:,#(").find(type) != std::string_view::npos);
      text = StrCat(std::string_view(&type, 1), line);
  }
  if (text.has_value()) *input = rest;
  return text;
}

// --- One socket ---

bool ScriptedSocket::Pump() {
  if (!fd.valid()) return false;
  bool moved = false;
  while (!output.empty()) {
    const ssize_t sent = send(fd.get(), output.data(), output.size(), MSG_NOSIGNAL);
    if (sent <= 0) break;
    output.erase(0, static_cast<size_t>(sent));
    moved = true;
  }
  static char buffer[1 << 16];
  while (reads && !ended) {
    const ssize_t got = read(fd.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EAGAIN) break;
    moved = true;
    if (got <= 0) {
      ended = true;
    } else {
      input.append(buffer, static_cast<size_t>(got));
    }
  }
  return moved;
}

// --- Client ---

FakeClient::FakeClient(Settle settle, UniqueFd fd) : settle_(std::move(settle)) {
  socket_.fd = std::move(fd);
}

std::string FakeClient::Encode(std::string_view words) {
  std::vector<std::string_view> arguments;
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    arguments.push_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return EncodeRequest(arguments);
}

void FakeClient::SendsBytes(std::string_view bytes) {
  socket_.output.append(bytes);
  settle_();
}

std::vector<std::string> FakeClient::Received() {
  std::vector<std::string> replies;
  std::string_view rest = socket_.input;
  while (!rest.empty()) {
    std::optional<std::string> reply = TakeReplyText(&rest);
    if (!reply.has_value()) break;
    replies.push_back(*std::move(reply));
  }
  socket_.input.erase(0, socket_.input.size() - rest.size());
  return replies;
}

void FakeClient::EndsInput() {
  shutdown(socket_.fd.get(), SHUT_WR);
  settle_();
}

void FakeClient::Leaves() {
  socket_.fd.Close();
  settle_();
}

void FakeClient::ReadsOn() {
  socket_.reads = true;
  settle_();
}

// --- Shard ---

FakeShard::FakeShard(Settle settle, std::string path)
    : settle_(std::move(settle)), path_(std::move(path)) {
  Listens();
}

void FakeShard::Listens() {
  if (listener_.valid()) return;
  absl::StatusOr<UniqueFd> listener = ListenOn(*LiteralAddress(UnixEndpoint(path_)), {});
  CHECK(listener.ok());
  listener_ = *std::move(listener);
}

void FakeShard::StopsListening() {
  listener_.Close();
  unlink(path_.c_str());
}

std::vector<std::string> FakeShard::Received() {
  std::vector<std::string> requests;
  for (auto& [connection, request] : std::exchange(received_, {})) {
    requests.push_back(std::move(request));
  }
  return requests;
}

std::vector<std::pair<size_t, std::string>> FakeShard::ReceivedByConnection() {
  return std::exchange(received_, {});
}

void FakeShard::Replies(std::string_view text) { Sends(EncodeBulk(text)); }

void FakeShard::SendsOn(size_t connection, std::string_view bytes) {
  CHECK_LT(connection, connections_.size());
  connections_[connection]->output.append(bytes);
  settle_();
}

void FakeShard::ClosesConnection(size_t connection) {
  CHECK_LT(connection, connections_.size());
  connections_[connection]->fd.Close();
  connections_[connection]->ended = true;
  settle_();
}

void FakeShard::StopsReading() {
  for (auto& connection : connections_) connection->reads = false;
}

void FakeShard::ReadsOn() {
  for (auto& connection : connections_) connection->reads = true;
  settle_();
}

bool FakeShard::Pump() {
  bool moved = false;
  while (listener_.valid()) {
    UniqueFd accepted = AcceptFrom(listener_.get());
    if (!accepted.valid()) break;
    connections_.push_back(std::make_unique<ScriptedSocket>());
    connections_.back()->fd = std::move(accepted);
    moved = true;
  }
  for (size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i]->Pump()) moved = true;
    if (TakeRequests(i)) moved = true;
  }
  return moved;
}

bool FakeShard::TakeRequests(size_t index) {
  ScriptedSocket& connection = *connections_[index];
  std::string_view rest = connection.input;
  while (size_t size = TakeRequest(rest, arguments_)) {
    if (answer_) {
      connection.output += answer_(arguments_);
    } else {
      received_.emplace_back(index, JoinWords(arguments_));
    }
    rest.remove_prefix(size);
  }
  const size_t taken = connection.input.size() - rest.size();
  connection.input.erase(0, taken);
  return taken > 0;
}

}  // namespace weir
