#include "controlplane/store/pool_file.h"

#include <algorithm>

#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "proxy/base/check.h"
#include "proxy/base/sha256.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_yaml.h"

namespace weir {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kInForceKey = "in_force:";
constexpr std::string_view kDeclaredKey = "declared:";
constexpr std::string_view kHashKey = "\n  sha256: ";
constexpr std::string_view kRecordKey = "\n  record:\n    ";
constexpr size_t kRecordIndent = 4;
constexpr size_t kLineLength = 100;

// The offset of the line that begins with `key`; npos when there is none.
size_t FindLine(std::string_view text, std::string_view key) {
  if (text.starts_with(key)) return 0;
  const size_t found = text.find(StrCat("\n", key));
  return found == text.npos ? found : found + 1;
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Appends it without line breaks, or nothing, when `to` would be longer than `limit` then.
bool AppendLine(const Json& json, size_t limit, std::string& to) {
  const size_t begin = to.size();
  bool fits = !json.is_string() || begin + json.get_ref<const std::string&>().size() <= limit;
  if (json.is_primitive()) {
    if (fits) to += Dump(json);
  } else {
    to += json.is_object() ? '{' : '[';
    for (const auto& [key, value] : json.items()) {
      if (to.size() > begin + 1) to += ',';
      if (json.is_object()) StrAppend(&to, Dump(key), ":");
      fits = AppendLine(value, limit, to);
      if (!fits) break;
    }
    to += json.is_object() ? '}' : ']';
  }
  fits = fits && to.size() <= limit;
  if (!fits) to.resize(begin);
  return fits;
}

void AppendJson(const Json& json, size_t indent, size_t used, std::string& to) {
  if (json.is_primitive() || json.empty()) {
    to += Dump(json);
    return;
  }
  const size_t before = indent + used;
  if (before < kLineLength && AppendLine(json, to.size() + kLineLength - before, to)) return;
  to += json.is_object() ? "{" : "[";
  bool is_first = true;
  for (const auto& [key, value] : json.items()) {
    StrAppend(&to, is_first ? "\n" : ",\n", std::string(indent + 2, ' '));
    const std::string prefix = json.is_object() ? StrCat(Dump(key), ": ") : "";
    to += prefix;
    AppendJson(value, indent + 2, prefix.size() + 1, to);
    is_first = false;
  }
  StrAppend(&to, "\n", std::string(indent, ' '), json.is_object() ? "}" : "]");
}

std::string InForceText(std::string_view sha256, std::string_view record) {
  return StrCat(kInForceKey, "  # written by weir-control alone: an edit of it is undone", kHashKey,
                sha256, kRecordKey, record, "\n");
}

}  // namespace

absl::Status TooLong(std::string_view path, size_t max_bytes) {
  return absl::ResourceExhaustedError(
      StrCat(path, ": cannot be written: it would have more than ", max_bytes, " bytes"));
}

PoolFileParts SplitPoolFile(std::string_view text) {
  const size_t at = FindLine(text, kInForceKey);
  if (at == text.npos) return {.declared = text, .in_force = {}, .in_force_line = 0};
  const std::string_view declared = text.substr(0, at);
  const auto lines = std::count(declared.begin(), declared.end(), '\n');
  return {.declared = declared,
          .in_force = text.substr(at),
          .in_force_line = static_cast<int>(lines) + 1};
}

InForce FormatInForce(const v1::PoolRecord& record) {
  const std::string json = FormatJson(record, kRecordIndent);
  InForce in_force{.record = record, .text = {}, .sha256 = Sha256Hex(json)};
  in_force.text = InForceText(in_force.sha256, json);
  return in_force;
}

absl::StatusOr<InForce> ParseInForce(std::string_view in_force, std::string_view file_name,
                                     int line) {
  const size_t begin = in_force.find('{');
  const size_t end = in_force.rfind('}');
  std::string_view json;
  if (begin != in_force.npos && end != in_force.npos && begin < end) {
    json = in_force.substr(begin, end + 1 - begin);
  }
  InForce parsed{.record = {}, .text = std::string(in_force), .sha256 = Sha256Hex(json)};
  if (in_force.find(StrCat(kHashKey, parsed.sha256, "\n")) == in_force.npos) {
    return absl::DataLossError(StrCat(file_name, ":", line,
                                      ": in_force is damaged or was edited, its sha256 is another "
                                      "one; restore the file from a backup"));
  }
  google::protobuf::util::JsonParseOptions options;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), &parsed.record, options);
  if (!status.ok()) {
    return absl::DataLossError(StrCat(file_name, ":", line,
                                      ": in_force cannot be read, perhaps a newer weir-control "
                                      "wrote it: ",
                                      status.ToString()));
  }
  return parsed;
}

std::string FormatDeclaredPart(const v1::PoolSpec& spec, std::string_view pool,
                               std::string_view old_declared) {
  const size_t at = FindLine(old_declared, kDeclaredKey);
  const std::string before =
      at != old_declared.npos
          ? std::string(old_declared.substr(0, at))
          : StrCat("# Pool ", pool,
                   ". `declared` is yours to edit: a good edit is applied live, a bad one is\n"
                   "# refused and the old state stays.\n");
  return StrCat(before, FormatDeclaredPool(spec), "\n");
}

std::string JoinPoolFile(std::string_view declared, std::string_view in_force) {
  const bool has_end = declared.empty() || declared.ends_with('\n');
  return StrCat(declared, has_end ? "" : "\n", in_force);
}

std::string FormatJson(const google::protobuf::Message& message, size_t indent) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string compact;
  const auto status = google::protobuf::util::MessageToJsonString(message, &compact, options);
  CHECK(status.ok());
  std::string text;
  AppendJson(Json::parse(compact, nullptr, false), indent, 0, text);
  return text;
}

}  // namespace weir
