#include "proxy/downstream/redis_command_command.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "proxy/base/check.h"
#include "proxy/codec/redis_arguments.h"
#include "proxy/downstream/glob.h"

namespace weir {
namespace {

constexpr std::string_view kHelp[] = {
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Return details about all commands that pass through this proxy.",
    "COUNT",
    "    Return the total number of commands.",
    "LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
    "    Return a list of all commands.",
    "INFO [<command-name> ...]",
    "    Return details about multiple commands.",
    "    If no command names are given, details for all commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return nothing: there is no documentation.",
    "GETKEYS <full-command>",
    "    Return the keys from a full command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full command.",
    "HELP",
    "    Prints this help.",
};

bool IsSubcommand(const CommandSpec& spec) { return spec.name.find('|') != std::string_view::npos; }

std::span<const CommandSpec> SubcommandsOf(const CommandSpec& spec, const LocalContext& context) {
  return context.commands.specs().subspan(spec.first_subcommand, spec.subcommand_count);
}

// Whether the pool lets the command pass, with some arguments at least.
bool IsOffered(const CommandSpec& spec, const LocalContext& context) {
  switch (spec.command_class) {
    case CommandClass::kRefused:
      return false;
    case CommandClass::kOneShard:
      return context.pool.servers.size() == 1;
    case CommandClass::kContainer:
      return std::ranges::any_of(SubcommandsOf(spec, context),
                                 [&](const CommandSpec& sub) { return IsOffered(sub, context); });
    default:
      return !spec.Has(CommandFlag::kFlush) || context.pool.allow_flush;
  }
}

bool IsOfferedCommand(const CommandSpec& spec, const LocalContext& context) {
  return !IsSubcommand(spec) && IsOffered(spec, context);
}

int64_t CountOffered(const LocalContext& context) {
  return std::ranges::count_if(context.commands.specs(), [&](const CommandSpec& spec) {
    return IsOfferedCommand(spec, context);
  });
}

// By its name in any case, a subcommand's being "parent|sub"; null also when it is not offered.
const CommandSpec* FindOffered(std::string_view name, const LocalContext& context) {
  if (name.size() > CommandTable::kMaxNameSize) return nullptr;
  const CommandSpec* spec = context.commands.FindFullName(absl::AsciiStrToLower(ToAbsl(name)));
  return spec != nullptr && IsOffered(*spec, context) ? spec : nullptr;
}

// --- COMMAND and COMMAND INFO ---

void AppendFlags(const LocalRequest& request, const CommandSpec& spec) {
  const std::vector<std::string_view> names = RedisFlagNames(spec);
  AppendSetHeader(request.reply, request.state.version, std::ssize(names));
  for (std::string_view name : names) AppendSimple(request.reply, name);
}

void AppendEntry(const LocalRequest& request, const CommandSpec& spec) {
  std::string& reply = request.reply;
  const RespVersion version = request.state.version;
  AppendArrayHeader(reply, 10);
  AppendBulk(reply, spec.name);
  AppendInteger(reply, spec.arity);
  AppendFlags(request, spec);
  AppendInteger(reply, spec.keys.first);
  AppendInteger(reply, spec.keys.last);
  AppendInteger(reply, spec.keys.step);
  AppendSetHeader(reply, version, 0);  // categories
  AppendSetHeader(reply, version, 0);  // tips
  AppendSetHeader(reply, version, 0);  // key specifications
  // Like redis: a set when there are none, else an array.
  if (!spec.has_subcommands()) return AppendSetHeader(reply, version, 0);
  const auto offered = [&](const CommandSpec& sub) { return IsOffered(sub, request.context); };
  const auto subcommands = SubcommandsOf(spec, request.context);
  AppendArrayHeader(reply, std::ranges::count_if(subcommands, offered));
  for (const CommandSpec& sub : subcommands) {
    if (offered(sub)) AppendEntry(request, sub);
  }
}

void AppendAllEntries(const LocalRequest& request) {
  AppendArrayHeader(request.reply, CountOffered(request.context));
  for (const CommandSpec& spec : request.context.commands.specs()) {
    if (IsOfferedCommand(spec, request.context)) AppendEntry(request, spec);
  }
}

void Info(const LocalRequest& request) {
  const CommandArgs names = request.args.subspan(2);
  if (names.empty()) return AppendAllEntries(request);
  AppendArrayHeader(request.reply, std::ssize(names));
  for (std::string_view name : names) {
    if (const CommandSpec* spec = FindOffered(name, request.context)) {
      AppendEntry(request, *spec);
    } else {
      AppendNull(request.reply, request.state.version);
    }
    if (request.IsTooLong()) return;
  }
}

// --- COMMAND LIST ---

// Bytes of a pattern; names have far fewer. Matching takes time by its length, for every name.
constexpr size_t kMaxPattern = 128;

// Subcommands are listed, too, where redis does: when filtered by pattern, and unfiltered.
void List(const LocalRequest& request) {
  const CommandArgs args = request.args;
  std::string_view pattern = "*";
  bool none = false;
  if (args.size() == 5 && IsWord(args[2], "FILTERBY")) {
    if (IsWord(args[3], "PATTERN")) {
      pattern = args[4];
      if (pattern.size() > kMaxPattern) return request.Error("ERR the pattern is too long");
    } else if (IsWord(args[3], "MODULE") || IsWord(args[3], "ACLCAT")) {
      none = true;  // there are no modules, and no command is in a category
    } else {
      return request.Error(kSyntaxError);
    }
  } else if (args.size() != 2) {
    return request.Error(kSyntaxError);
  }
  std::vector<std::string_view> names;
  for (const CommandSpec& spec : request.context.commands.specs()) {
    if (none || !IsOffered(spec, request.context)) continue;
    if (MatchesGlob(pattern, spec.name)) names.push_back(spec.name);
  }
  AppendArrayHeader(request.reply, std::ssize(names));
  for (std::string_view name : names) AppendBulk(request.reply, name);
}

// --- COMMAND GETKEYS ---

// Of a refused command as well. Null when there is no such command.
const CommandSpec* FindCalled(CommandArgs call, const LocalContext& context) {
  const CommandSpec* spec = context.commands.Find(call[0]);
  if (spec == nullptr || !spec->has_subcommands() || call.size() == 1) return spec;
  return context.commands.FindSubcommand(*spec, call[1]);
}

// False after an error reply.
bool FindKeysOfCall(const LocalRequest& request, CommandArgs call, const CommandSpec* spec,
                    KeyPositions* keys) {
  const auto fail = [&request](std::string_view text) {
    request.Error(text);
    return false;
  };
  if (spec == nullptr) return fail("ERR Invalid command specified");
  // Channels stand where keys could be, and are none.
  const bool has_keys = spec->keys.first != 0 || spec->key_finder != nullptr;
  if (!has_keys || spec->Has(CommandFlag::kPubSub)) {
    return fail("ERR The command has no key arguments");
  }
  if (!ArityMatches(*spec, call.size())) {
    return fail("ERR Invalid number of arguments specified for command");
  }
  const bool found = FindKeys(*spec, call, keys).ok() && !keys->empty();
  // Scripts and functions may have none; redis takes a wrong count of theirs for none as well.
  const bool may_have_none = spec->key_finder == &kEvalKeys || spec->key_finder == &kFcallKeys;
  if (!found && !may_have_none) return fail("ERR Invalid arguments specified for command");
  return true;
}

// redis has flags for each key; the table knows only whether the command writes.
void AppendAccess(const LocalRequest& request, const CommandSpec& spec) {
  const bool reads = spec.Has(CommandFlag::kReadOnly);
  AppendSetHeader(request.reply, request.state.version, reads ? 2 : 3);
  AppendSimple(request.reply, reads ? "RO" : "RW");
  AppendSimple(request.reply, "access");
  if (!reads) AppendSimple(request.reply, "update");
}

void GetKeys(const LocalRequest& request, bool with_flags) {
  const CommandArgs call = request.args.subspan(2);
  const CommandSpec* spec = FindCalled(call, request.context);
  KeyPositions keys;
  if (!FindKeysOfCall(request, call, spec, &keys)) return;
  AppendArrayHeader(request.reply, static_cast<int64_t>(keys.size()));
  for (uint32_t position : keys) {
    if (with_flags) AppendArrayHeader(request.reply, 2);
    AppendBulk(request.reply, call[position]);
    if (with_flags) AppendAccess(request, *spec);
    if (request.IsTooLong()) return;
  }
}

void Help(const LocalRequest& request) {
  AppendArrayHeader(request.reply, std::ssize(kHelp));
  for (std::string_view line : kHelp) AppendSimple(request.reply, line);
}

}  // namespace

void AnswerCommand(const LocalRequest& request) {
  switch (request.local()) {
    case RedisLocal::kCommand:
      return AppendAllEntries(request);
    case RedisLocal::kCommandCount:
      return AppendInteger(request.reply, CountOffered(request.context));
    case RedisLocal::kCommandDocs:
      // redis-cli works without documentation, but crashes when a part of a command's is missing.
      return AppendMapHeader(request.reply, request.state.version, 0);
    case RedisLocal::kCommandGetKeys:
      return GetKeys(request, /*with_flags=*/false);
    case RedisLocal::kCommandGetKeysAndFlags:
      return GetKeys(request, /*with_flags=*/true);
    case RedisLocal::kCommandHelp:
      return Help(request);
    case RedisLocal::kCommandInfo:
      return Info(request);
    case RedisLocal::kCommandList:
      return List(request);
    default:
      CHECK(false);  // not one of COMMAND's
  }
}

}  // namespace weir
