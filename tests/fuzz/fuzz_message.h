// Protocol buffers from a fuzzer's input: as text, which seeds can be written in, or as bytes.
#pragma once

#include <string>
#include <string_view>

#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace weir {

// False when `input` is neither.
template <typename Message>
bool ReadFuzzMessage(std::string_view input, Message& message) {
  class Silent : public google::protobuf::io::ErrorCollector {
    void AddError(int, int, const std::string&) override {}
  } errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  return parser.ParseFromString(std::string(input), &message) ||
         message.ParseFromArray(input.data(), static_cast<int>(input.size()));
}

}  // namespace weir
