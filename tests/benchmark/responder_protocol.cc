#include "tests/benchmark/responder_protocol.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <span>

#include "proxy/base/strings.h"
#include "tests/benchmark/payload.h"

namespace weir::benchmark {
namespace {

constexpr size_t kMaxWords = 128;
constexpr size_t kMaxWordSize = kMaxValueSize;

enum class Progress { kDone, kNeedMore, kError };

// Reads "<type><decimal>\r\n" and moves `position` behind it.
Progress ReadNumber(std::string_view input, char type, size_t limit, size_t* position,
                    size_t* number) {
  size_t at = *position;
  if (at == input.size()) return Progress::kNeedMore;
  if (input[at++] != type) return Progress::kError;
  size_t value = 0;
  for (; at < input.size() && input[at] >= '0' && input[at] <= '9'; ++at) {
    value = value * 10 + static_cast<size_t>(input[at] - '0');
    if (value > limit) return Progress::kError;
  }
  if (at + 2 > input.size()) return Progress::kNeedMore;
  if (input[at] != '\r' || input[at + 1] != '\n') return Progress::kError;
  *position = at + 2;
  *number = value;
  return Progress::kDone;
}

struct Words {
  std::array<std::string_view, kMaxWords> word;
  size_t count;
};

Progress ReadRequest(std::string_view input, size_t* position, Words* words) {
  size_t at = *position;
  Progress progress = ReadNumber(input, '*', kMaxWords, &at, &words->count);
  if (progress != Progress::kDone) return progress;
  for (size_t i = 0; i < words->count; ++i) {
    size_t size;
    progress = ReadNumber(input, '$', kMaxWordSize, &at, &size);
    if (progress != Progress::kDone) return progress;
    if (input.size() < at + size + 2) return Progress::kNeedMore;
    words->word[i] = input.substr(at, size);
    at += size + 2;
  }
  *position = at;
  return Progress::kDone;
}

// `name` in upper case.
bool Is(std::string_view word, std::string_view name) {
  if (word.size() != name.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if ((word[i] & ~0x20) != name[i]) return false;
  }
  return true;
}

void AppendValue(std::string_view key, std::string* output) {
  std::optional<size_t> size = ValueSizeOf(key);
  if (!size.has_value()) {
    output->append("$-1\r\n");
    return;
  }
  char digits[24];
  char* end = std::to_chars(digits, digits + sizeof(digits), *size).ptr;
  output->push_back('$');
  output->append(digits, end);
  output->append("\r\n");
  output->append(key);
  output->append(FillerOf(key, *size));
  output->append("\r\n");
}

// Everything that is not GET, SET or MGET: what a proxy says when it connects or probes.
void AnswerOther(std::span<const std::string_view> words, std::string* output) {
  if (Is(words[0], "PING")) {
    output->append("+PONG\r\n");
  } else if (Is(words[0], "SELECT") || Is(words[0], "AUTH") || Is(words[0], "CLIENT")) {
    output->append("+OK\r\n");
  } else if (Is(words[0], "HELLO") && words.size() > 1 && words[1] != "2") {
    output->append("-NOPROTO unsupported protocol version\r\n");
  } else if (Is(words[0], "HELLO")) {
    output->append("*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:2\r\n");
  } else {
    StrAppend(output, "-ERR unknown command '", words[0].substr(0, 64), "'\r\n");
  }
}

void Answer(std::span<const std::string_view> words, std::string* output) {
  if (words.size() == 2 && Is(words[0], "GET")) {
    AppendValue(words[1], output);
  } else if (words.size() == 3 && Is(words[0], "SET")) {
    output->append(ValueBelongsTo(words[1], words[2])
                       ? "+OK\r\n"
                       : "-ERR the value does not belong to its key\r\n");
  } else if (words.size() > 1 && Is(words[0], "MGET")) {
    StrAppend(output, "*", words.size() - 1, "\r\n");
    for (std::string_view key : words.subspan(1)) AppendValue(key, output);
  } else {
    AnswerOther(words, output);
  }
}

}  // namespace

std::optional<size_t> Respond(std::string_view input, size_t output_limit, std::string* output) {
  Words words;
  size_t position = 0;
  while (position < input.size() && output->size() < output_limit) {
    Progress progress = ReadRequest(input, &position, &words);
    if (progress == Progress::kNeedMore) break;
    if (progress == Progress::kError || words.count == 0) return std::nullopt;
    Answer({words.word.data(), words.count}, output);
  }
  return position;
}

}  // namespace weir::benchmark
