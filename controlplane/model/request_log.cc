#include "controlplane/model/request_log.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "controlplane/model/canonical.h"
#include "google/protobuf/descriptor.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using google::protobuf::Message;

void ClearField(Message& message, const char* name) {
  const auto* field = message.GetDescriptor()->FindFieldByName(name);
  if (field != nullptr) message.GetReflection()->ClearField(&message, field);
}

}  // namespace

std::string RequestFingerprint(const Message& request) {
  std::unique_ptr<Message> copy(request.New());
  copy->CopyFrom(request);
  const auto* options = copy->GetDescriptor()->FindFieldByName("options");
  if (options != nullptr && copy->GetReflection()->HasField(*copy, options)) {
    Message& of_request = *copy->GetReflection()->MutableMessage(copy.get(), options);
    ClearField(of_request, "wait");
    ClearField(of_request, "wait_timeout");
  }
  return ShortHash(StrCat(copy->GetDescriptor()->full_name(), "\n", CanonicalEncoding(*copy)));
}

const v1::RecordedRequest* FindRequest(const v1::PoolRecord& record, const std::string& id) {
  auto found = std::ranges::find(record.requests(), id, &v1::RecordedRequest::id);
  return found == record.requests().end() ? nullptr : &*found;
}

v1::Plan AnsweredPlan(const v1::RecordedRequest& request) {
  v1::Plan plan;
  // It fails only where somebody changed a record together with its checksum.
  if (!plan.ParseFromString(request.plan())) return {};
  return plan;
}

void RememberRequest(v1::RecordedRequest request, v1::PoolRecord& record) {
  DCHECK(FindRequest(record, request.id()) == nullptr);
  auto& requests = *record.mutable_requests();
  *requests.Add() = std::move(request);
  size_t bytes = 0;
  int kept = 0;
  for (auto newest = requests.rbegin(); newest != requests.rend(); ++newest) {
    bytes += newest->ByteSizeLong();
    const bool fits = kept < static_cast<int>(kRememberedRequests) && bytes <= kRememberedBytes;
    if (kept > 0 && !fits) break;
    ++kept;
  }
  requests.DeleteSubrange(0, requests.size() - kept);
}

bool IsUuid(const std::string& text) {
  constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(text, kShape, [](char c, char shape) {
    return shape == 'x' ? absl::ascii_isxdigit(static_cast<unsigned char>(c)) : c == '-';
  });
}

}  // namespace weir
