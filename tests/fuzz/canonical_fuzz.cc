// Any message in its canonical encoding. Messages of equal meaning have equal versions: written and
// read again, with repeated fields in another order, with fields of a later release. Any other
// value of any field is another version.
//
// An input is a byte for the type, one for the choices, then the message (fuzz_message.h).

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/model/canonical.h"
#include "google/protobuf/descriptor.h"
#include "proto/weir/v1/pool.pb.h"
#include "proxy/base/check.h"
#include "tests/fuzz/fuzz_message.h"
#include "tests/fuzz/fuzz_program.h"

namespace weir {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::vector<const FieldDescriptor*> SetFields(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

// Calls `visit` with every message below this one, itself included.
template <typename Visit>
void ForEachMessage(Message& message, const Visit& visit) {
  const Reflection& reflection = *message.GetReflection();
  for (const FieldDescriptor* field : SetFields(message)) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      ForEachMessage(*reflection.MutableMessage(&message, field), visit);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      ForEachMessage(*reflection.MutableRepeatedMessage(&message, field, i), visit);
    }
  }
  visit(message);
}

void Shuffle(Message& message, std::minstd_rand& random) {
  ForEachMessage(message, [&random](Message& each) {
    for (const FieldDescriptor* field : SetFields(each)) {
      if (!field->is_repeated()) continue;
      const int size = each.GetReflection()->FieldSize(each, field);
      for (int i = size - 1; i > 0; --i) {
        const int other = static_cast<int>(random() % static_cast<unsigned>(i + 1));
        each.GetReflection()->SwapElements(&each, field, i, other);
      }
    }
  });
}

void AddUnknownField(Message& message) {
  constexpr int kOfALaterRelease = 3999;
  message.GetReflection()->MutableUnknownFields(&message)->AddVarint(kOfALaterRelease, 7);
}

double NextDouble(double value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  bits ^= 1;
  std::memcpy(&value, &bits, sizeof(bits));
  return value;
}

// Gives a field that is set and not repeated another value; false for one that has messages.
bool ChangeSingle(Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      reflection.SetInt32(&message, field, reflection.GetInt32(message, field) ^ 1);
      return true;
    case FieldDescriptor::CPPTYPE_INT64:
      reflection.SetInt64(&message, field, reflection.GetInt64(message, field) ^ 1);
      return true;
    case FieldDescriptor::CPPTYPE_UINT32:
      reflection.SetUInt32(&message, field, reflection.GetUInt32(message, field) ^ 1);
      return true;
    case FieldDescriptor::CPPTYPE_UINT64:
      reflection.SetUInt64(&message, field, reflection.GetUInt64(message, field) ^ 1);
      return true;
    case FieldDescriptor::CPPTYPE_BOOL:
      reflection.SetBool(&message, field, !reflection.GetBool(message, field));
      return true;
    case FieldDescriptor::CPPTYPE_ENUM:
      reflection.SetEnumValue(&message, field, reflection.GetEnumValue(message, field) ^ 1);
      return true;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      reflection.SetDouble(&message, field, NextDouble(reflection.GetDouble(message, field)));
      return true;
    case FieldDescriptor::CPPTYPE_STRING:
      reflection.SetString(&message, field, reflection.GetString(message, field) + "x");
      return true;
    default:
      return false;
  }
}

// Gives one field below `message` another value, or takes an element away; false when none is set.
bool ChangeOne(Message& message, std::minstd_rand& random) {
  std::vector<std::pair<Message*, const FieldDescriptor*>> places;
  ForEachMessage(message, [&places](Message& each) {
    for (const FieldDescriptor* field : SetFields(each)) places.emplace_back(&each, field);
  });
  if (places.empty()) return false;
  auto [holder, field] = places[random() % places.size()];
  if (field->is_repeated()) {
    holder->GetReflection()->RemoveLast(holder, field);
  } else if (!ChangeSingle(*holder, field)) {
    holder->GetReflection()->ClearField(holder, field);
  }
  return true;
}

void Check(Message& message, uint32_t seed) {
  std::minstd_rand random(seed + 1);
  const std::string encoding = CanonicalEncoding(message);
  const std::string version = ContentVersion(message);
  CHECK_EQ(version.size(), 16);

  const std::unique_ptr<Message> same(message.New());
  // Text may have strings that are no UTF-8, which cannot be sent.
  if (!same->ParseFromString(message.SerializeAsString())) return;
  AddUnknownField(*same);
  Shuffle(*same, random);
  CHECK(CanonicalEncoding(*same) == encoding);
  CHECK(ContentVersion(*same) == version);

  if (!ChangeOne(*same, random)) return;
  CHECK(CanonicalEncoding(*same) != encoding);
  CHECK(ContentVersion(*same) != version);
}

template <typename Type>
void Run(FuzzProgram& program) {
  const uint32_t seed = program.Next();
  Type message;
  if (ReadFuzzMessage(program.Rest(), message)) Check(message, seed);
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::FuzzProgram program(data, size);
  switch (program.Next() % 4) {
    case 0:
      weir::Run<weir::v1::PoolSpec>(program);
      break;
    case 1:
      weir::Run<weir::v1::PoolResource>(program);
      break;
    case 2:
      weir::Run<weir::v1::EndpointsResource>(program);
      break;
    default:
      weir::Run<weir::v1::ShardMap>(program);
  }
  return 0;
}
