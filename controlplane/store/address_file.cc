#include "controlplane/store/address_file.h"

#include "nlohmann/json.hpp"
#include "proxy/base/durable_file.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using Json = nlohmann::json;

constexpr char kName[] = "addresses.json";
// Beside the endpoints, of which each has a colon.
constexpr char kKept[] = "kept";
constexpr size_t kMaxBytes = 64 << 20;

bool IsListOfTexts(const Json& json) {
  if (!json.is_array()) return false;
  for (const Json& item : json) {
    if (!item.is_string()) return false;
  }
  return true;
}

// Takes the addresses by name out of an object; false: it is something else.
bool ReadLists(const Json& json, ResolvedAddresses& lists) {
  if (!json.is_object()) return false;
  for (const auto& [name, addresses] : json.items()) {
    if (!IsListOfTexts(addresses)) return false;
    lists[name] = addresses.get<std::vector<std::string>>();
  }
  return true;
}

bool ReadKept(const Json& json, KeptAddresses& kept) {
  if (!json.is_object()) return false;
  for (const auto& [pool, shards] : json.items()) {
    if (!ReadLists(shards, kept[pool])) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<KnownAddresses> ReadAddressFile(const std::string& directory) {
  const std::string path = StrCat(directory, "/", kName);
  const absl::StatusOr<std::string> text = ReadWholeFile(path, kMaxBytes);
  if (absl::IsNotFound(text.status())) return KnownAddresses();
  if (!text.ok()) return text.status();
  Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  KnownAddresses known;
  bool good = json.is_object();
  if (good && json.contains(kKept)) {
    good = ReadKept(json[kKept], known.kept);
    json.erase(kKept);
  }
  if (!good || !ReadLists(json, known.resolved)) {
    return absl::DataLossError(
        StrCat(path, ": expected a JSON object with a list of addresses for each endpoint"));
  }
  return known;
}

absl::Status WriteAddressFile(const std::string& directory, const KnownAddresses& known) {
  Json json = Json::object();
  for (const auto& [endpoint, addresses] : known.resolved) json[endpoint] = addresses;
  for (const auto& [pool, shards] : known.kept) json[kKept][pool] = shards;
  return WriteFileDurably(directory, kName, StrCat(json.dump(1), "\n"));
}

}  // namespace weir
