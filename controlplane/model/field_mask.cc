#include "controlplane/model/field_mask.h"

#include <memory>
#include <vector>

#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"

namespace weir {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::Message;

// The fields along `path`; empty when it names none.
std::vector<const FieldDescriptor*> Resolve(const std::string& path, const Descriptor* type) {
  std::vector<const FieldDescriptor*> fields;
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(path, '.'))) {
    const FieldDescriptor* field = type == nullptr ? nullptr : type->FindFieldByName(name);
    if (field == nullptr) return {};
    fields.push_back(field);
    type = field->is_repeated() ? nullptr : field->message_type();
  }
  return fields;
}

}  // namespace

std::optional<std::string> FindBadPath(const FieldMask& mask, const Message& message) {
  for (const std::string& path : mask.paths()) {
    if (Resolve(path, message.GetDescriptor()).empty()) return path;
  }
  return std::nullopt;
}

void ApplyMask(const FieldMask& mask, const Message& from, Message& to) {
  if (mask.paths().empty()) {
    to.CopyFrom(from);
    return;
  }
  for (const std::string& path : mask.paths()) {
    std::vector<const FieldDescriptor*> fields = Resolve(path, to.GetDescriptor());
    if (fields.empty()) continue;
    std::unique_ptr<Message> source(from.New());
    source->CopyFrom(from);
    Message* from_parent = source.get();
    Message* to_parent = &to;
    for (size_t i = 0; i + 1 < fields.size(); ++i) {
      from_parent = from_parent->GetReflection()->MutableMessage(from_parent, fields[i]);
      to_parent = to_parent->GetReflection()->MutableMessage(to_parent, fields[i]);
    }
    to_parent->GetReflection()->SwapFields(to_parent, from_parent, {fields.back()});
  }
}

}  // namespace weir
