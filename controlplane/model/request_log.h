// The request ids that a pool remembers, so that a retry gets the same answer. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "google/protobuf/message.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

// At most so many, and so many bytes, with the plans that they were answered with: they are written
// with every change. The newest is remembered whatever its size.
inline constexpr size_t kRememberedRequests = 64;
inline constexpr size_t kRememberedBytes = size_t{1} << 20;

// Names `request`, its type included, save how it waits for the proxies: `options.wait` and
// `options.wait_timeout` make no other request of it.
std::string RequestFingerprint(const google::protobuf::Message& request);

// Null when the id is not remembered.
const v1::RecordedRequest* FindRequest(const v1::PoolRecord& record, const std::string& id);

// What the request was answered with; empty when its bytes are no plan.
v1::Plan AnsweredPlan(const v1::RecordedRequest& request);

// Adds it as the newest, forgetting the oldest beyond these limits. REQUIRES: its id is not
// remembered.
void RememberRequest(v1::RecordedRequest request, v1::PoolRecord& record);

// 8-4-4-4-12 hex digits.
bool IsUuid(const std::string& text);

}  // namespace weir
