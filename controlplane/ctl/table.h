// Table: rows of text, printed with their columns in line.
//
// A plain value; whatever is added is made Displayable (text.h) first.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace weir {

class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}

  // As many cells as there are headings; empty ones are shown as "-".
  void Add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  // A line for the headings and each row, `indent` spaces before it and two between columns; no
  // spaces at its end.
  std::string Format(size_t indent = 0) const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace weir
