// What a proxy must know about each command of a protocol, as data: one CommandSpec a command, and
// CommandTable to find it by name. Neither knows any protocol: redis_commands.h has redis' table.
//
// The way of one request, all without allocation in steady state:
//   spec = table.Find(args[0]); if it has_subcommands(), table.FindSubcommand(*spec, args[1])
//   → ArityMatches → Admit (may it pass at all?) → SingleKeyIndex, or FindKeys for several keys.
//
// Everything here is immutable and pure; any thread may use it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace weir {

struct CommandSpec;

// A request's arguments, the command's name first (and a subcommand's name second).
using CommandArgs = std::span<const std::string_view>;

// What the proxy does with a command.
enum class CommandClass : uint8_t {
  kByKey,        // forwarded; all keys must be on one shard
  kSplit,        // split by key into one fragment a shard, the replies merged
  kLocal,        // answered by the proxy; `local` says by which answer
  kTransaction,  // opens, ends or drops a transaction block; `local` says which
  kEveryShard,   // forwarded to every shard, the replies merged
  kOneShard,     // no key to choose a shard by: forwarded in pools of one shard, else refused
  kRefused,      // never forwarded, in no pool: `reason` says why
  kContainer,    // only its subcommands are commands
};

// How the replies of a split command's fragments, or of every shard, become one reply.
enum class Merge : uint8_t {
  kNone,    // there is one reply
  kConcat,  // elements put back in the order of the request's keys
  kSum,     // numbers added up
  kAllOk,   // OK when all are OK
};

// Bits of CommandSpec::flags. Most are only told to clients that ask for the table.
struct CommandFlag {
  static constexpr uint32_t kReadOnly = 1 << 0;  // changes no value
  static constexpr uint32_t kWrite = 1 << 1;     // may change values; neither bit: cannot be known
  static constexpr uint32_t kDenyOom = 1 << 2;   // refused by a server that is out of memory
  static constexpr uint32_t kAdmin = 1 << 3;     // about the server, not about its data
  static constexpr uint32_t kPubSub = 1 << 4;    // about channels, not about keys
  static constexpr uint32_t kBlocking = 1 << 5;  // may wait for another client
  static constexpr uint32_t kFast = 1 << 6;      // constant or logarithmic time
  static constexpr uint32_t kFlush = 1 << 7;     // empties shards: only with the pool's allow_flush
  static constexpr uint32_t kLater = 1 << 8;     // newer than the server release the table covers
  static constexpr uint32_t kExtra = 1 << 9;     // came from the configuration (WithExtra)
  static constexpr uint32_t kNoAuth = 1 << 10;   // answered before the password is given
  static constexpr uint32_t kNoScript = 1 << 11;         // not from a script
  static constexpr uint32_t kNoMulti = 1 << 12;          // not in a transaction
  static constexpr uint32_t kLoading = 1 << 13;          // while the server loads its data
  static constexpr uint32_t kStale = 1 << 14;            // by a replica that lost its master
  static constexpr uint32_t kNoAsyncLoading = 1 << 15;   // not while a replica loads beside serving
  static constexpr uint32_t kAllowBusy = 1 << 16;        // while a script runs for too long
  static constexpr uint32_t kSkipMonitor = 1 << 17;      // not shown by MONITOR
  static constexpr uint32_t kSkipSlowlog = 1 << 18;      // not in the slow log
  static constexpr uint32_t kAsking = 1 << 19;           // by a cluster node that imports the slot
  static constexpr uint32_t kNoMandatoryKeys = 1 << 20;  // may name no key
};

// Positions of keys among the arguments: first, first + step, … up to last, both included. Position
// 0 is the command's name, so first = 0 means no keys. A negative last counts from the end: -1 is
// the last argument. A step of 2 means that each key is followed by its value.
struct KeyRange {
  int16_t first = 0;
  int16_t last = 0;
  int16_t step = 0;

  friend bool operator==(const KeyRange&, const KeyRange&) = default;
};

// Positions of a request's keys. Owned by the caller and used again for each request, so that its
// memory is allocated once; Clear() gives back what an uncommonly long request took.
class KeyPositions {
 public:
  void Clear();
  void Add(uint32_t position) { positions_.push_back(position); }

  size_t size() const { return positions_.size(); }
  bool empty() const { return positions_.empty(); }
  uint32_t operator[](size_t i) const { return positions_[i]; }
  const uint32_t* begin() const { return positions_.data(); }
  const uint32_t* end() const { return positions_.data() + positions_.size(); }

 private:
  std::vector<uint32_t> positions_;
};

// Why the keys cannot be found: the error reply as the protocol's own server words it, without
// framing ("ERR syntax error"). Empty when there is no error. The text is static.
struct KeyError {
  std::string_view text = {};
  bool ok() const { return text.empty(); }
};

// Finds keys whose positions depend on the other arguments. Called only with an arity that matches.
struct KeyFinder {
  std::string_view description;  // for people: "counted by argument 2"
  KeyError (*find)(const CommandSpec& spec, CommandArgs args, KeyPositions* out);
};

// May this request pass? `text` is a reason for people ("it would block the connection"), and for
// kInvalid an error reply like KeyError's. Static.
struct Admission {
  enum Verdict : uint8_t {
    kAllowed,
    kNeedsOneShard,  // only in a pool of one shard
    kRefused,        // in no pool
    kInvalid,        // the request is wrong in itself
  };
  Verdict verdict = kAllowed;
  std::string_view text = {};
};

