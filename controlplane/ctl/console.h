// Who is at the other end: where texts go and where answers come from. Lends its streams.
#pragma once

#include <istream>
#include <ostream>

namespace weir {

struct Console {
  std::ostream& out;          // results: what a script reads
  std::ostream& err;          // errors, questions, progress
  std::istream& in;           // answers to questions
  bool can_ask = false;       // somebody reads `err` and can answer
  bool has_progress = false;  // `err` is a terminal, where a line can be written over
};

}  // namespace weir
