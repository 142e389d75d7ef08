#include "proxy/config/pool_reader.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "proxy/base/strings.h"
#include "proxy/base/utf8.h"
#include "proxy/config/address.h"
#include "proxy/config/config_keys.h"
#include "proxy/config/did_you_mean.h"
#include "proxy/config/pool_limits.h"
#include "proxy/config/servable.h"
#include "proxy/config/shard_item.h"
#include "proxy/hashing/ring_shard.h"

namespace weir {
namespace {

// Numbers of a configuration are C ints in twemproxy; 2^31 - 1 ms are 24 days.
constexpr int64_t kMaxInt = INT32_MAX;
constexpr int64_t kMaxBytes = int64_t{1} << 50;
// For digits that no type holds; beyond what any key takes.
constexpr int64_t kTooLarge = std::numeric_limits<int64_t>::max();

std::optional<int64_t> ParseDecimal(const YamlNode& value) {
  if (value.kind != YamlKind::kScalar || value.text.empty()) return std::nullopt;
  const std::optional<int64_t> number = ParseInt<int64_t>(value.text);
  const bool is_digits = value.text.find_first_not_of("0123456789") == std::string::npos;
  return !number && is_digits ? kTooLarge : number;
}

// Reads the keys of one pool, then looks at those that depend on each other.
class PoolReader {
 public:
  PoolReader(const YamlNode& name, PoolOrigin origin, ConfigErrors& errors)
      : errors_(errors), origin_(origin), line_(name.line) {
    pool_.name = name.text;
    pool_.place.text = errors.Place(name.line);
    shown_name_ = Printable(name.text);
  }

  void ReadKeys(const YamlNode& map);
  void CheckTogether();

  const std::string& shown_name() const { return shown_name_; }
  PoolFromFile Take() {
    return {.pool = std::move(pool_), .line = line_, .listen_line = GoodLine("listen")};
  }

 private:
  struct Handler {
    std::string_view name;
    void (PoolReader::*read)(const YamlNode& value);
  };
  static const Handler kHandlers[];
  const Handler* FindHandler(std::string_view name) const;

  // --- errors, about the key being read ---
  void Fail(int line, std::string_view what) {
    bad_keys_.insert(key_);
    errors_.Add(line, shown_name_, key_, what);
  }
  void Expected(const YamlNode& value, std::string_view expected) {
    Fail(value.line, StrCat("found ", DescribeFound(value), ", expected ", expected));
  }
  void UnknownKey(const YamlNode& key, std::string_view pool_or_item,
                  std::span<const KeySpec> known);

  // The line of a key that is present and good; else 0.
  int GoodLine(std::string_view key) const {
    const auto found = lines_.find(key);
    return found == lines_.end() || bad_keys_.contains(found->first) ? 0 : found->second;
  }
  bool IsBad(std::string_view key) const { return bad_keys_.contains(key); }

  // --- values ---
  std::optional<std::string_view> Scalar(const YamlNode& value, std::string_view expected);
  // A number in [min, max]; `kind` is what it counts, for the error.
  std::optional<int64_t> Number(const YamlNode& value, std::string_view kind, int64_t min,
                                int64_t max);

  template <bool PoolConfig::* field>
  void Bool(const YamlNode& value);
  template <uint32_t PoolConfig::* field, int64_t min>
  void Count(const YamlNode& value);
  template <absl::Duration PoolConfig::* field, int64_t min>
  void Milliseconds(const YamlNode& value);
  template <uint64_t PoolConfig::* field, int64_t min>
  void Bytes(const YamlNode& value);
  // The same, or 0 for no limit.
  template <uint64_t PoolConfig::* field, int64_t min>
  void BytesOrNone(const YamlNode& value);

  // One of `names`, which `parse` turns into a value.
  template <typename T, typename Parse>
  void OneOf(const YamlNode& value, std::span<const std::string_view> names, Parse parse, T& field);

  // --- keys of their own kind ---
  void Listen(const YamlNode& value);
  void Hash(const YamlNode& value);
  void HashTagKey(const YamlNode& value);
  void DistributionKey(const YamlNode& value);
  void Timeout(const YamlNode& value);
  void RedisAuth(const YamlNode& value);
  void RedisAuthSecret(const YamlNode& value);
  void ServerFailureLimit(const YamlNode& value);
  void Servers(const YamlNode& value);
  std::optional<ShardConfig> Server(const YamlNode& item);
  void HashChar(const YamlNode& value);
  void MaxEjectedPercent(const YamlNode& value);
  void MissingShardKey(const YamlNode& value);
  void PartialMgetKey(const YamlNode& value);
  void Commands(const YamlNode& value);
  void Command(const YamlNode& item);
  bool CommandKey(const YamlEntry& entry, CommandConfig& command, bool& has_last_key);

