#include "proxy/config/yaml_tree.h"

#include <algorithm>
#include <exception>
#include <sstream>
#include <utility>

#include "absl/strings/escaping.h"
#include "proxy/base/strings.h"
#include "proxy/base/utf8.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/yaml.h"

namespace weir {
namespace {

constexpr int kMaxDepth = 16;  // pools need four levels
constexpr std::string_view kMergeKey = "<<";

// Copies yaml-cpp's tree. Counts what it copies: an alias is a copy of its anchor, and an anchor
// may even contain an alias of itself.
class TreeCopier {
 public:
  absl::StatusOr<YamlNode> Copy(const YAML::Node& from, int depth) {
    if (depth > kMaxDepth) return Refuse(from, "values nested at most 16 deep");
    if (++nodes_ > kMaxYamlNodes) return Refuse(from, "at most 100000 values, aliases expanded");
    YamlNode to;
    to.line = LineOf(from);
    if (from.IsScalar()) {
      to.kind = YamlKind::kScalar;
      to.text = from.Scalar();
      return to;
    }
    absl::Status status = absl::OkStatus();
    if (from.IsSequence()) status = CopyItems(from, depth, to);
    if (from.IsMap()) status = CopyEntries(from, depth, to);
    if (!status.ok()) return status;
    return to;
  }

  // Where the last Refuse() found its reason, from 1.
  int error_line() const { return error_line_; }

 private:
  static int LineOf(const YAML::Node& node) { return node.Mark().line + 1; }

  absl::Status Refuse(const YAML::Node& node, std::string_view expected) {
    error_line_ = LineOf(node);
    return InvalidArgument("expected ", expected);
  }

  absl::Status CopyItems(const YAML::Node& from, int depth, YamlNode& to) {
    to.kind = YamlKind::kSequence;
    for (const YAML::Node& item : from) {
      absl::StatusOr<YamlNode> copy = Copy(item, depth + 1);
      if (!copy.ok()) return copy.status();
      to.items.push_back(*std::move(copy));
    }
    return absl::OkStatus();
  }

  absl::Status CopyEntries(const YAML::Node& from, int depth, YamlNode& to) {
    to.kind = YamlKind::kMap;
    std::vector<YamlNode> merges;
    for (const auto& entry : from) {
      absl::StatusOr<YamlNode> key = Copy(entry.first, depth + 1);
      if (!key.ok()) return key.status();
      absl::StatusOr<YamlNode> value = Copy(entry.second, depth + 1);
      if (!value.ok()) return value.status();
      // yaml-cpp puts a list at its first item, and nothing wherever the next thing is.
      if (value->kind != YamlKind::kScalar) value->line = key->line;
      if (key->kind == YamlKind::kScalar && key->text == kMergeKey) {
        if (!CollectMerges(*std::move(value), merges)) {
          return Refuse(entry.first, "an alias of a map, or a list of them, for '<<'");
        }
      } else {
        to.entries.push_back({*std::move(key), *std::move(value)});
      }
    }
    for (YamlNode& merge : merges) MergeInto(std::move(merge), to);
    return absl::OkStatus();
  }

  static bool CollectMerges(YamlNode value, std::vector<YamlNode>& merges) {
    if (value.kind == YamlKind::kMap) {
      merges.push_back(std::move(value));
      return true;
    }
    if (value.kind != YamlKind::kSequence) return false;
    for (YamlNode& item : value.items) {
      if (item.kind != YamlKind::kMap) return false;
      merges.push_back(std::move(item));
    }
    return true;
  }

  // Adds the entries whose keys `to` does not have: what is said in place, or merged earlier, wins.
  static void MergeInto(YamlNode merge, YamlNode& to) {
    const size_t present = to.entries.size();
    for (YamlEntry& entry : merge.entries) {
      const auto same_key = [&entry](const YamlEntry& other) {
        return other.key.kind == entry.key.kind && other.key.text == entry.key.text;
      };
      const auto end = to.entries.begin() + present;
      if (std::find_if(to.entries.begin(), end, same_key) == end) {
        to.entries.push_back(std::move(entry));
      }
    }
  }

