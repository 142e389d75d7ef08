#include "controlplane/model/canonical.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "proxy/base/check.h"
#include "proxy/base/sha256.h"

namespace weir {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// What an encoded field begins with, behind its number.
enum class Kind : char { kNumber = 'n', kBytes = 'b', kMessage = 'm', kRepeated = 'r' };

void AppendNumber(uint64_t number, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift));
}

void AppendSized(std::string_view bytes, std::string& out) {
  AppendNumber(bytes.size(), out);
  out.append(bytes);
}

// Reads single fields, and elements of repeated ones, in the same way.
struct FieldReader {
  const Message& message;
  const FieldDescriptor& field;
  int index = -1;  // in a repeated field

  template <typename T>
  T Get(T (Reflection::*single)(const Message&, const FieldDescriptor*) const,
        T (Reflection::*repeated)(const Message&, const FieldDescriptor*, int) const) const {
    const Reflection& reflection = *message.GetReflection();
    return index < 0 ? (reflection.*single)(message, &field)
                     : (reflection.*repeated)(message, &field, index);
  }
};

std::string_view StringAt(const FieldReader& reader, std::string& scratch) {
  const Reflection& reflection = *reader.message.GetReflection();
  return reader.index < 0 ? reflection.GetStringReference(reader.message, &reader.field, &scratch)
                          : reflection.GetRepeatedStringReference(reader.message, &reader.field,
                                                                  reader.index, &scratch);
}

const Message& MessageAt(const FieldReader& reader) {
  const Reflection& reflection = *reader.message.GetReflection();
  return reader.index < 0
             ? reflection.GetMessage(reader.message, &reader.field)
             : reflection.GetRepeatedMessage(reader.message, &reader.field, reader.index);
}

uint64_t NumberAt(const FieldReader& reader) {
  using R = Reflection;
  switch (reader.field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return static_cast<uint64_t>(reader.Get(&R::GetInt32, &R::GetRepeatedInt32));
    case FieldDescriptor::CPPTYPE_INT64:
      return static_cast<uint64_t>(reader.Get(&R::GetInt64, &R::GetRepeatedInt64));
    case FieldDescriptor::CPPTYPE_UINT32:
      return reader.Get(&R::GetUInt32, &R::GetRepeatedUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reader.Get(&R::GetUInt64, &R::GetRepeatedUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return std::bit_cast<uint64_t>(reader.Get(&R::GetDouble, &R::GetRepeatedDouble));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return std::bit_cast<uint32_t>(reader.Get(&R::GetFloat, &R::GetRepeatedFloat));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reader.Get(&R::GetBool, &R::GetRepeatedBool) ? 1 : 0;
    case FieldDescriptor::CPPTYPE_ENUM:
      return static_cast<uint64_t>(reader.Get(&R::GetEnumValue, &R::GetRepeatedEnumValue));
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  CHECK(false);
}

std::string EncodeValue(const FieldReader& reader) {
  std::string out;
  switch (reader.field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      out.push_back(static_cast<char>(Kind::kBytes));
      AppendSized(StringAt(reader, scratch), out);
      return out;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      out.push_back(static_cast<char>(Kind::kMessage));
      AppendSized(CanonicalEncoding(MessageAt(reader)), out);
      return out;
    default:
      out.push_back(static_cast<char>(Kind::kNumber));
      AppendNumber(NumberAt(reader), out);
      return out;
  }
}

std::string EncodeRepeated(const Message& message, const FieldDescriptor& field) {
  int size = message.GetReflection()->FieldSize(message, &field);
  std::vector<std::string> elements;
  elements.reserve(static_cast<size_t>(size));
  for (int i = 0; i < size; ++i) elements.push_back(EncodeValue({message, field, i}));
  std::ranges::sort(elements);
  std::string out(1, static_cast<char>(Kind::kRepeated));
  AppendNumber(elements.size(), out);
  for (const std::string& element : elements) out += element;
  return out;
}

}  // namespace

std::string CanonicalEncoding(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);  // those that are set
  std::ranges::sort(fields, {}, &FieldDescriptor::number);
  std::string out;
  for (const FieldDescriptor* field : fields) {
    CHECK(!field->is_map());
    AppendNumber(static_cast<uint64_t>(field->number()), out);
    out += field->is_repeated() ? EncodeRepeated(message, *field) : EncodeValue({message, *field});
  }
  return out;
}

std::string ShortHash(std::string_view bytes) {
  constexpr size_t kDigits = 16;
  return Sha256Hex(bytes).substr(0, kDigits);
}

std::string ContentVersion(const Message& message) { return ShortHash(CanonicalEncoding(message)); }

}  // namespace weir
