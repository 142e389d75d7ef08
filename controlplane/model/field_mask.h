// Updates of a part of a message, as a field mask names it. Pure.
#pragma once

#include <optional>
#include <string>

#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/message.h"

namespace weir {

// The first path of `mask` that names no field of `message`'s type ("policy.timeout"), or one
// within a repeated field; nothing when all are good.
std::optional<std::string> FindBadPath(const google::protobuf::FieldMask& mask,
                                       const google::protobuf::Message& message);

// Makes what `mask` names in `to` as it is in `from`: set, not set, and repeated fields whole. An
// empty mask names everything. REQUIRES: both of one type, FindBadPath finds nothing.
void ApplyMask(const google::protobuf::FieldMask& mask, const google::protobuf::Message& from,
               google::protobuf::Message& to);

}  // namespace weir
