#include "proxy/config/shard_item.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kWeightForm = "a weight from 1 to 2147483647";

bool IsNameCharacter(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
}

bool IsLetterOrDigit(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }

// Null when the map has no such key.
const YamlNode* FindValue(const YamlNode& map, std::string_view key) {
  for (const YamlEntry& entry : map.entries) {
    if (entry.key.text == key) return &entry.value;
  }
  return nullptr;
}

}  // namespace

bool IsShardName(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::ranges::none_of(text, [](char c) {
    return absl::ascii_isspace(c) || absl::ascii_iscntrl(c);
  });
}

bool IsResourceName(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, IsNameCharacter) &&
         IsLetterOrDigit(text.front()) && IsLetterOrDigit(text.back());
}

bool IsSecretName(std::string_view text) {
  return !text.empty() && text.size() <= 253 && absl::ascii_isalnum(text.front()) &&
         std::ranges::all_of(text,
                             [](char c) { return absl::ascii_isupper(c) || IsNameCharacter(c); });
}

std::optional<ShardConfig> ReadShardItem(
    const YamlNode& item,
    absl::FunctionRef<void(const YamlNode& value, std::string_view expected)> expected) {
  ShardConfig shard;
  bool good = true;
  const auto refuse = [&](const YamlNode& value, std::string_view form) {
    good = false;
    expected(value, form);
  };
  const YamlNode* name = FindValue(item, "name");
  if (name == nullptr || !IsShardName(name->text)) {
    refuse(name == nullptr ? item : *name, kShardNameForm);
  } else {
    shard.name = shard.ring_name = name->text;
  }
  if (const YamlNode* value = FindValue(item, "endpoint")) {
    absl::StatusOr<Endpoint> endpoint = ParseEndpoint(value->text);
    if (endpoint.ok()) {
      shard.endpoint = *std::move(endpoint);
    } else {
      refuse(*value, FromAbsl(endpoint.status().message()));
    }
  }
  if (const YamlNode* value = FindValue(item, "weight")) {
    const std::optional<int32_t> weight = ParseInt<int32_t>(value->text);
    if (weight && *weight >= 1) {
      shard.weight = static_cast<uint32_t>(*weight);
    } else {
      refuse(*value, kWeightForm);
    }
  }
  if (!good) return std::nullopt;
  return shard;
}

}  // namespace weir
