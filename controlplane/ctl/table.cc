#include "controlplane/ctl/table.h"

#include <algorithm>

#include "controlplane/ctl/text.h"
#include "proxy/base/check.h"

namespace weir {
namespace {

constexpr size_t kGap = 2;

void AppendLine(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                size_t indent, std::string& to) {
  std::string line(indent, ' ');
  for (size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    line.append(widths[i] - DisplayWidth(cells[i]) + kGap, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  to += line + '\n';
}

}  // namespace

void Table::Add(std::vector<std::string> cells) {
  CHECK(cells.size() == headings_.size());
  for (std::string& cell : cells) cell = cell.empty() ? "-" : Displayable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::Format(size_t indent) const {
  std::vector<size_t> widths;
  for (const std::string& heading : headings_) widths.push_back(DisplayWidth(heading));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string text;
  AppendLine(headings_, widths, indent, text);
  for (const auto& row : rows_) AppendLine(row, widths, indent, text);
  return text;
}

}  // namespace weir
