// What is wrong with a configuration file, collected while it is read. Part of the loader.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace weir {

// Mistakes by line. One per load; not shared between threads.
class ConfigErrors {
 public:
  explicit ConfigErrors(std::string_view file_name) : file_name_(file_name) {}

  // A mistake in the file as a whole, in a pool, and in a key of a pool; `what` is the sentence,
  // such as "found 'abc', expected milliseconds >= 0".
  void Add(int line, std::string_view what);
  void Add(int line, std::string_view pool, std::string_view what);
  void Add(int line, std::string_view pool, std::string_view key, std::string_view what);

  bool empty() const { return lines_.empty(); }

  // "FILE:LINE: ", as every mistake begins.
  std::string Place(int line) const;

  // All of them, one line each, by line of the file; OK when there is none.
  absl::Status ToStatus() const;

 private:
  std::string file_name_;
  std::multimap<int, std::string> lines_;  // equal keys keep the order in which they were added
};

}  // namespace weir
