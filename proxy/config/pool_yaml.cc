#include "proxy/config/pool_yaml.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "proxy/config/address.h"
#include "proxy/config/config_errors.h"
#include "proxy/config/config_loader.h"
#include "proxy/config/pool_message.h"
#include "proxy/config/pool_reader.h"
#include "proxy/config/shard_item.h"
#include "proxy/config/yaml_tree.h"

namespace weir {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;

constexpr std::string_view kDeclared = "declared";

// --- tree → message; the reader has checked the tree ---

void FillMessage(const YamlNode& map, Message& message);

void FillField(const YamlNode& value, const FieldDescriptor& field, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  if (field.is_repeated()) {
    for (const YamlNode& item : value.items) {
      FillMessage(item, *reflection.AddMessage(&message, &field));
    }
    return;
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.SetString(&message, &field, value.text);
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.SetBool(&message, &field, value.text == "true");
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.SetUInt32(&message, &field, ParseInt<uint32_t>(value.text).value_or(0));
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.SetInt32(&message, &field, ParseInt<int32_t>(value.text).value_or(0));
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.SetUInt64(&message, &field, ParseInt<uint64_t>(value.text).value_or(0));
    default:
      CHECK(false && "PoolPolicy has a field of a kind that no key has");
  }
}

// Sets the fields that are keys of the map; other keys are left out.
void FillMessage(const YamlNode& map, Message& message) {
  for (const YamlEntry& entry : map.entries) {
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(entry.key.text);
    if (field != nullptr) FillField(entry.value, *field, message);
  }
}

const YamlNode* FindValue(const YamlNode& map, std::string_view key) {
  const auto found = std::ranges::find_if(
      map.entries, [key](const YamlEntry& entry) { return entry.key.text == key; });
  return found == map.entries.end() ? nullptr : &found->value;
}

// Policy and servers of a pool's map that the reader has accepted.
v1::PoolSpec SpecOfMap(const YamlNode& map) {
  v1::PoolSpec spec;
  FillMessage(map, *spec.mutable_policy());
  for (const YamlNode& item : FindValue(map, "servers")->items) {
    const absl::StatusOr<ShardConfig> shard = ParseServer(item.text);
    CHECK(shard.ok());
    v1::ShardSpec& server = *spec.add_servers();
    server.set_name(shard->name);
    server.set_endpoint(FormatEndpoint(shard->endpoint));
    server.set_weight(shard->weight);
  }
  return spec;
}

// --- what a declared pool has besides a twemproxy pool ---

// Takes the entries of `key` out of `map`; the value of the first, if there is one.
std::optional<YamlEntry> TakeKey(YamlNode& map, std::string_view key, std::string_view pool,
                                 ConfigErrors& errors) {
  std::optional<YamlEntry> taken;
  std::erase_if(map.entries, [&](YamlEntry& entry) {
    if (entry.key.kind != YamlKind::kScalar || entry.key.text != key) return false;
    if (taken) {
      errors.Add(
          entry.key.line, pool, key,
          StrCat("found a second time, expected once (first ", errors.Where(taken->key.line), ")"));
    } else {
      taken = std::move(entry);
    }
    return true;
  });
  return taken;
}

void ReadFleet(const YamlNode& value, std::string_view pool, v1::PoolSpec& spec,
               ConfigErrors& errors) {
  if (value.kind == YamlKind::kScalar && IsResourceName(value.text)) {
    spec.set_fleet(value.text);
    return;
  }
  errors.Add(value.line, pool, "fleet",
             StrCat("found ", DescribeFound(value), ", expected ", kResourceNameForm));
}

// One key of `guard:`; whether it could be read. Its range is CheckGuard's matter.
bool ReadGuardKey(const YamlEntry& entry, v1::Guard& guard) {
  if (entry.value.kind != YamlKind::kScalar) return false;
  const std::string& text = entry.value.text;
  if (entry.key.text == "max_moved_fraction") {
    double fraction = 0;
    if (!absl::SimpleAtod(text, &fraction)) return false;
    guard.set_max_moved_fraction(fraction);
    return true;
  }
  const std::optional<uint32_t> number = ParseInt<uint32_t>(text);
  if (entry.key.text != "min_shards" || !number) return false;
  guard.set_min_shards(*number);
  return true;
}

void ReadGuard(const YamlNode& value, std::string_view pool, v1::PoolSpec& spec,
               ConfigErrors& errors) {
  constexpr std::string_view kForm =
      "a map with max_moved_fraction, from 0 to 1, and min_shards, a number >= 0";
  const auto refuse = [&](const YamlNode& node) {
    errors.Add(node.line, pool, "guard",
               StrCat("found ", DescribeFound(node), ", expected ", kForm));
  };
  if (value.kind != YamlKind::kMap) return refuse(value);
  for (const YamlEntry& entry : value.entries) {
    const bool is_known = entry.key.text == "max_moved_fraction" || entry.key.text == "min_shards";
    if (!ReadGuardKey(entry, *spec.mutable_guard())) refuse(is_known ? entry.value : entry.key);
  }
  for (const FieldError& error : CheckGuard(spec.guard())) {
    errors.Add(FindValue(value, error.field)->line, pool, "guard",
               StrCat(error.field, ": ", error.what));
  }
}

// The pool whose keys are those of `map`, which stands at `line`; good for nothing after an error.
v1::PoolSpec ReadDeclared(YamlNode map, int line, std::string_view pool_name,
                          ConfigErrors& errors) {
  v1::PoolSpec extras;
  if (const auto fleet = TakeKey(map, "fleet", pool_name, errors)) {
    ReadFleet(fleet->value, pool_name, extras, errors);
  }
  if (const auto guard = TakeKey(map, "guard", pool_name, errors)) {
    ReadGuard(guard->value, pool_name, extras, errors);
  }
  YamlEntry pool;
  pool.key.kind = YamlKind::kScalar;
  pool.key.line = line;
  pool.key.text = pool_name;
  pool.value = std::move(map);
  ReadPool(pool, PoolOrigin::kDeclared, errors);
  if (!errors.empty()) return {};

  v1::PoolSpec spec = SpecOfMap(pool.value);
  spec.MergeFrom(extras);
  return spec;
}

// The value of the only key, `declared`; null after an error.
YamlNode* FindDeclared(YamlNode& document, ConfigErrors& errors) {
  YamlNode* declared = nullptr;
  for (YamlEntry& entry : document.entries) {
    if (entry.key.text == kDeclared && declared == nullptr) {
      declared = &entry.value;
    } else {
      errors.Add(entry.key.line,
                 StrCat("found ", DescribeFound(entry.key), ", expected 'declared' once"));
    }
  }
  if (document.kind != YamlKind::kMap || (declared == nullptr && errors.empty())) {
    errors.Add(
        std::max(document.line, 1),
        StrCat("found ", document.entries.empty() ? DescribeFound(document) : "no 'declared'",
               ", expected a map under 'declared', with listen, servers and more"));
  }
  return errors.empty() ? declared : nullptr;
}

// --- message → YAML ---

// Texts that YAML reads as they are. Those with other bytes, or that would be null, get quotes.
bool IsPlain(std::string_view text) {
  if (text.empty() || text.back() == ':' || text.back() == ' ') return false;
  if (!absl::ascii_isalnum(text.front()) && text.front() != '/') return false;
  if (absl::EqualsIgnoreCase(ToAbsl(text), "null") || text.find(": ") != text.npos) return false;
  return std::ranges::all_of(text, [](char c) {
    return absl::ascii_isalnum(c) || std::string_view("/:._- ").find(c) != std::string_view::npos;
  });
}

std::string Quoted(std::string_view text) {
  if (IsPlain(text)) return std::string(text);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (absl::ascii_iscntrl(c)) {
      const auto byte = static_cast<unsigned char>(c);
      quoted += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

// The shortest decimal that reads back as `value`.
std::string ShortestDouble(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), value);
  CHECK(error == std::errc());
  return {text, end};
}

std::string ScalarText(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return Quoted(reflection.GetString(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT32:
      return std::to_string(reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return ShortestDouble(reflection.GetDouble(message, &field));
    default:
      CHECK(field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64);
      return std::to_string(reflection.GetUInt64(message, &field));
  }
}

// "key: value" for each field that is set, with `separator` before each.
void AppendFields(const Message& message, std::string_view separator, std::string& to) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated()) {
      StrAppend(&to, separator, field->name(), ":");
      for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
        std::string item;
        AppendFields(message.GetReflection()->GetRepeatedMessage(message, field, i), ", ", item);
        StrAppend(&to, "\n    - {", item.substr(std::min<size_t>(2, item.size())), "}");
      }
    } else {
      StrAppend(&to, separator, field->name(), ": ", ScalarText(message, *field));
    }
  }
}

