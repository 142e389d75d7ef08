#include "controlplane/ctl/command.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "controlplane/ctl/pool_commands.h"
#include "controlplane/ctl/read_commands.h"
#include "controlplane/ctl/shard_commands.h"
#include "proxy/base/strings.h"
#include "proxy/config/did_you_mean.h"

namespace weir {
namespace {

constexpr size_t kAnyNumber = SIZE_MAX;
constexpr std::string_view kPlan = "plan";

constexpr Command kCommands[] = {
    {.name = "get pools",
     .arguments = "[POOL]...",
     .most = kAnyNumber,
     .flags = kFleetFlag,
     .summary = "List pools; -o yaml writes them as weirctl apply takes them.",
     .examples = "weirctl get pools\nweirctl get pools --fleet eu-1 -o json\n",
     .run = GetPools},
    {.name = "get shards",
     .arguments = "POOL",
     .least = 1,
     .most = 1,
     .summary = "List a pool's shards with their endpoints, weights and states, and which proxy "
                "has ejected one.",
     .examples = "weirctl get shards alpha\n",
     .run = GetShards},
    {.name = "get proxies",
     .flags = kFleetFlag | kPoolFlag,
     .summary = "List connected proxies, and what they refuse.",
     .examples = "weirctl get proxies --pool alpha\n",
     .run = GetProxies},
    {.name = "get versions",
     .arguments = "POOL",
     .least = 1,
     .most = 1,
     .summary = "List a pool's last 20 versions, newest first.",
     .examples = "weirctl get versions alpha\n",
     .run = GetVersions},
    {.name = "describe pool",
     .arguments = "POOL",
     .least = 1,
     .most = 1,
     .summary = "Show all about a pool: shards, drift, a held change, its proxies.",
     .examples = "weirctl describe pool alpha\n",
     .run = DescribePoolCommand},
    {.name = "explain",
     .arguments = "POOL KEY",
     .least = 2,
     .most = 2,
     .flags = kProposalFlags,
     .summary = "Show where a key goes and why, also with other shards.",
     .examples = "weirctl explain alpha user:1000\n"
                 "weirctl explain alpha user:1000 --with c=2 --without a\n",
     .run = ExplainKeyCommand},
    {.name = "watch",
     .flags = kFleetFlag,
     .summary = "Show pools as they change, until interrupted.",
     .examples = "weirctl watch\nweirctl watch -o json | jq .changed\n",
     .run = WatchPools},
    {.name = "create",
     .flags = kFileFlag | kChangeFlags,
     .summary = "Create the pools of a file.",
     .examples = "weirctl create -f pools.yml\nweirctl plan create -f pools.yml\n",
     .run = CreatePools},
    {.name = "apply",
     .flags = kFileFlag | kChangeFlags,
     .summary = "Create the pools of a file, or change them to what it says.",
     .examples = "weirctl apply -f pools.yml\nweirctl plan apply -f pools.yml\n",
     .run = ApplyPools},
    {.name = "delete",
     .arguments = "POOL",
     .least = 1,
     .most = 1,
     .flags = kAllowMissingFlag | kChangeFlags,
     .summary = "Delete a pool.",
     .examples = "weirctl delete alpha\nweirctl delete alpha --allow-missing --yes\n",
     .run = DeletePool},
    {.name = "add-shard",
     .arguments = "POOL SHARD ENDPOINT",
     .least = 3,
     .most = 3,
     .flags = kWeightFlag | kChangeFlags,
     .summary = "Add a shard to the ring.",
     .examples = "weirctl plan add-shard alpha c 10.0.0.3:6379\n"
                 "weirctl add-shard alpha c 10.0.0.3:6379 --weight 2\n",
     .run = AddShard},
    {.name = "remove-shard",
     .arguments = "POOL SHARD",
     .least = 2,
     .most = 2,
     .flags = kChangeFlags,
     .summary = "Take a shard off the ring and forget it.",
     .examples = "weirctl remove-shard alpha c\n",
     .run = RemoveShard},
    {.name = "set-weight",
     .arguments = "POOL SHARD WEIGHT",
     .least = 3,
     .most = 3,
     .flags = kChangeFlags,
     .summary = "Give a shard another part of the ring.",
     .examples = "weirctl set-weight alpha a 2\n",
     .run = SetWeight},
    {.name = "set-endpoint",
     .arguments = "POOL SHARD ENDPOINT",
     .least = 3,
     .most = 3,
     .flags = kChangeFlags,
     .summary = "Let another address serve a shard; no key moves.",
     .examples = "weirctl set-endpoint alpha a 10.0.0.9:6379\n",
     .run = SetEndpoint},
    {.name = "drain",
     .arguments = "POOL SHARD",
     .least = 2,
     .most = 2,
     .flags = kUndoFlag | kChangeFlags,
     .summary = "Take a shard off the ring and keep its place; --undo puts it back.",
     .examples = "weirctl drain alpha a\nweirctl drain alpha a --undo\n",
     .run = DrainShard},
    {.name = "approve",
     .arguments = "POOL PLAN",
     .least = 2,
     .most = 2,
     .flags = kChangeFlags,
     .summary = "Make a change that the guard holds, by the id of its plan.",
     .examples = "weirctl approve alpha 3f2a9c0d11aa77ef\n",
     .run = ApprovePlan},
    {.name = "rollback",
     .arguments = "POOL GENERATION",
     .least = 2,
     .most = 2,
     .flags = kChangeFlags,
     .summary = "Write an old version's content as a new one; endpoints stay.",
     .examples = "weirctl get versions alpha\nweirctl rollback alpha 11\n",
     .run = Rollback},
    {.name = "import",
     .arguments = "FILE",
     .least = 1,
     .most = 1,
     .flags = kFleetFlag | kPrintFlag | kChangeFlags,
     .summary = "Create the pools of a twemproxy file.",
     .examples = "weirctl import nutcracker.yml --print > pools.yml\n"
                 "weirctl import nutcracker.yml --fleet eu-1\n",
     .run = ImportFile},
    {.name = "export",
     .arguments = "[POOL]...",
     .most = kAnyNumber,
     .flags = kFleetFlag,
     .summary = "Write declared pools as weirctl apply takes them.",
     .examples = "weirctl export > pools.yml\n",
     .run = ExportPools},
};

bool BeginsWith(std::span<const std::string> words, const std::vector<std::string>& name) {
  return words.size() >= name.size() && std::equal(name.begin(), name.end(), words.begin());
}

std::vector<std::string> NameWords(const Command& command) {
  return absl::StrSplit(ToAbsl(command.name), ' ');
}

absl::Status UnknownCommand(std::span<const std::string> words) {
  if (words.empty()) return InvalidArgument("expected a command; weirctl --help lists them");
  std::vector<std::string_view> names;
  for (const Command& command : kCommands) {
    names.push_back(command.name);
    if (command.name == StrCat(words[0], " pools") || command.name == StrCat(words[0], " pool")) {
      const bool is_get = words[0] == "get";
      return InvalidArgument("`", words[0], "`: expected ",
                             is_get ? "pools, shards, proxies or versions" : "pool",
                             " behind it; weirctl --help lists the commands");
    }
  }
  const std::string_view nearest = NearestName(words[0], names);
  return InvalidArgument("unknown command '", words[0], "'",
                         nearest.empty() ? std::string("; weirctl --help lists them")
                                         : StrCat("; did you mean '", nearest, "'?"));
}

// In a list of commands.
std::string HelpLine(const Command& command) {
  return absl::StrFormat("  %-33s %s\n",
                         absl::StrCat(ToAbsl(command.name), " ", ToAbsl(command.arguments)),
                         ToAbsl(command.summary));
}

}  // namespace

std::span<const Command> Commands() { return kCommands; }

absl::StatusOr<ChosenCommand> FindCommand(std::span<const std::string> words) {
  const bool plan_only = !words.empty() && words.front() == kPlan;
  if (plan_only) words = words.subspan(1);
  for (const Command& command : kCommands) {
    const std::vector<std::string> name = NameWords(command);
    if (!BeginsWith(words, name)) continue;
    if (plan_only && (command.flags & kChangeFlags) == 0) {
      return InvalidArgument("`plan ", command.name, "`: it changes nothing that could be planned");
    }
    const auto rest = words.subspan(name.size());
    return ChosenCommand{&command, plan_only, {rest.begin(), rest.end()}};
  }
  return UnknownCommand(words);
}

absl::StatusOr<ChosenCommand> ChooseCommand(std::span<const std::string> words) {
  absl::StatusOr<ChosenCommand> chosen = FindCommand(words);
  if (!chosen.ok()) return chosen;
  const Command& command = *chosen->command;
  if (chosen->words.size() < command.least || chosen->words.size() > command.most) {
    return InvalidArgument("expected: weirctl ", command.name, command.arguments.empty() ? "" : " ",
                           command.arguments, "; weirctl ", command.name, " --help shows examples");
  }
  return chosen;
}

std::optional<std::string> HelpOfGroup(std::span<const std::string> words) {
  if (words.size() != 1) return std::nullopt;
  const std::string& group = words.front();
  const bool plans = group == kPlan;
  std::string lines;
  for (const Command& command : kCommands) {
    if (plans && (command.flags & kChangeFlags) != 0) StrAppend(&lines, HelpLine(command));
    if (command.name.starts_with(StrCat(group, " "))) StrAppend(&lines, HelpLine(command));
  }
  if (lines.empty()) return std::nullopt;
  return StrCat("Usage: weirctl ", group, " COMMAND [ARGUMENT]... [OPTION]...\n\n",
                plans ? "Show what a change would do, without making it.\n\n" : "", "Commands:\n",
                lines, "\nweirctl COMMAND --help has examples and all options.\n");
}

std::string HelpText() {
  std::string text =
      "Usage: weirctl COMMAND [ARGUMENT]... [OPTION]...\n"
      "\n"
      "The command line of weir-control: pools and shards that change live.\n"
      "\n"
      "Commands:\n";
  for (const Command& command : kCommands) text += HelpLine(command);
  return StrCat(text,
                "  plan COMMAND...                   Show what a change would do.\n\nOptions:\n",
                FlagLines(CtlFlags(kNoFlags)),
                "\nweirctl COMMAND --help has examples and all options of a command.\n");
}

std::string HelpText(const Command& command) {
  std::string text =
      StrCat("Usage: weirctl ", command.name, command.arguments.empty() ? "" : " ",
             command.arguments, " [OPTION]...\n\n", command.summary, "\n\nExamples:\n");
  for (const absl::string_view line : absl::StrSplit(ToAbsl(command.examples), '\n')) {
    if (!line.empty()) StrAppend(&text, "  ", line, "\n");
  }
  return StrCat(text, "\nOptions:\n", FlagLines(CtlFlags(command.flags)));
}

}  // namespace weir