  // --- checks of keys together ---
  void RequireKeys();
  void CheckRedisOnlyKeys();
  void CheckServed();
  void CheckLimits();
  void WarnOfTwemproxy();

  ConfigErrors& errors_;
  const PoolOrigin origin_;
  const int line_;
  std::string shown_name_;
  PoolConfig pool_;
  bool has_secret_ = false;
  std::string_view key_;                                // being read; of kPoolKeys
  std::map<std::string_view, int> lines_;               // of every key that was seen
  std::set<std::string_view> bad_keys_;                 // whose value was refused
  std::map<std::string, int, std::less<>> ring_lines_;  // of every server
};

// In the order of kPoolKeys.
const PoolReader::Handler PoolReader::kHandlers[] = {
    {"listen", &PoolReader::Listen},
    {"hash", &PoolReader::Hash},
    {"hash_tag", &PoolReader::HashTagKey},
    {"distribution", &PoolReader::DistributionKey},
    {"timeout", &PoolReader::Timeout},
    {"backlog", &PoolReader::Count<&PoolConfig::backlog, 0>},
    {"client_connections", &PoolReader::Count<&PoolConfig::client_connections, 0>},
    {"tcpkeepalive", &PoolReader::Bool<&PoolConfig::tcpkeepalive>},
    {"reuseport", &PoolReader::Bool<&PoolConfig::reuseport>},
    {"preconnect", &PoolReader::Bool<&PoolConfig::preconnect>},
    {"redis", &PoolReader::Bool<&PoolConfig::redis>},
    {"redis_auth", &PoolReader::RedisAuth},
    {"redis_db", &PoolReader::Count<&PoolConfig::redis_db, 0>},
    {"server_connections", &PoolReader::Count<&PoolConfig::server_connections, 1>},
    {"auto_eject_hosts", &PoolReader::Bool<&PoolConfig::auto_eject_hosts>},
    {"server_retry_timeout", &PoolReader::Milliseconds<&PoolConfig::server_retry_timeout, 0>},
    {"server_failure_limit", &PoolReader::ServerFailureLimit},
    {"servers", &PoolReader::Servers},
    {"hash_char", &PoolReader::HashChar},
    {"large_request", &PoolReader::Bytes<&PoolConfig::large_request, 1024>},
    {"max_request", &PoolReader::Bytes<&PoolConfig::max_request, 1024>},
    {"session_output_limit", &PoolReader::Bytes<&PoolConfig::session_output_limit, 65536>},
    {"pool_output_limit", &PoolReader::BytesOrNone<&PoolConfig::pool_output_limit, 65536>},
    {"max_leases", &PoolReader::Count<&PoolConfig::max_leases, 1>},
    {"shard_silence_limit", &PoolReader::Milliseconds<&PoolConfig::shard_silence_limit, 1>},
    {"progress_limit", &PoolReader::Milliseconds<&PoolConfig::progress_limit, 1>},
    {"max_ejected_percent", &PoolReader::MaxEjectedPercent},
    {"missing_shard", &PoolReader::MissingShardKey},
    {"partial_mget", &PoolReader::PartialMgetKey},
    {"allow_flush", &PoolReader::Bool<&PoolConfig::allow_flush>},
    {"commands", &PoolReader::Commands},
    {"resolve_interval", &PoolReader::Milliseconds<&PoolConfig::resolve_interval, 0>},
};

const PoolReader::Handler* PoolReader::FindHandler(std::string_view name) const {
  static constexpr Handler kSecret = {"redis_auth_secret", &PoolReader::RedisAuthSecret};
  if (origin_ != PoolOrigin::kFile && name == kSecret.name) return &kSecret;
  const auto found = std::ranges::find(kHandlers, name, &Handler::name);
  return found == std::end(kHandlers) ? nullptr : found;
}

void PoolReader::ReadKeys(const YamlNode& map) {
  for (const YamlEntry& entry : map.entries) {
    if (entry.key.kind != YamlKind::kScalar) {
      errors_.Add(entry.key.line, shown_name_,
                  StrCat("found ", DescribeFound(entry.key), ", expected the name of a key"));
      continue;
    }
    const Handler* handler = FindHandler(entry.key.text);
    if (handler == nullptr) {
      UnknownKey(entry.key, StrCat("key '", Printable(entry.key.text), "'"), kPoolKeys);
      continue;
    }
    key_ = handler->name;
    const auto [seen, is_new] = lines_.emplace(key_, entry.key.line);
    if (!is_new) {
      Fail(entry.key.line,
           StrCat("found a second time, expected once (first on line ", seen->second, ")"));
      continue;
    }
    (this->*handler->read)(entry.value);
  }
}

void PoolReader::UnknownKey(const YamlNode& key, std::string_view pool_or_item,
                            std::span<const KeySpec> known) {
  std::vector<std::string_view> names;
  for (const KeySpec& spec : known) names.push_back(spec.name);
  const std::string_view nearest = NearestName(key.text, names);
  errors_.Add(key.line, StrCat("pool '", shown_name_, "', ", pool_or_item, ": unknown key",
                               nearest.empty() ? "; docs/configuration.md has all"
                                               : StrCat("; did you mean '", nearest, "'?")));
}

std::optional<std::string_view> PoolReader::Scalar(const YamlNode& value,
                                                   std::string_view expected) {
  if (value.kind == YamlKind::kScalar) return value.text;
  Expected(value, expected);
  return std::nullopt;
}

std::optional<int64_t> PoolReader::Number(const YamlNode& value, std::string_view kind, int64_t min,
                                          int64_t max) {
  const std::optional<int64_t> number = ParseDecimal(value);
  if (!number || *number < min) {
    Expected(value, StrCat(kind, " >= ", min));
    return std::nullopt;
  }
  if (*number > max) {
    Expected(value, StrCat(kind, " from ", min, " to ", max));
    return std::nullopt;
  }
  return number;
}

template <bool PoolConfig::* field>
void PoolReader::Bool(const YamlNode& value) {
  const bool is_scalar = value.kind == YamlKind::kScalar;
  if (!is_scalar || (value.text != "true" && value.text != "false")) {
    return Expected(value, "true or false");
  }
  pool_.*field = value.text == "true";
}

template <uint32_t PoolConfig::* field, int64_t min>
void PoolReader::Count(const YamlNode& value) {
  if (const auto number = Number(value, "a number", min, kMaxInt)) {
    pool_.*field = static_cast<uint32_t>(*number);
  }
}

template <absl::Duration PoolConfig::* field, int64_t min>
void PoolReader::Milliseconds(const YamlNode& value) {
  if (const auto number = Number(value, "milliseconds", min, kMaxInt)) {
    pool_.*field = absl::Milliseconds(*number);
  }
}

template <uint64_t PoolConfig::* field, int64_t min>
void PoolReader::Bytes(const YamlNode& value) {
  if (const auto number = Number(value, "bytes", min, kMaxBytes)) {
    pool_.*field = static_cast<uint64_t>(*number);
  }
}

template <uint64_t PoolConfig::* field, int64_t min>
void PoolReader::BytesOrNone(const YamlNode& value) {
  const auto number =
      ParseDecimal(value) == 0 ? 0 : Number(value, "0 (no limit) or bytes", min, kMaxBytes);
  if (number) pool_.*field = static_cast<uint64_t>(*number);
}

template <typename T, typename Parse>
void PoolReader::OneOf(const YamlNode& value, std::span<const std::string_view> names, Parse parse,
                       T& field) {
  std::optional<T> parsed;
  if (value.kind == YamlKind::kScalar) parsed = parse(value.text);
  if (parsed) {
    field = *parsed;
    return;
  }
  std::string expected = "one of ";
  for (size_t i = 0; i < names.size(); ++i) StrAppend(&expected, i == 0 ? "" : ", ", names[i]);
  Expected(value, expected);
}

// For enums of two values.
template <typename T>
auto ParseEither(std::string_view first, T if_first, std::string_view second, T if_second) {
  return [=](std::string_view text) -> std::optional<T> {
    if (text == first) return if_first;
    if (text == second) return if_second;
    return std::nullopt;
  };
}

void PoolReader::Listen(const YamlNode& value) {
  const auto text = Scalar(value, "host:port, [ipv6]:port or /path");
  if (!text) return;
  absl::StatusOr<ListenConfig> listen = ParseListen(*text);
  if (!listen.ok()) return Expected(value, FromAbsl(listen.status().message()));
  pool_.listen = *std::move(listen);
  pool_.listen_place.text = errors_.Place(value.line);
}

void PoolReader::Hash(const YamlNode& value) {
  OneOf(value, KeyHashNames(), ParseKeyHash, pool_.hash);
}

void PoolReader::HashTagKey(const YamlNode& value) {
  const auto text = Scalar(value, "two characters, such as \"{}\"");
  if (!text) return;
  if (text->size() != 2) return Expected(value, "two characters, such as \"{}\"");
  pool_.hash_tag = {.open = (*text)[0], .close = (*text)[1], .enabled = true};
}

void PoolReader::DistributionKey(const YamlNode& value) {
  OneOf(value, DistributionNames(), ParseDistribution, pool_.distribution);
}

void PoolReader::Timeout(const YamlNode& value) {
  const auto number = Number(value, "milliseconds", 0, kMaxInt);
  // 0 means none: twemproxy arms no timer for it.
  if (number && *number > 0) pool_.timeout = absl::Milliseconds(*number);
}

void PoolReader::RedisAuth(const YamlNode& value) {
  if (origin_ != PoolOrigin::kFile) {
    return Fail(value.line, "found a password, expected redis_auth_secret with a secret's name");
  }
  const auto text = Scalar(value, "a password");
  if (!text) return;
  if (text->empty()) return Expected(value, "a password; leave the key out for none");
  pool_.redis_auth = *text;
}

void PoolReader::RedisAuthSecret(const YamlNode& value) {
  const auto text = Scalar(value, kSecretNameForm);
  if (!text) return;
  if (!IsSecretName(*text)) return Expected(value, kSecretNameForm);
  has_secret_ = true;
}

void PoolReader::ServerFailureLimit(const YamlNode& value) {
  if (const auto number = Number(value, "a number", 0, kMaxInt)) {
    pool_.server_failure_limit = static_cast<uint32_t>(std::max<int64_t>(*number, 1));
  }
}

void PoolReader::Servers(const YamlNode& value) {
  if (value.kind != YamlKind::kSequence || value.items.empty()) {
    if (value.kind == YamlKind::kSequence)
      return Fail(value.line, "found an empty list, expected at least one server");
    return Expected(value, "a list with at least one host:port:weight");
  }
  if (value.items.size() > kMaxServers) {
    return Fail(value.line,
                StrCat("found ", value.items.size(), " servers, expected at most ", kMaxServers));
  }
  for (const YamlNode& item : value.items) {
    std::optional<ShardConfig> shard = Server(item);
    if (!shard) continue;
    const auto [seen, is_new] = ring_lines_.emplace(shard->ring_name, item.line);
    if (!is_new && origin_ == PoolOrigin::kMessage) {
      Fail(item.line, StrCat("found '", Printable(shard->ring_name),
                             "' a second time, expected a name of its own (first ",
                             errors_.Where(seen->second), ")"));
    } else if (!is_new) {
      Expected(item, StrCat("a name of its own: '", Printable(shard->ring_name), "' is already ",
                            errors_.Where(seen->second)));
    }
    pool_.servers.push_back(*std::move(shard));
  }
  std::ranges::sort(pool_.servers, SortsBefore, &ShardConfig::ring_name);
}

std::optional<ShardConfig> PoolReader::Server(const YamlNode& item) {
  if (origin_ == PoolOrigin::kMessage) {
    return ReadShardItem(item, [this](const YamlNode& value, std::string_view expected) {
      Expected(value, expected);
    });
  }
  const auto text = Scalar(item, "host:port:weight or /path:weight");
  if (!text) return std::nullopt;
  absl::StatusOr<ShardConfig> shard = ParseServer(*text);
  if (!shard.ok()) return Expected(item, FromAbsl(shard.status().message())), std::nullopt;
  if (origin_ == PoolOrigin::kDeclared && !IsShardName(shard->name)) {
    return Expected(item, kShardNameForm), std::nullopt;
  }
  return *std::move(shard);
}

void PoolReader::HashChar(const YamlNode& value) {
  static constexpr std::string_view kNames[] = {"signed", "unsigned"};
  OneOf(value, kNames, ParseEither(kNames[0], CharSign::kSigned, kNames[1], CharSign::kUnsigned),
        pool_.hash_char);
}

void PoolReader::MaxEjectedPercent(const YamlNode& value) {
  const std::optional<int64_t> number = ParseDecimal(value);
  if (!number || *number < 0 || *number > 100) return Expected(value, "a number from 0 to 100");
  pool_.max_ejected_percent = static_cast<uint32_t>(*number);
}

void PoolReader::MissingShardKey(const YamlNode& value) {
  static constexpr std::string_view kNames[] = {"rehash", "fail_fast"};
  OneOf(value, kNames,
        ParseEither(kNames[0], MissingShard::kRehash, kNames[1], MissingShard::kFailFast),
        pool_.missing_shard);
}

void PoolReader::PartialMgetKey(const YamlNode& value) {
  static constexpr std::string_view kNames[] = {"error", "elements"};
  OneOf(value, kNames,
        ParseEither(kNames[0], PartialMget::kError, kNames[1], PartialMget::kElements),
        pool_.partial_mget);
}

void PoolReader::Commands(const YamlNode& value) {
  if (value.kind != YamlKind::kSequence) return Expected(value, "a list of maps");
  for (const YamlNode& item : value.items) Command(item);
}

void PoolReader::Command(const YamlNode& item) {
  if (item.kind != YamlKind::kMap) {
    return Expected(item, "a map with name, first_key, last_key and step");
  }
  CommandConfig command;
  bool has_last_key = false;
  bool good = true;
  std::set<std::string_view> seen;
  for (const YamlEntry& entry : item.entries) {
    if (!seen.insert(entry.key.text).second) {
      Fail(entry.key.line,
           StrCat("found '", Printable(entry.key.text), "' a second time, expected once"));
      good = false;
    } else {
      good = CommandKey(entry, command, has_last_key) && good;
    }
  }
  if (!good) return;
  if (command.name.empty()) return Fail(item.line, "found no name, expected the command's name");
  if (!has_last_key) command.last_key = static_cast<int32_t>(command.first_key);
  const bool ends_early =
      command.last_key >= 0 && command.last_key < static_cast<int32_t>(command.first_key);
  if (ends_early || (command.first_key == 0 && command.last_key != 0)) {
    return Fail(item.line,
                StrCat("found first_key ", command.first_key, " and last_key ", command.last_key,
                       ", expected first_key <= last_key, or last_key < 0"));
  }
  if (std::ranges::find(pool_.commands, command.name, &CommandConfig::name) !=
      pool_.commands.end()) {
    return Fail(item.line,
                StrCat("found '", Printable(command.name), "' a second time, expected once"));
  }
  if (const absl::Status status = CheckExtraCommand(command); !status.ok()) {
    return Fail(item.line, FromAbsl(status.message()));
  }
  pool_.commands.push_back(std::move(command));
}

bool PoolReader::CommandKey(const YamlEntry& entry, CommandConfig& command, bool& has_last_key) {
  const YamlNode& value = entry.value;
  const std::string_view key = entry.key.text;
  if (key == "name") {
    const bool good = value.kind == YamlKind::kScalar && !value.text.empty() &&
                      value.text.size() <= 128 &&
                      std::ranges::all_of(value.text, absl::ascii_isgraph);
    if (!good)
      return Expected(value, "a command's name, of printable characters without spaces"), false;
    command.name = absl::AsciiStrToLower(value.text);
    return true;
  }
  if (key == "first_key") {
    const auto number = Number(value, "first_key", 0, kMaxInt);
    if (number) command.first_key = static_cast<uint32_t>(*number);
    return number.has_value();
  }
  if (key == "last_key") {
    const auto number = Number(value, "last_key", -kMaxInt, kMaxInt);
    if (number) command.last_key = static_cast<int32_t>(*number);
    has_last_key = true;
    return number.has_value();
  }
  if (key == "step") {
    const auto number = Number(value, "step", 1, kMaxInt);
    if (number) command.step = static_cast<uint32_t>(*number);
    return number.has_value();
  }
  UnknownKey(entry.key, StrCat("key 'commands', '", Printable(key), "'"), kCommandKeys);
  return false;
}

void PoolReader::CheckTogether() {
  RequireKeys();
  CheckRedisOnlyKeys();
  CheckServed();
  CheckLimits();
  if (!pool_.auto_eject_hosts) {
    const int line = GoodLine("missing_shard");
    if (line != 0 && pool_.missing_shard == MissingShard::kRehash && !IsBad("auto_eject_hosts")) {
      key_ = "missing_shard";
      Fail(line,
           "found 'rehash' without auto_eject_hosts, expected auto_eject_hosts: true with it");
    }
    pool_.missing_shard = MissingShard::kFailFast;
  }
  if (origin_ == PoolOrigin::kFile) WarnOfTwemproxy();
}

void PoolReader::RequireKeys() {
  for (const std::string_view required : {"listen", "servers"}) {
    if (lines_.contains(required)) continue;
    key_ = required;
    Fail(line_, StrCat("found nothing, expected ",
                       required == "listen" ? "host:port, [ipv6]:port or /path"
                                            : "a list with at least one host:port:weight"));
  }
}

void PoolReader::CheckRedisOnlyKeys() {
  if (pool_.redis || IsBad("redis")) return;
  const std::pair<std::string_view, bool> redis_only[] = {
      {"redis_auth", !pool_.redis_auth.empty()},
      {"redis_auth_secret", has_secret_},
      {"redis_db", pool_.redis_db > 0},
      {"partial_mget", pool_.partial_mget == PartialMget::kElements},
      {"commands", !pool_.commands.empty()},
  };
  for (const auto& [key, is_used] : redis_only) {
    if (!is_used) continue;
    key_ = key;
    Fail(lines_.find(key)->second, "found in a memcached pool, expected redis: true with it");
  }
}

void PoolReader::CheckServed() {
  const absl::Status status = CheckProtocol(pool_);
  if (status.ok() || IsBad("redis")) return;
  const int line = GoodLine("redis");
  key_ = "redis";
  Fail(line != 0 ? line : line_, FromAbsl(status.message()));
}

void PoolReader::CheckLimits() {
  if (!lines_.contains("shard_silence_limit")) {
    pool_.shard_silence_limit = DefaultShardSilenceLimit(pool_.timeout);
  }
  if (pool_.max_request >= pool_.large_request || IsBad("max_request")) return;
  const int max_request_line = GoodLine("max_request");
  key_ = max_request_line != 0 ? "max_request" : "large_request";
  Fail(std::max(max_request_line, GoodLine("large_request")),
       StrCat("found large_request ", pool_.large_request, " and max_request ", pool_.max_request,
              ", expected large_request <= max_request"));
}

void PoolReader::WarnOfTwemproxy() {
  if (pool_.client_connections > 0) {
    errors_.Warn(lines_.find("client_connections")->second, shown_name_, "client_connections",
                 StrCat("found ", pool_.client_connections,
                        ": further clients are refused; twemproxy ignores this key"));
  }
  if (pool_.redis_db > 0 && !pool_.redis_auth.empty()) {
    errors_.Warn(lines_.find("redis_db")->second, shown_name_, "redis_db",
                 StrCat("found ", pool_.redis_db, " with redis_auth: keys are in database ",
                        pool_.redis_db, "; twemproxy then uses database 0"));
  }
}

}  // namespace

void CheckUtf8(const YamlNode& node, std::string_view pool, ConfigErrors& errors) {
  if (!IsUtf8(node.text)) {
    errors.Add(node.line, pool, "found bytes that are not UTF-8, expected text in UTF-8");
  }
  for (const YamlNode& item : node.items) CheckUtf8(item, pool, errors);
  for (const YamlEntry& entry : node.entries) {
    CheckUtf8(entry.key, pool, errors);
    if (entry.key.text != "redis_auth") CheckUtf8(entry.value, pool, errors);
  }
}

PoolFromFile ReadPool(const YamlEntry& entry, PoolOrigin origin, ConfigErrors& errors) {
  PoolReader reader(entry.key, origin, errors);
  if (entry.value.kind != YamlKind::kMap) {
    errors.Add(entry.key.line, reader.shown_name(),
               StrCat("found ", DescribeFound(entry.value), ", expected a map of keys"));
    return reader.Take();
  }
  if (origin != PoolOrigin::kFile) CheckUtf8(entry.value, reader.shown_name(), errors);
  reader.ReadKeys(entry.value);
  reader.CheckTogether();
  return reader.Take();
}

}  // namespace weir