std::string ServerText(const v1::ShardSpec& shard) {
  const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(shard.endpoint());
  const std::string address = endpoint.ok() ? FormatEndpoint(*endpoint) : shard.endpoint();
  return Quoted(StrCat(address, ":", std::max(shard.weight(), 1u), " ", shard.name()));
}

}  // namespace

absl::StatusOr<v1::PoolSpec> ParseDeclaredPool(std::string_view text, std::string_view file_name,
                                               std::string_view pool_name) {
  absl::StatusOr<YamlNode> document = ParseYaml(text, file_name);
  if (!document.ok()) return document.status();
  ConfigErrors errors(file_name);
  YamlNode* declared = FindDeclared(*document, errors);
  if (declared == nullptr) return errors.ToStatus();

  const int line = declared->line;
  v1::PoolSpec spec = ReadDeclared(std::move(*declared), line, pool_name, errors);
  if (!errors.empty()) return errors.ToStatus();
  return spec;
}

absl::StatusOr<std::vector<NamedPool>> ParsePools(std::string_view text,
                                                  std::string_view file_name) {
  absl::StatusOr<YamlNode> document = ParseYaml(text, file_name);
  if (!document.ok()) return document.status();
  ConfigErrors errors(file_name);
  if (document->kind != YamlKind::kMap || document->entries.empty()) {
    errors.Add(std::max(document->line, 1),
               StrCat("found ", DescribeFound(*document),
                      ", expected a map of pools by name, each with listen, servers and more"));
  }
  std::vector<NamedPool> pools;
  for (YamlEntry& entry : document->entries) {
    const std::string name = entry.key.text;
    if (entry.key.kind != YamlKind::kScalar || !IsResourceName(name)) {
      errors.Add(entry.key.line,
                 StrCat("found ", DescribeFound(entry.key), ", expected ", kResourceNameForm));
    } else if (std::ranges::find(pools, name, &NamedPool::name) != pools.end()) {
      errors.Add(entry.key.line, StrCat("found pool '", name, "' a second time, expected once"));
    } else {
      pools.push_back({name, ReadDeclared(std::move(entry.value), entry.key.line, name, errors)});
    }
  }
  if (!errors.empty()) return errors.ToStatus();
  return pools;
}

