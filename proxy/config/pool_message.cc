#include "proxy/config/pool_message.h"

#include <utility>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "proxy/base/strings.h"
#include "proxy/config/config_errors.h"
#include "proxy/config/pool_reader.h"
#include "proxy/config/shard_item.h"
#include "proxy/config/yaml_tree.h"

namespace weir {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;

constexpr int kRootPath = 0;

// Turns messages into the tree that a file is parsed into. Where a file has line numbers, a node
// has the index of its field's path.
class TreeOfMessage {
 public:
  TreeOfMessage() : paths_{""} {}

  YamlEntry Entry(std::string_view key, YamlNode value) {
    YamlNode key_node;
    key_node.kind = YamlKind::kScalar;
    key_node.line = value.line;
    key_node.text = key;
    return {std::move(key_node), std::move(value)};
  }

  // The text `text` under `key` in the map at `path`.
  YamlEntry Leaf(std::string_view path, std::string_view key, std::string_view text) {
    return Entry(key, Scalar(Below(path, key), std::string(text)));
  }

  // The fields of `message` that are set, under their names.
  YamlNode Map(std::string_view path, const Message& message) {
    YamlNode map = NodeAt(YamlKind::kMap, std::string(path));
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      YamlNode value = Value(Below(path, field->name()), message, *field);
      map.entries.push_back(Entry(field->name(), std::move(value)));
    }
    return map;
  }

  YamlNode List(std::string path, std::vector<YamlNode> items) {
    YamlNode list = NodeAt(YamlKind::kSequence, std::move(path));
    list.items = std::move(items);
    return list;
  }

  std::span<const std::string> paths() const { return paths_; }

 private:
  static std::string Below(std::string_view path, std::string_view field) {
    return path.empty() ? std::string(field) : StrCat(path, ".", field);
  }

  YamlNode Scalar(std::string path, std::string text) {
    YamlNode node = NodeAt(YamlKind::kScalar, std::move(path));
    node.text = std::move(text);
    return node;
  }

  YamlNode NodeAt(YamlKind kind, std::string path) {
    YamlNode node;
    node.kind = kind;
    node.line = static_cast<int>(paths_.size());
    paths_.push_back(std::move(path));
    return node;
  }

  YamlNode Value(std::string path, const Message& message, const FieldDescriptor& field) {
    const Reflection& reflection = *message.GetReflection();
    if (field.is_repeated()) {  // of messages: PoolPolicy has no other lists
      std::vector<YamlNode> items;
      for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
        items.push_back(
            Map(StrCat(path, "[", i, "]"), reflection.GetRepeatedMessage(message, &field, i)));
      }
      return List(std::move(path), std::move(items));
    }
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return Scalar(std::move(path), reflection.GetString(message, &field));
      case FieldDescriptor::CPPTYPE_BOOL:
        return Scalar(std::move(path), reflection.GetBool(message, &field) ? "true" : "false");
      case FieldDescriptor::CPPTYPE_UINT32:
        return Scalar(std::move(path), std::to_string(reflection.GetUInt32(message, &field)));
      case FieldDescriptor::CPPTYPE_INT32:
        return Scalar(std::move(path), std::to_string(reflection.GetInt32(message, &field)));
      case FieldDescriptor::CPPTYPE_UINT64:
        return Scalar(std::move(path), std::to_string(reflection.GetUInt64(message, &field)));
      default:
        return Map(path, reflection.GetMessage(message, &field));
    }
  }

  std::vector<std::string> paths_;  // never empty; [kRootPath] is ""
};

// The trees of shards. What must be there is, so that an error has a path: a text that is not set
// is empty. A weight of 0 counts as not set in a ShardSpec.
YamlNode ShardNode(TreeOfMessage& tree, std::string_view path, const v1::ShardSpec& shard) {
  YamlNode map = tree.Map(path, shard);
  if (shard.name().empty()) map.entries.push_back(tree.Leaf(path, "name", ""));
  if (shard.endpoint().empty()) map.entries.push_back(tree.Leaf(path, "endpoint", ""));
  return map;
}