// Judges a request by its arguments. Called only with an arity that matches.
struct ArgumentCheck {
  std::string_view description;  // for people: "with BLOCK: refused"
  Admission (*check)(const CommandSpec& spec, CommandArgs args);
};

// Everything about one command. A plain value; strings and pointers are static (in a table made by
// WithExtra, owned by the table).
struct CommandSpec {
  std::string_view name = {};  // lower case; a subcommand's is "parent|sub"
  int16_t arity = 0;   // exact number of arguments with the name; negative: at least that many
  uint32_t flags = 0;  // of CommandFlag
  CommandClass command_class = CommandClass::kByKey;
  Merge merge = Merge::kNone;
  uint8_t local = 0;                      // which answer of the proxy's; the protocol's own enum
  KeyRange keys = {};                     // what the server reports; the keys, unless key_finder
  const KeyFinder* key_finder = nullptr;  // null: `keys` are the keys
  const ArgumentCheck* argument_check = nullptr;  // null: arguments do not matter
  std::string_view reason = {};                   // of kRefused and kOneShard
  uint16_t first_subcommand = 0;                  // set by the table
  uint16_t subcommand_count = 0;                  // set by the table

  bool has_subcommands() const { return subcommand_count != 0; }
  bool Has(uint32_t flag) const { return (flags & flag) != 0; }
};

inline bool ArityMatches(const CommandSpec& spec, size_t argument_count) {
  return spec.arity >= 0 ? argument_count == static_cast<size_t>(spec.arity)
                         : argument_count >= static_cast<size_t>(-spec.arity);
}

// The position of the only key of a command that always has exactly one, else 0. When it is not 0
// and there is no argument_check, the key is known before the later arguments have arrived.
inline uint32_t SingleKeyIndex(const CommandSpec& spec) {
  return spec.key_finder == nullptr && spec.keys.first == spec.keys.last
             ? static_cast<uint32_t>(spec.keys.first)
             : 0;
}

// Appends nothing and returns an error, or replaces *out by the positions of all keys, in order.
// No keys is no error: such a request can only go to a pool of one shard.
// REQUIRES: ArityMatches(spec, args.size()).
KeyError FindKeys(const CommandSpec& spec, CommandArgs args, KeyPositions* out);

// Whether a request may pass, by its class and its arguments. Says nothing about where its keys
// are. REQUIRES: ArityMatches(spec, args.size()).
inline Admission Admit(const CommandSpec& spec, CommandArgs args) {
  if (spec.command_class == CommandClass::kRefused) return {Admission::kRefused, spec.reason};
  if (spec.command_class == CommandClass::kOneShard) {
    return {Admission::kNeedsOneShard, spec.reason};
  }
  if (spec.argument_check != nullptr) return spec.argument_check->check(spec, args);
  return {};
}

// A command that the built-in table does not know, from the configuration (`commands:`).
struct ExtraCommand {
  std::string name;   // any case
  int first_key = 1;  // as in KeyRange
  int last_key = 1;
  int step = 1;
};

// An immutable set of commands. Move-only; specs stay where they are when the table moves, and live
// as long as it does.
class CommandTable {
 public:
  // REQUIRES: specs are sorted by name without duplicates, and each "parent|sub" has its "parent".
  // The specs' strings and pointers outlive the table.
  explicit CommandTable(std::span<const CommandSpec> specs);

  CommandTable(CommandTable&&) = default;
  CommandTable& operator=(CommandTable&&) = default;

  // A new table with `extras` added: forwarded by key, or, with first_key 0, only in pools of one
  // shard. An extra may restate the keys of a command that is forwarded by fixed positions, and of
  // no other: what is refused, answered by the proxy or depends on arguments stays as it is. The
  // error names the command and what is wrong with it. REQUIRES: this table has no extras yet.
  absl::StatusOr<CommandTable> WithExtra(std::span<const ExtraCommand> extras) const;

  // By name in any case, or null. Subcommands are not found here. A few nanoseconds: one hash of at
  // most 16 bytes, as a rule one comparison.
  const CommandSpec* Find(std::string_view name) const;

  // By the second argument in any case, or null when there is no such subcommand.
  const CommandSpec* FindSubcommand(const CommandSpec& container, std::string_view argument) const;

  // By the whole lower-case name, subcommands as "parent|sub"; or null. Not for the data path.
  const CommandSpec* FindFullName(std::string_view name) const;

  // All commands and subcommands, sorted by name.
  std::span<const CommandSpec> specs() const { return specs_; }

  static constexpr size_t kMaxNameSize = 64;

 private:
  // A name's first and last 8 bytes in lower case, and its size: all of a name up to 16 bytes.
  struct FoldedName {
    uint64_t head = 0;
    uint64_t tail = 0;
    uint32_t size = 0;
    friend bool operator==(const FoldedName&, const FoldedName&) = default;
  };
  struct Slot {
    FoldedName name;  // size 0: free
    uint32_t spec = 0;
  };

  static FoldedName Fold(std::string_view name);
  static uint32_t Hash(const FoldedName& name);

  void LinkSubcommands();
  void BuildSlots();

  std::vector<CommandSpec> specs_;
  std::vector<Slot> slots_;  // open addressing, linear probing, at most a quarter full
  uint32_t slot_mask_ = 0;
  std::vector<std::string> extra_names_;  // what extras' specs point to
};

}  // namespace weir
