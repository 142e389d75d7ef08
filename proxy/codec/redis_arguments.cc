#include "proxy/codec/redis_arguments.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr KeyError kSyntaxError = {"ERR syntax error"};

// `word` is in upper case.
bool Is(std::string_view argument, std::string_view word) {
  return std::ranges::equal(argument, word, {}, [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c;
  });
}

// --- A count of keys, then the keys
// ---------------------------------------------------------------

struct CountedKeys {
  size_t count_at;               // position of the count; the keys follow it
  bool has_destination = false;  // position 1 is a key, too
  int64_t least = 1;
  size_t words_after = 0;  // arguments that must follow the keys
  std::string_view not_a_number = {};
  std::string_view too_few = {};  // empty: as NoInputKeys
  std::string_view too_many = {};
};

constexpr std::string_view kNotANumber = "ERR value is not an integer or out of range";
constexpr std::string_view kNotPositive = "ERR numkeys should be greater than 0";
constexpr std::string_view kBeyondEnd = "ERR Number of keys can't be greater than number of args";

constexpr CountedKeys kEvalLayout = {.count_at = 2,
                                     .least = 0,
                                     .not_a_number = kNotANumber,
                                     .too_few = "ERR Number of keys can't be negative",
                                     .too_many = kBeyondEnd};
constexpr CountedKeys kFcallLayout = {.count_at = 2,
                                      .least = 0,
                                      .not_a_number = "ERR Bad number of keys provided",
                                      .too_few = "ERR Number of keys can't be negative",
                                      .too_many = kBeyondEnd};
constexpr CountedKeys kSetLayout = {
    .count_at = 1, .not_a_number = kNotANumber, .too_many = kSyntaxError.text};
constexpr CountedKeys kSetStoreLayout = {.count_at = 2,
                                         .has_destination = true,
                                         .not_a_number = kNotANumber,
                                         .too_many = kSyntaxError.text};
constexpr CountedKeys kIntercardLayout = {
    .count_at = 1, .not_a_number = kNotPositive, .too_few = kNotPositive, .too_many = kBeyondEnd};
constexpr CountedKeys kPopLayout = {.count_at = 1,
                                    .words_after = 1,
                                    .not_a_number = kNotPositive,
                                    .too_few = kNotPositive,
                                    .too_many = kSyntaxError.text};
constexpr CountedKeys kBlockingPopLayout = {.count_at = 2,
                                            .words_after = 1,
                                            .not_a_number = kNotPositive,
                                            .too_few = kNotPositive,
                                            .too_many = kSyntaxError.text};

// The only error that names the command.
std::string_view NoInputKeys(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kTexts[] = {
      {"zdiff", "ERR at least 1 input key is needed for 'zdiff' command"},
      {"zdiffstore", "ERR at least 1 input key is needed for 'zdiffstore' command"},
      {"zinter", "ERR at least 1 input key is needed for 'zinter' command"},
      {"zintercard", "ERR at least 1 input key is needed for 'zintercard' command"},
      {"zinterstore", "ERR at least 1 input key is needed for 'zinterstore' command"},
      {"zunion", "ERR at least 1 input key is needed for 'zunion' command"},
      {"zunionstore", "ERR at least 1 input key is needed for 'zunionstore' command"},
  };
  for (const auto& [command, text] : kTexts) {
    if (command == name) return text;
  }
  return kNotPositive;
}

// `kLayout` is a template parameter because a KeyFinder's function has no other way to know it.
template <const CountedKeys& kLayout>
KeyError FindCounted(const CommandSpec& spec, CommandArgs args, KeyPositions* out) {
  const std::optional<int64_t> count = ParseInt<int64_t>(args[kLayout.count_at]);
  if (!count) return {kLayout.not_a_number};
  if (*count < kLayout.least) {
    return {kLayout.too_few.empty() ? NoInputKeys(spec.name) : kLayout.too_few};
  }
  // Not too many by arithmetic that cannot overflow: the arity guarantees the count itself.
  const size_t words = args.size() - kLayout.count_at - 1;
  const size_t room = words - std::min(words, kLayout.words_after);
  if (static_cast<uint64_t>(*count) > room) return {kLayout.too_many};
  if (kLayout.has_destination) out->Add(1);
  for (uint32_t i = 1; i <= *count; ++i) {
    out->Add(static_cast<uint32_t>(kLayout.count_at) + i);
  }
  return {};
}

