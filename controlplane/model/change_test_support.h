// For tests of changes: one pool, to which requests are made one after the other, as a server with
// its store would make them.
#pragma once

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "controlplane/model/change.h"
#include "controlplane/model/etag.h"
#include "controlplane/model/pool_changes.h"
#include "proxy/base/strings.h"

namespace weir {

// "a b*2" → shards at "host-a:6379" and so on.
inline v1::PoolSpec SpecWith(const std::string& shards) {
  v1::PoolSpec spec;
  spec.mutable_policy()->set_listen("127.0.0.1:22121");
  std::istringstream words(shards);
  for (std::string word; words >> word;) {
    v1::ShardSpec& shard = *spec.add_servers();
    shard.set_name(word.substr(0, 1));
    shard.set_endpoint(StrCat("host-", shard.name(), ":6379"));
    if (word.size() > 1) shard.set_weight(static_cast<uint32_t>(word[2] - '0'));
  }
  return spec;
}

// The validator of these tests: a shard on port 0 is bad, and so is a timeout of 666.
inline std::vector<FieldViolation> RefusePortZero(const std::string& name,
                                                  const v1::PoolSpec& spec) {
  std::vector<FieldViolation> violations;
  if (name == "bad name") violations.push_back({.field = "name", .description = "has a space"});
  if (spec.policy().timeout() == 666) {
    violations.push_back({.field = "policy.timeout", .description = "no number for a timeout"});
  }
  for (int i = 0; i < spec.servers_size(); ++i) {
    if (!spec.servers(i).endpoint().ends_with(":0")) continue;
    violations.push_back({.field = StrCat("servers[", i, "].endpoint"), .description = "port 0"});
  }
  return violations;
}

class ChangedPool {
 public:
  // With the shards that SpecWith understands, and a guard that lets everything pass.
  explicit ChangedPool(const std::string& shards) {
    context.now.set_seconds(1000);
    context.actor = "alice";
    context.origin = "api 127.0.0.1";
    context.new_uid = "uid-1";
    context.validate = RefusePortZero;
    v1::CreatePoolRequest request;
    request.set_name("alpha");
    *request.mutable_spec() = SpecWith(shards);
    request.mutable_spec()->mutable_guard()->set_max_moved_fraction(1);
    Made(CreatePool(nullptr, request, context));
  }

  // Options with the right etag.
  v1::ChangeOptions Fresh() const {
    v1::ChangeOptions options;
    options.set_etag(EtagOf(record));
    return options;
  }

  // Takes a result that must be good as the server does: writes the record if it is to be written.
  Change Made(ChangeResult result) {
    if (!result.ok()) {
      ADD_FAILURE() << result.error().message;
      return {};
    }
    if (result.change().write) record = result.change().record;
    return result.change();
  }

  // The slots in force as "a b*2 c!", ! for draining.
  std::string InForce() const {
    std::string text;
    for (const v1::Slot& slot : record.shard_map().slots()) {
      StrAppend(&text, text.empty() ? "" : " ", slot.name());
      if (slot.weight() != 1) StrAppend(&text, "*", slot.weight());
      if (slot.state() == v1::SLOT_DRAINING) text += "!";
    }
    return text;
  }

  v1::PoolRecord record;
  ChangeContext context;
};

inline constexpr char kRequestId[] = "123e4567-e89b-12d3-a456-426614174000";

// The fields that a result complains of, apart by spaces.
inline std::string BadFields(const ChangeResult& result) {
  std::string fields;
  if (result.ok()) return fields;
  for (const FieldViolation& violation : result.error().violations) {
    StrAppend(&fields, fields.empty() ? "" : " ", violation.field);
  }
  return fields;
}

inline absl::StatusCode CodeOf(const ChangeResult& result) {
  return result.ok() ? absl::StatusCode::kOk : result.error().code;
}

}  // namespace weir
