// Etags: opaque names of a pool's exact state, against lost updates. Pure.
#pragma once

#include <string>

#include "proto/weir/v1/record.pb.h"

namespace weir {

// Of uid and both generations, so that a pool that was deleted and created again, and every change
// of declaration or membership, has another one. A change that is held changes no etag. Compared
// for equality only.
std::string EtagOf(const v1::PoolRecord& record);

}  // namespace weir