std::string FormatPool(std::string_view name, const v1::PoolSpec& spec) {
  std::string text = StrCat(Quoted(name), ":");
  if (!spec.fleet().empty()) StrAppend(&text, "\n  fleet: ", Quoted(spec.fleet()));
  AppendFields(spec.policy(), "\n  ", text);
  text += "\n  servers:";
  for (const v1::ShardSpec& shard : spec.servers()) {
    StrAppend(&text, "\n    - ", ServerText(shard));
  }
  if (spec.guard().ByteSizeLong() > 0) {
    text += "\n  guard:";
    AppendFields(spec.guard(), "\n    ", text);
  }
  return text + '\n';
}

std::string FormatDeclaredPool(const v1::PoolSpec& spec) { return FormatPool(kDeclared, spec); }

absl::StatusOr<std::vector<ImportedPool>> ImportPools(std::string_view text,
                                                      std::string_view file_name) {
  const absl::StatusOr<Config> config = LoadConfig(text, file_name);
  if (!config.ok()) return config.status();
  const absl::StatusOr<YamlNode> file = ParseYaml(text, file_name);
  CHECK(file.ok());
  std::vector<ImportedPool> pools;
  ConfigErrors errors(file_name);
  for (const PoolConfig& pool : config->pools) {
    const YamlNode& map = *FindValue(*file, pool.name);
    CheckUtf8(map, Printable(pool.name), errors);
    pools.push_back({.name = pool.name, .spec = SpecOfMap(map), .redis_auth = pool.redis_auth});
  }
  if (!errors.empty()) return errors.ToStatus();
  return pools;
}

}  // namespace weir
