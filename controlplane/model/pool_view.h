// A pool as the admin API shows it. Pure.
#pragma once

#include "controlplane/model/resources.h"
#include "proto/weir/v1/pool.pb.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

// `resources` are those of `record`: the status shows their versions.
v1::Pool PoolView(const v1::PoolRecord& record, const PoolResources& resources);

}  // namespace weir
