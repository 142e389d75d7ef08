// The commands of weirctl: one table of what each is called, takes and does.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "controlplane/ctl/change.h"
#include "controlplane/ctl/exit_code.h"
#include "controlplane/ctl/options.h"

namespace weir {

struct Command {
  std::string_view name;            // one word or two: "get pools"
  std::string_view arguments = {};  // "POOL SHARD ENDPOINT"; those in [] may be left out
  size_t least = 0;                 // words after the name
  size_t most = 0;
  FlagGroups flags = kNoFlags;     // with kChangeFlags, `plan` may stand before the name
  std::string_view summary = {};   // one line
  std::string_view examples = {};  // lines, each a command line
  // `options.words` are those after the name, as many as they may be.
  ExitCode (*run)(const CtlOptions& options, Session& session) = nullptr;
};

// All of them, as the help text lists them.
std::span<const Command> Commands();

// The command that `words` begin with, taken out of them together with a leading `plan`.
struct ChosenCommand {
  const Command* command = nullptr;
  bool plan_only = false;
  std::vector<std::string> words;  // the rest
};
// Fails when there is none of this name, it cannot be planned, or the rest are too few or too many
// words.
absl::StatusOr<ChosenCommand> ChooseCommand(std::span<const std::string> words);
// The same without counting the words, for help.
absl::StatusOr<ChosenCommand> FindCommand(std::span<const std::string> words);

// `weirctl --help` and `weirctl COMMAND --help`.
std::string HelpText();
std::string HelpText(const Command& command);
// `weirctl plan --help` and that of a first word that several commands or one of two words have:
// the commands that it begins. Nothing for other words.
std::optional<std::string> HelpOfGroup(std::span<const std::string> words);

}  // namespace weir
