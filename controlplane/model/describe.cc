#include "controlplane/model/describe.h"

#include <memory>
#include <set>
#include <string_view>

#include "controlplane/model/canonical.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/text_format.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

// As a person would write it; "unset" when it is not set.
std::string ValueText(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  std::string text;
  if (field.is_repeated()) {
    int size = reflection.FieldSize(message, &field);
    return size == 0 ? "unset" : StrCat(size, size == 1 ? " item" : " items");
  }
  if (!reflection.HasField(message, &field)) return "unset";
  printer.PrintFieldValueToString(message, &field, -1, &text);
  return text;
}

// Only this field of `message`, encoded.
std::string FieldEncoding(const Message& message, const FieldDescriptor& field) {
  std::unique_ptr<Message> copy(message.New());
  std::unique_ptr<Message> only(message.New());
  copy->CopyFrom(message);
  copy->GetReflection()->SwapFields(copy.get(), only.get(), {&field});
  return CanonicalEncoding(*only);
}

void DescribeFields(std::string_view prefix, const Message& before, const Message& after,
                    std::vector<std::string>& lines) {
  const auto& descriptor = *before.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    if (FieldEncoding(before, field) == FieldEncoding(after, field)) continue;
    lines.push_back(StrCat(prefix, field.name(), ": ", ValueText(before, field), " -> ",
                           ValueText(after, field)));
  }
}

std::string StateName(v1::SlotState state) {
  switch (state) {
    case v1::SLOT_PENDING:
      return "pending";
    case v1::SLOT_ACTIVE:
      return "active";
    case v1::SLOT_DRAINING:
      return "draining";
    case v1::SLOT_EXCLUDED:
      return "excluded";
    default:
      return "unknown";
  }
}

void DescribeSlot(const v1::Slot& before, const v1::Slot& after, std::vector<std::string>& lines) {
  if (before.weight() != after.weight()) {
    lines.push_back(
        StrCat("shard ", after.name(), ": weight ", before.weight(), " -> ", after.weight()));
  }
  if (before.endpoint() != after.endpoint()) {
    lines.push_back(
        StrCat("shard ", after.name(), ": endpoint ", before.endpoint(), " -> ", after.endpoint()));
  }
  if (before.state() != after.state()) {
    lines.push_back(StrCat("shard ", after.name(), ": ", StateName(before.state()), " -> ",
                           StateName(after.state())));
  }
}

void DescribeSlots(const Slots& before, const Slots& after, std::vector<std::string>& lines) {
  const SlotsByName old_slots = IndexByName(before);
  const SlotsByName new_slots = IndexByName(after);
  std::set<std::string_view> names;
  for (const v1::Slot& slot : before) names.insert(slot.name());
  for (const v1::Slot& slot : after) names.insert(slot.name());
  for (const std::string_view name : names) {
    const auto old_slot = old_slots.find(name);
    const auto new_slot = new_slots.find(name);
    if (new_slot == new_slots.end()) {
      lines.push_back(StrCat("remove shard ", name));
    } else if (old_slot == old_slots.end()) {
      lines.push_back(StrCat("add shard ", name, " (", new_slot->second->endpoint(), ", weight ",
                             new_slot->second->weight(), ")",
                             new_slot->second->state() == v1::SLOT_PENDING
                                 ? ", off the ring until that has an address"
                                 : ""));
    } else {
      DescribeSlot(*old_slot->second, *new_slot->second, lines);
    }
  }
}

v1::PoolSpec OnlyServers(const v1::PoolSpec& spec) {
  v1::PoolSpec only;
  *only.mutable_servers() = spec.servers();
  return only;
}

}  // namespace

std::vector<std::string> DescribeChange(const v1::PoolSpec& spec_before, const Slots& slots_before,
                                        const v1::PoolSpec& spec_after, const Slots& slots_after) {
  std::vector<std::string> lines;
  if (spec_before.fleet() != spec_after.fleet()) {
    lines.push_back(StrCat("fleet: \"", spec_before.fleet(), "\" -> \"", spec_after.fleet(), "\""));
  }
  DescribeFields("guard.", spec_before.guard(), spec_after.guard(), lines);
  DescribeFields("policy.", spec_before.policy(), spec_after.policy(), lines);
  const size_t without_slots = lines.size();
  DescribeSlots(slots_before, slots_after, lines);
  if (lines.size() == without_slots &&
      CanonicalEncoding(OnlyServers(spec_before)) != CanonicalEncoding(OnlyServers(spec_after))) {
    lines.push_back("servers: declared anew; no shard in force changes");
  }
  if (lines.size() > kMostLines) {
    const size_t more = lines.size() - (kMostLines - 1);
    lines.resize(kMostLines - 1);
    lines.push_back(StrCat("and ", more, " more"));
  }
  return lines;
}

}  // namespace weir
