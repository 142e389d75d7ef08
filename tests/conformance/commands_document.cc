#include "tests/conformance/commands_document.h"

#include <algorithm>
#include <string_view>

#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kIntroduction =
    R"(# What Weir does with each redis command

<!-- Written by `bazel run //tests/conformance:print_commands_document`; a test compares the two. -->

Every command of redis 7.0 and its subcommands, with a few later ones. A command that is not here is
answered with an error, unless the configuration names it (`commands:`, with the positions of its
keys). No error of a command closes the connection.

- **by key**: forwarded to the shard of its keys. When they are on several shards the answer is an
  error that names two of them; a hash tag keeps keys together.
- **split**: sent to every shard that has some of the keys, and the replies made into one. When
  shards fail, MGET is answered with the first error (`partial_mget` chooses an error for each value
  instead), the others with one that names each shard that failed or answered an error and, for the
  first 8, says why in at most 120 bytes (its code is the shards' when they agree, as OOM, else ERR);
  what the other shards did stays done.
- **Weir**: answered by Weir itself.
- **transaction**: opens, runs or drops a MULTI block. The block goes to one shard, so all of its keys
  must be there. A command that is not possible is refused when it is queued, and spoils the block; so
  does one with a wrong number of keys, which redis would queue. PING, ECHO and TIME are part of a
  block as in redis; of the other commands that Weir answers itself QUIT and RESET end it, and the
  rest spoil it.
- **every shard**: sent to all shards, and the replies made into one.
- **one shard**: it has no key that could choose a shard, so it passes only in pools of one shard.
- **refused**: never forwarded.

Error replies begin with a code. Those of the shards are passed on as they are. Weir's own are:

| Code | When |
|---|---|
| CROSSSHARD | the keys of a command, or of a MULTI block, are on several shards (in redis cluster: CROSSSLOT) |
| EXECABORT | EXEC of a block of which a command was refused |
| NOAUTH | the pool has a password, and the client has not given it |
| WRONGPASS | AUTH or HELLO with another password |
| NOPROTO | HELLO with a version that is not known, or RESP3 where a shard speaks RESP2 only |
| ERR | anything else: what follows says what |

Only these end the connection, after the reply: what is not the protocol (`ERR Protocol error: …`; HTTP),
and a request larger than `max_request`, or than 16 KiB before the password is given.

Keys are numbered by argument: in `GET key`, the key is argument 1. "all from 1" are argument 1 and
all that follow it.

)";

std::string_view ClassText(const CommandSpec& spec) {
  switch (spec.command_class) {
    case CommandClass::kByKey:
      return "by key";
    case CommandClass::kSplit:
      return "split";
    case CommandClass::kLocal:
      return "Weir";
    case CommandClass::kTransaction:
      return "transaction";
    case CommandClass::kEveryShard:
      return "every shard";
    case CommandClass::kOneShard:
      return "one shard";
    case CommandClass::kRefused:
      return "refused";
    case CommandClass::kContainer:
      return "";
  }
  return "";
}

std::string_view MergeText(Merge merge) {
  switch (merge) {
    case Merge::kNone:
      return "";
    case Merge::kConcat:
      return "the values in the order of the keys";
    case Merge::kSum:
      return "the sum";
    case Merge::kAllOk:
      return "OK when all shards say OK";
  }
  return "";
}

// Only where the keys matter to somebody: where they decide about the shard.
std::string KeysText(const CommandSpec& spec) {
  if (spec.command_class != CommandClass::kByKey && spec.command_class != CommandClass::kSplit) {
    return "";
  }
  if (spec.key_finder != nullptr) return std::string(spec.key_finder->description);
  const auto [first, last, step] = spec.keys;
  if (first == 0) return "";
  if (first == last) return StrCat(first);
  if (last > 0) return StrCat(first, " to ", last);
  if (step > 1) return StrCat("every ", step, "nd from ", first);
  return StrCat("all from ", first);
}

std::string RemarksText(const CommandSpec& spec) {
  std::string remarks;
  const auto add = [&remarks](std::string_view remark) {
    if (remark.empty()) return;
    if (!remarks.empty()) remarks += "; ";
    remarks += remark;
  };
  add(spec.reason);
  add(MergeText(spec.merge));
  if (spec.argument_check != nullptr) add(spec.argument_check->description);
  if (spec.Has(CommandFlag::kFlush)) add("only with `allow_flush: true`");
  if (spec.Has(CommandFlag::kLater)) add("newer than redis 7.0");
  return remarks;
}

std::string NameText(std::string_view name) {
  std::string text(name);
  std::ranges::transform(text, text.begin(), [](char c) {
    if (c == '|') return ' ';
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c;
  });
  return text;
}

}  // namespace

std::string RedisCommandsDocument(const CommandTable& table) {
  std::string document(kIntroduction);
  document += "| Command | Class | Keys | Remarks |\n|---|---|---|---|\n";
  for (const CommandSpec& spec : table.specs()) {
    if (spec.command_class == CommandClass::kContainer) continue;
    StrAppend(&document, "| ", NameText(spec.name), " | ", ClassText(spec), " | ", KeysText(spec),
              " | ", RemarksText(spec), " |\n");
  }
  return document;
}

}  // namespace weir
