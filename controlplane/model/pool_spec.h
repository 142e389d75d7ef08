// Two spellings of one declaration are one declaration: specs in the form in which they are kept
// and compared. Pure, any thread.
#pragma once

#include <string>

#include "proto/weir/v1/pool.pb.h"

namespace weir {

// An endpoint in the form that FormatEndpoint writes ("10.0.0.1:06379" is "10.0.0.1:6379"); one
// that cannot be parsed stays as it is, for the validator to refuse.
std::string NormalisedEndpoint(const std::string& endpoint);

// Weights as they count, endpoints as above, no guard that says nothing.
v1::PoolSpec Normalised(v1::PoolSpec spec);

// Whether both declare the same: however they spell it, and in whatever order shards and commands
// stand.
bool IsSameSpec(const v1::PoolSpec& a, const v1::PoolSpec& b);

}  // namespace weir