Admission CheckHasKeys(const CommandSpec&, CommandArgs args) {
  const std::optional<int64_t> count = ParseInt<int64_t>(args[kEvalLayout.count_at]);
  if (count != 0) return {};  // a count that is no number is FindKeys' error
  return {Admission::kNeedsOneShard, "without keys no shard can be chosen for it"};
}

// --- XREAD, XREADGROUP
// ----------------------------------------------------------------------------

constexpr std::string_view kGroupOfXread =
    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.";
constexpr std::string_view kNoackOfXread =
    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.";

struct StreamOptions {
  KeyError error;
  bool blocks = false;
  size_t first_key = 0;
  size_t key_count = 0;
};

// The error for what follows the word STREAMS, if any. Redis 7.0 says XREAD for XREADGROUP, too.
KeyError CheckStreams(size_t words_left, bool wants_group, bool group_seen) {
  if (words_left % 2 != 0) {
    return {
        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be "
        "specified."};
  }
  if (wants_group && !group_seen) return {"ERR Missing GROUP option for XREADGROUP"};
  return {};
}

// Options in any order, each with its own number of words, then STREAMS, the keys and as many ids.
StreamOptions ReadStreamOptions(CommandArgs args, bool has_group) {
  StreamOptions options;
  bool group_seen = false;
  for (size_t i = 1; i < args.size(); ++i) {
    const size_t words_left = args.size() - i - 1;
    if (Is(args[i], "BLOCK") && words_left >= 1) {
      options.blocks = true;
      i += 1;
    } else if ((Is(args[i], "COUNT") || (has_group && Is(args[i], "CLAIM"))) && words_left >= 1) {
      i += 1;  // CLAIM is newer than redis 7.0, which refuses it
    } else if (Is(args[i], "STREAMS") && words_left >= 1) {
      options.first_key = i + 1;
      options.key_count = words_left / 2;
      options.error = CheckStreams(words_left, has_group, group_seen);
      return options;
    } else if (Is(args[i], "GROUP") && words_left >= 2) {
      if (!has_group) options.error.text = kGroupOfXread;
      group_seen = true;
      i += 2;
    } else if (Is(args[i], "NOACK")) {
      if (!has_group) options.error.text = kNoackOfXread;
    } else {
      options.error = kSyntaxError;
    }
    if (!options.error.ok()) return options;
  }
  options.error = kSyntaxError;
  return options;
}

bool HasGroup(const CommandSpec& spec) { return spec.key_finder == &kReadGroupKeys; }

KeyError FindStreams(const CommandSpec& spec, CommandArgs args, KeyPositions* out) {
  const StreamOptions options = ReadStreamOptions(args, HasGroup(spec));
  if (!options.error.ok()) return options.error;
  for (size_t i = 0; i < options.key_count; ++i) {
    out->Add(static_cast<uint32_t>(options.first_key + i));
  }
  return {};
}

Admission CheckDoesNotBlock(const CommandSpec& spec, CommandArgs args) {
  const StreamOptions options = ReadStreamOptions(args, HasGroup(spec));
  // What cannot be read is not passed on in the hope that it does not block.
  if (!options.error.ok()) return {Admission::kInvalid, options.error.text};
  if (!options.blocks) return {};
  return {Admission::kRefused,
          "with BLOCK it would block a connection that is shared by all clients"};
}

// --- SORT, SORT_RO
// --------------------------------------------------------------------------------

struct SortOptions {
  bool reads_other_keys = false;
  uint32_t destination = 0;  // of the last STORE; 0: none
};

// Unknown words are skipped: redis itself refuses them.
SortOptions ReadSortOptions(CommandArgs args, bool may_store) {
  SortOptions options;
  for (size_t i = 2; i < args.size(); ++i) {
    const size_t words_left = args.size() - i - 1;
    if (Is(args[i], "LIMIT") && words_left >= 2) {
      i += 2;
    } else if (may_store && Is(args[i], "STORE") && words_left >= 1) {
      options.destination = static_cast<uint32_t>(++i);
    } else if ((Is(args[i], "BY") || Is(args[i], "GET")) && words_left >= 1) {
      // Without '*' a pattern names no key: GET # is the element, BY nosort keeps the order.
      if (args[++i].find('*') != std::string_view::npos) options.reads_other_keys = true;
    }
  }
  return options;
}

