#include "tests/benchmark/workload.h"

#include <nlohmann/json.hpp>

#include "proxy/base/strings.h"
#include "tests/benchmark/payload.h"

namespace weir::benchmark {
namespace {

using Json = nlohmann::json;

constexpr uint32_t kMaxConnections = 60'000;
constexpr uint32_t kMaxPipeline = 10'000;
constexpr uint32_t kMaxWeight = 1'000;
constexpr uint32_t kMaxMgetKeys = 100;
constexpr uint32_t kMaxKeys = 10'000'000;
constexpr uint32_t kMaxRate = 10'000'000;

// Takes one number out of `object`; an absent key leaves `value` as it is.
absl::Status Take(Json& object, const char* key, uint32_t min, uint32_t max, uint32_t* value) {
  auto found = object.find(key);
  if (found == object.end()) return absl::OkStatus();
  if (!found->is_number_unsigned() || found->get<uint64_t>() < min ||
      found->get<uint64_t>() > max) {
    return InvalidArgument(key, ": want a number from ", min, " to ", max, ", not ", found->dump());
  }
  *value = found->get<uint32_t>();
  object.erase(found);
  return absl::OkStatus();
}

absl::Status RefuseRest(const Json& object) {
  if (object.empty()) return absl::OkStatus();
  return InvalidArgument(object.begin().key(), ": unknown key");
}

absl::Status ParseMix(Json& group, Mix* mix) {
  auto found = group.find("mix");
  if (found == group.end() || !found->is_object()) return InvalidArgument("mix: want an object");
  for (auto [key, weight] :
       {std::pair("get", &mix->get), {"set", &mix->set}, {"mget", &mix->mget}}) {
    if (absl::Status status = Take(*found, key, 0, kMaxWeight, weight); !status.ok()) return status;
  }
  if (absl::Status status = RefuseRest(*found); !status.ok()) return status;
  if (mix->total() == 0) return InvalidArgument("mix: all weights are 0");
  group.erase(found);
  return absl::OkStatus();
}

absl::Status ParseGroup(Json group, GroupSpec* spec) {
  if (!group.is_object()) return InvalidArgument("want an object");
  auto name = group.find("name");
  if (name == group.end() || !name->is_string()) return InvalidArgument("name: want a string");
  spec->name = name->get<std::string>();
  group.erase(name);
  if (auto idle = group.find("idle"); idle != group.end()) {
    if (!idle->is_boolean()) return InvalidArgument("idle: want true or false");
    spec->idle = idle->get<bool>();
    group.erase(idle);
  }
  struct Number {
    const char* key;
    uint32_t min, max;
    uint32_t* value;
  };
  for (const Number& number : {
           Number{"connections", 1, kMaxConnections, &spec->connections},
           Number{"pipeline", 1, kMaxPipeline, &spec->pipeline},
           Number{"mget_keys", 1, kMaxMgetKeys, &spec->mget_keys},
           Number{"value_size", kMinValueSize, kMaxValueSize, &spec->value_size},
           Number{"keys", 1, kMaxKeys, &spec->keys},
           Number{"rate", 1, kMaxRate, &spec->rate},
       }) {
    absl::Status status = Take(group, number.key, number.min, number.max, number.value);
    if (!status.ok()) return status;
  }
  if (absl::Status status = ParseMix(group, &spec->mix); !status.ok()) return status;
  if (spec->connections == 0) return InvalidArgument("connections: missing");
  if (spec->value_size == 0) return InvalidArgument("value_size: missing");
  return RefuseRest(group);
}

}  // namespace

absl::StatusOr<Workload> ParseWorkload(std::string_view text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return InvalidArgument("workload: want a JSON object");
  auto groups = json.find("groups");
  if (groups == json.end() || !groups->is_array() || groups->empty()) {
    return InvalidArgument("groups: want a list");
  }
  Workload workload;
  for (const Json& group : *groups) {
    GroupSpec spec;
    if (absl::Status status = ParseGroup(group, &spec); !status.ok()) {
      return InvalidArgument("groups[", workload.groups.size(), "].", FromAbsl(status.message()));
    }
    if (!workload.groups.empty() && workload.groups.front().idle != spec.idle) {
      return InvalidArgument("groups: idle and busy groups do not mix");
    }
    workload.groups.push_back(std::move(spec));
  }
  return workload;
}

}  // namespace weir::benchmark
