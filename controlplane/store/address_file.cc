#include "controlplane/store/address_file.h"

#include "nlohmann/json.hpp"
#include "proxy/base/durable_file.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using Json = nlohmann::json;

constexpr char kName[] = "addresses.json";
constexpr size_t kMaxBytes = 64 << 20;

bool IsListOfTexts(const Json& json) {
  if (!json.is_array()) return false;
  for (const Json& item : json) {
    if (!item.is_string()) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<ResolvedAddresses> ReadAddressFile(const std::string& directory) {
  const std::string path = StrCat(directory, "/", kName);
  const absl::StatusOr<std::string> text = ReadWholeFile(path, kMaxBytes);
  if (absl::IsNotFound(text.status())) return ResolvedAddresses();
  if (!text.ok()) return text.status();
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  ResolvedAddresses resolved;
  bool good = json.is_object();
  if (good) {
    for (const auto& [endpoint, addresses] : json.items()) {
      good = good && IsListOfTexts(addresses);
      if (good) resolved[endpoint] = addresses.get<std::vector<std::string>>();
    }
  }
  if (!good) {
    return absl::DataLossError(
        StrCat(path, ": expected a JSON object with a list of addresses for each endpoint"));
  }
  return resolved;
}

absl::Status WriteAddressFile(const std::string& directory, const ResolvedAddresses& resolved) {
  Json json = Json::object();
  for (const auto& [endpoint, addresses] : resolved) json[endpoint] = addresses;
  return WriteFileDurably(directory, kName, StrCat(json.dump(1), "\n"));
}

}  // namespace weir
