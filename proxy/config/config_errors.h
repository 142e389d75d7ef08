// What is wrong with a pool, or may surprise, collected while it is read. Part of the readers of
// files and messages.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace weir {

// A mistake; of the file as a whole when `pool` is empty, of the pool as a whole when `key` is.
struct ConfigMistake {
  int line = 0;
  std::string pool;
  std::string key;
  std::string what;  // the sentence, such as "found 'abc', expected milliseconds >= 0"
};

// Mistakes by line. One per load; not shared between threads.
class ConfigErrors {
 public:
  // Of a file, whose errors name its lines.
  explicit ConfigErrors(std::string_view file_name) : file_name_(file_name) {}
  // Of a message: a node's line is the index of its path in `paths`, which is borrowed.
  explicit ConfigErrors(std::span<const std::string> paths) : paths_(paths) {}

  void Add(int line, std::string_view what);
  void Add(int line, std::string_view pool, std::string_view what);
  void Add(int line, std::string_view pool, std::string_view key, std::string_view what);

  // What is no mistake, but may not be what was meant.
  void Warn(int line, std::string_view pool, std::string_view key, std::string_view what);

  // No mistakes; there may be warnings.
  bool empty() const { return mistakes_.empty(); }
  // In the order in which they were added.
  const std::vector<ConfigMistake>& mistakes() const { return mistakes_; }

  // "FILE:LINE: ", as every mistake in a file begins; nothing for a message.
  std::string Place(int line) const;

  // Where a line is, inside a sentence: "on line 4", or "at servers[0]".
  std::string Where(int line) const;

  // All mistakes of a file, one line each, by line; OK when there is none.
  absl::Status ToStatus() const;
  // All warnings about a file, likewise.
  std::vector<std::string> Warnings() const;

 private:
  std::string file_name_;
  std::span<const std::string> paths_;
  std::vector<ConfigMistake> mistakes_;
  std::vector<ConfigMistake> warnings_;
};

}  // namespace weir