bool MayStore(const CommandSpec& spec) { return spec.key_finder == &kSortKeys; }

KeyError FindSort(const CommandSpec& spec, CommandArgs args, KeyPositions* out) {
  const SortOptions options = ReadSortOptions(args, MayStore(spec));
  out->Add(1);
  if (options.destination != 0) out->Add(options.destination);
  return {};
}

Admission CheckNoPatterns(const CommandSpec& spec, CommandArgs args) {
  if (!ReadSortOptions(args, MayStore(spec)).reads_other_keys) return {};
  return {Admission::kNeedsOneShard, "with BY or GET patterns it may read keys of other shards"};
}

// --- GEORADIUS, GEORADIUSBYMEMBER
// -----------------------------------------------------------------

template <size_t kFirstOption>
KeyError FindRadius(const CommandSpec&, CommandArgs args, KeyPositions* out) {
  out->Add(1);
  for (size_t i = kFirstOption; i + 1 < args.size(); ++i) {
    if (Is(args[i], "COUNT")) {
      ++i;
    } else if (Is(args[i], "STORE") || Is(args[i], "STOREDIST")) {
      out->Add(static_cast<uint32_t>(++i));
    }
  }
  return {};
}

// --- MIGRATE, MSET
// --------------------------------------------------------------------------------

KeyError FindMigrate(const CommandSpec&, CommandArgs args, KeyPositions* out) {
  constexpr size_t kKeyAt = 3;
  for (size_t i = 6; i < args.size(); ++i) {
    if (Is(args[i], "AUTH")) {
      i += 1;
    } else if (Is(args[i], "AUTH2")) {
      i += 2;
    } else if (Is(args[i], "KEYS")) {
      if (!args[kKeyAt].empty()) {
        return {
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"};
      }
      for (++i; i < args.size(); ++i) out->Add(static_cast<uint32_t>(i));
      return out->empty() ? kSyntaxError : KeyError{};
    }
  }
  out->Add(kKeyAt);
  return {};
}

Admission CheckPairs(const CommandSpec& spec, CommandArgs args) {
  if (args.size() % 2 == 1) return {};
  return {Admission::kInvalid, spec.name == "mset"
                                   ? "ERR wrong number of arguments for 'mset' command"
                                   : "ERR wrong number of arguments for 'msetnx' command"};
}

}  // namespace

const KeyFinder kEvalKeys = {"counted by argument 2", &FindCounted<kEvalLayout>};
const KeyFinder kFcallKeys = {"counted by argument 2", &FindCounted<kFcallLayout>};
const KeyFinder kSetKeys = {"counted by argument 1", &FindCounted<kSetLayout>};
const KeyFinder kSetStoreKeys = {"1, and counted by argument 2", &FindCounted<kSetStoreLayout>};
const KeyFinder kIntercardKeys = {"counted by argument 1", &FindCounted<kIntercardLayout>};
const KeyFinder kPopKeys = {"counted by argument 1", &FindCounted<kPopLayout>};
const KeyFinder kBlockingPopKeys = {"counted by argument 2", &FindCounted<kBlockingPopLayout>};

const KeyFinder kReadKeys = {"after STREAMS", &FindStreams};
const KeyFinder kReadGroupKeys = {"after STREAMS", &FindStreams};
const KeyFinder kSortKeys = {"1, and after STORE", &FindSort};
const KeyFinder kSortReadOnlyKeys = {"1", &FindSort};
const KeyFinder kRadiusKeys = {"1, and after STORE and STOREDIST", &FindRadius<6>};
const KeyFinder kRadiusByMemberKeys = {"1, and after STORE and STOREDIST", &FindRadius<5>};
const KeyFinder kMigrateKeys = {"3, or after KEYS", &FindMigrate};

const ArgumentCheck kRefuseNoKeys = {"without keys: only in pools of one shard", &CheckHasKeys};
const ArgumentCheck kRefuseBlock = {"with BLOCK: refused", &CheckDoesNotBlock};
const ArgumentCheck kRefusePatterns = {
    "with BY or GET patterns that have a `*`: only in pools of one shard", &CheckNoPatterns};
const ArgumentCheck kRequirePairs = {"a key without a value is an error", &CheckPairs};

}  // namespace weir
