// YAML text → a tree of plain values that knows its lines.
//
// The one place that touches yaml-cpp: its exceptions end here, its silently kept duplicate keys
// stay visible, anchors and merge keys (`<<: *defaults`) are expanded. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace weir {

enum class YamlKind : uint8_t { kNull, kScalar, kSequence, kMap };

struct YamlEntry;

struct YamlNode {
  YamlKind kind = YamlKind::kNull;
  int line = 1;                    // where it stands in the file, from 1
  std::string text;                // kScalar: unquoted
  std::vector<YamlNode> items;     // kSequence
  std::vector<YamlEntry> entries;  // kMap: in the file's order, duplicates kept; merged ones last
};

struct YamlEntry {
  YamlNode key;
  YamlNode value;
};

// Largest file, and most values in it once anchors are expanded: beyond is an error, so that no
// file makes the process run out of memory.
inline constexpr size_t kMaxYamlBytes = 16 << 20;
inline constexpr size_t kMaxYamlNodes = 100'000;

// The one document in `text`; kNull when it is empty. The error is one line that begins with
// `file_name:LINE: `.
absl::StatusOr<YamlNode> ParseYaml(std::string_view text, std::string_view file_name);

// `text` for messages: shortened to 100 bytes, unprintable bytes escaped.
std::string Printable(std::string_view text);

// What a node is, for messages: 'text' as Printable, a list, a map, nothing.
std::string DescribeFound(const YamlNode& node);

}  // namespace weir