  size_t nodes_ = 0;
  int error_line_ = 1;
};

// yaml-cpp's message alone is hard to read where a tab indents, or where a value begins with '[',
// as bracketed IPv6 does.
std::string_view Hint(std::string_view text, int line) {
  for (int i = 1; i < line && !text.empty(); ++i) {
    const size_t end = text.find('\n');
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.substr(0, text.find_first_not_of(" \t")).find('\t') != text.npos) {
    return "; indent with spaces, YAML takes no tabs";
  }
  const size_t bracket = text.find('[');
  const bool quoted = text.find_first_of("'\"") < bracket;
  if (bracket != text.npos && !quoted && text.find("]:", bracket) != text.npos) {
    return "; put quotes around a value that begins with [";
  }
  return "";
}

// Told of a document's contents: where it begins and whether there is anything in it.
class DocumentProbe : public YAML::EventHandler {
 public:
  int line() const { return line_; }
  bool is_empty() const { return is_empty_; }

  void OnDocumentStart(const YAML::Mark& mark) override { line_ = mark.line + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override { is_empty_ = false; }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {
    is_empty_ = false;
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    is_empty_ = false;
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    is_empty_ = false;
  }
  void OnMapEnd() override {}

 private:
  int line_ = 1;
  bool is_empty_ = true;
};

// The line where something follows the first document; 0 when nothing does, or a lone `---`.
// Not YAML::LoadAll: at a stray `,` or `}` between documents it reads empty ones for ever.
int LineBehindFirstDocument(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  for (int i = 0; i < 3; ++i) {
    DocumentProbe probe;
    if (!parser.HandleNextDocument(probe)) return 0;
    if (i == 2 || (i == 1 && !probe.is_empty())) return probe.line();
  }
  return 0;
}

absl::StatusOr<YamlNode> ParseOrThrow(const std::string& text, std::string_view file_name) {
  const YAML::Node document = YAML::Load(text);
  if (const int line = LineBehindFirstDocument(text); line != 0) {
    return InvalidArgument(file_name, ":", line,
                           ": found a second document or a stray character, expected one document");
  }
  TreeCopier copier;
  absl::StatusOr<YamlNode> tree = copier.Copy(document, 0);
  if (!tree.ok()) {
    return InvalidArgument(file_name, ":", copier.error_line(), ": ",
                           FromAbsl(tree.status().message()));
  }
  return tree;
}

}  // namespace

absl::StatusOr<YamlNode> ParseYaml(std::string_view text, std::string_view file_name) {
  if (text.size() > kMaxYamlBytes) {
    return InvalidArgument(file_name, ":1: found a larger file, expected at most ", kMaxYamlBytes,
                           " bytes");
  }
  try {
    return ParseOrThrow(std::string(text), file_name);
  } catch (const YAML::Exception& error) {
    const int line = error.mark.is_null() ? 1 : error.mark.line + 1;
    // yaml-cpp quotes what it found as it stands, line ends among it.
    return InvalidArgument(file_name, ":", line, ": not YAML: ", Printable(error.msg),
                           Hint(text, line));
  } catch (const std::exception& error) {
    return InvalidArgument(file_name, ":1: not YAML: ", error.what());
  }
}

std::string Printable(std::string_view text) {
  constexpr size_t kMaxShown = 100;
  const bool cut = text.size() > kMaxShown;
  // Bytes from 0x80 on stay: names may well be UTF-8.
  std::string shown = absl::Utf8SafeCHexEscape(ToAbsl(CutUtf8(text, kMaxShown)));
  if (cut) shown += "...";
  return shown;
}

std::string DescribeFound(const YamlNode& node) {
  switch (node.kind) {
    case YamlKind::kNull:
      return "nothing";
    case YamlKind::kSequence:
      return "a list";
    case YamlKind::kMap:
      return "a map";
    case YamlKind::kScalar:
      return StrCat("'", Printable(node.text), "'");
  }
  return "";
}

}  // namespace weir
