// A pool as the admin API shows it. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "controlplane/model/pending.h"
#include "controlplane/model/resources.h"
#include "proto/weir/v1/pool.pb.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

// What there is beside the record. Null: everything is there.
struct Knowledge {
  HasAddress has_address;  // of an endpoint
  std::function<bool(const std::string& name)> has_secret;
};

// `resources` are those of `record`: the status shows their versions.
v1::Pool PoolView(const v1::PoolRecord& record, const PoolResources& resources,
                  const Knowledge& known);

// The lines of its status.waiting.
std::vector<std::string> WaitLines(const v1::PoolRecord& record, const PoolResources& resources,
                                   const Knowledge& known);

}  // namespace weir
