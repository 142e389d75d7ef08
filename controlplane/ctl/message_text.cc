#include "controlplane/ctl/message_text.h"

#include "google/protobuf/util/json_util.h"
#include "proxy/base/check.h"
#include "yaml-cpp/yaml.h"

namespace weir {
namespace {

std::string Json(const google::protobuf::Message& message, bool in_lines) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = in_lines;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  CHECK(google::protobuf::util::MessageToJsonString(message, &text, options).ok());
  return text;
}

// JSON's tree in YAML's block style. Texts keep their quotes, so that none turns into a number.
void Emit(const YAML::Node& node, YAML::Emitter& emitter) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      if (node.size() == 0) emitter << YAML::Flow;
      emitter << YAML::BeginMap;
      for (const auto& entry : node) {
        emitter << YAML::Key << entry.first.Scalar() << YAML::Value;
        Emit(entry.second, emitter);
      }
      emitter << YAML::EndMap;
      return;
    case YAML::NodeType::Sequence:
      if (node.size() == 0) emitter << YAML::Flow;
      emitter << YAML::BeginSeq;
      for (const auto& item : node) Emit(item, emitter);
      emitter << YAML::EndSeq;
      return;
    default:
      if (node.Tag() == "!") emitter << YAML::DoubleQuoted;  // what yaml-cpp calls a quoted one
      emitter << node.Scalar();
  }
}

}  // namespace

std::string FormatMessage(const google::protobuf::Message& message, OutputFormat format) {
  std::string json = Json(message, true);
  if (format == OutputFormat::kJson) return json;
  YAML::Emitter emitter;
  Emit(YAML::Load(json), emitter);  // every JSON text is YAML
  return std::string(emitter.c_str()) + '\n';
}

std::string MessageLine(const google::protobuf::Message& message) {
  return Json(message, false) + '\n';
}

}  // namespace weir
