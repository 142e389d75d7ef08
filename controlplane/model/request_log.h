// The request ids that a pool remembers, so that a retry gets the same answer. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "google/protobuf/message.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

inline constexpr size_t kRememberedRequests = 64;

// Names `request`, its type included, save how it waits for the proxies: `options.wait` and
// `options.wait_timeout` make no other request of it.
std::string RequestFingerprint(const google::protobuf::Message& request);

// Null when the id is not remembered.
const v1::RecordedRequest* FindRequest(const v1::PoolRecord& record, const std::string& id);

// What the request was answered with; empty when its bytes are no plan.
v1::Plan AnsweredPlan(const v1::RecordedRequest& request);

// Adds it as the newest, forgetting the oldest beyond kRememberedRequests. REQUIRES: its id is not
// remembered.
void RememberRequest(v1::RecordedRequest request, v1::PoolRecord& record);

// 8-4-4-4-12 hex digits.
bool IsUuid(const std::string& text);

}  // namespace weir