YamlNode ShardNode(TreeOfMessage& tree, std::string_view path, const v1::RingSlot& slot) {
  YamlNode map = tree.Map(path, slot);
  if (slot.name().empty()) map.entries.push_back(tree.Leaf(path, "name", ""));
  if (slot.weight() == 0) map.entries.push_back(tree.Leaf(path, "weight", "0"));
  return map;
}

// The path of a mistake: a key that is missing has no node of its own.
std::string PathOf(const ConfigMistake& mistake, std::span<const std::string> paths,
                   std::string_view shards_field) {
  if (mistake.line != kRootPath) return paths[mistake.line];
  if (mistake.key.empty()) return "";
  return mistake.key == "servers" ? std::string(shards_field) : StrCat("policy.", mistake.key);
}

template <typename Shards>
CheckedPool Read(std::string_view name, const v1::PoolPolicy& policy, std::string_view shards_field,
                 const Shards& shards) {
  TreeOfMessage tree;
  YamlEntry pool;
  pool.key.kind = YamlKind::kScalar;
  pool.key.line = kRootPath;
  pool.key.text = name;
  pool.value = tree.Map("policy", policy);
  std::vector<YamlNode> items;
  for (const auto& shard : shards) {
    items.push_back(ShardNode(tree, StrCat(shards_field, "[", items.size(), "]"), shard));
  }
  pool.value.entries.push_back(
      tree.Entry("servers", tree.List(std::string(shards_field), std::move(items))));

  ConfigErrors errors(tree.paths());
  CheckedPool checked{.pool = ReadPool(pool, PoolOrigin::kMessage, errors).pool, .errors = {}};
  for (const ConfigMistake& mistake : errors.mistakes()) {
    checked.errors.push_back({PathOf(mistake, tree.paths(), shards_field), mistake.what});
  }
  return checked;
}

std::string Found(std::string_view text) { return StrCat("found '", Printable(text), "'"); }

}  // namespace

absl::Status ToStatus(std::span<const FieldError> errors) {
  if (errors.empty()) return absl::OkStatus();
  std::string message;
  for (const FieldError& error : errors) {
    StrAppend(&message, message.empty() ? "" : "\n", error.field, ": ", error.what);
  }
  return InvalidArgument(message);
}

CheckedPool ReadPoolSpec(std::string_view name, const v1::PoolSpec& spec) {
  CheckedPool checked = Read(name, spec.policy(), "servers", spec.servers());
  if (!IsResourceName(name)) {
    checked.errors.push_back({"name", StrCat(Found(name), ", expected ", kResourceNameForm)});
  }
  if (!spec.fleet().empty() && !IsResourceName(spec.fleet())) {
    checked.errors.push_back(
        {"fleet", StrCat(Found(spec.fleet()), ", expected ", kResourceNameForm)});
  }
  for (FieldError& error : CheckGuard(spec.guard())) {
    checked.errors.push_back({StrCat("guard.", error.field), std::move(error.what)});
  }
  return checked;
}

CheckedPool ReadPoolResource(std::string_view name, const v1::PoolResource& resource,
                             std::string_view redis_auth) {
  CheckedPool checked = Read(name, resource.policy(), "slots", resource.slots());
  checked.pool.redis_auth = redis_auth;
  return checked;
}

std::vector<FieldError> CheckShard(const v1::ShardSpec& shard) {
  TreeOfMessage tree;
  std::vector<FieldError> errors;
  const YamlNode item = ShardNode(tree, "", shard);
  ReadShardItem(item, [&](const YamlNode& value, std::string_view expected) {
    errors.push_back({tree.paths()[value.line],
                      StrCat("found ", DescribeFound(value), ", expected ", expected)});
  });
  return errors;
}

std::vector<FieldError> CheckGuard(const v1::Guard& guard) {
  std::vector<FieldError> errors;
  const double fraction = guard.max_moved_fraction();
  if (guard.has_max_moved_fraction() && !(fraction >= 0 && fraction <= 1)) {
    errors.push_back(
        {"max_moved_fraction", StrCat("found ", fraction, ", expected a share from 0 to 1")});
  }
  if (guard.min_shards() > INT32_MAX) {
    errors.push_back({"min_shards", StrCat("found ", guard.min_shards(),
                                           ", expected a number from 0 to ", INT32_MAX)});
  }
  return errors;
}

}  // namespace weir
