#include "controlplane/ctl/weirctl.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "controlplane/ctl/admin_client.h"
#include "controlplane/ctl/change.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/connection.h"
#include "controlplane/ctl/input_file.h"
#include "controlplane/ctl/options.h"
#include "proxy/base/strings.h"
#include "proxy/base/version.h"

namespace weir {
namespace {

ExitCode UsageError(const absl::Status& error, Console& console) {
  console.err << "weirctl: " << FromAbsl(error.message()) << '\n';
  return ExitCode::kUsage;
}

// The file of --config or WEIRCTL_CONFIG, or the usual one if it is there; empty: none.
std::string SettingsFile(const CtlOptions& options, const Environment& environment) {
  if (!options.config_file.empty()) return options.config_file;
  if (auto named = environment("WEIRCTL_CONFIG"); named && !named->empty()) return *named;
  const std::optional<std::string> home = environment("HOME");
  if (!home || home->empty()) return "";
  const std::string usual = StrCat(*home, "/.config/weirctl.yml");
  std::error_code ignored;
  return std::filesystem::exists(usual, ignored) ? usual : "";
}

absl::StatusOr<Connection> FindConnection(const CtlOptions& options,
                                          const Environment& environment) {
  ConnectionSources sources{.flags = options.connection,
                            .environment = environment,
                            .file_name = SettingsFile(options, environment),
                            .file_text = ""};
  if (!sources.file_name.empty()) {
    absl::StatusOr<std::string> text = ReadInputFile(sources.file_name);
    if (!text.ok()) return text.status();
    sources.file_text = *std::move(text);
  }
  return ResolveConnection(sources);
}

ExitCode Help(const CtlOptions& options, Console& console) {
  if (options.words.empty()) {
    console.out << HelpText();
    return ExitCode::kDone;
  }
  if (const std::optional<std::string> group = HelpOfGroup(options.words)) {
    console.out << *group;
    return ExitCode::kDone;
  }
  const absl::StatusOr<ChosenCommand> chosen = FindCommand(options.words);
  if (!chosen.ok()) return UsageError(chosen.status(), console);
  console.out << HelpText(*chosen->command);
  return ExitCode::kDone;
}

}  // namespace

ExitCode RunWeirctl(std::span<const char* const> argv, const Environment& environment,
                    Console& console) {
  // Which flags there are depends on the command, which may stand behind some.
  absl::StatusOr<CtlOptions> options = ParseCtlOptions(argv, kAllFlags);
  if (!options.ok()) return UsageError(options.status(), console);
  if (options->show_help) return Help(*options, console);
  if (options->show_version) {
    console.out << "This is weirctl-" << kVersion << '\n';
    return ExitCode::kDone;
  }
  absl::StatusOr<ChosenCommand> chosen = ChooseCommand(options->words);
  if (!chosen.ok()) return UsageError(chosen.status(), console);
  const Command& command = *chosen->command;
  options = ParseCtlOptions(argv, command.flags);
  if (!options.ok()) {
    return UsageError(InvalidArgument(command.name, ": ", FromAbsl(options.status().message())),
                      console);
  }
  options->words = std::move(chosen->words);
  options->plan_only = chosen->plan_only;

  const absl::StatusOr<Connection> connection = FindConnection(*options, environment);
  if (!connection.ok()) return UsageError(connection.status(), console);
  const absl::StatusOr<std::unique_ptr<AdminClient>> client = ConnectAdmin(*connection);
  if (!client.ok()) return Fail(client.status(), console);
  Session session{**client, console};
  return command.run(*options, session);
}

}  // namespace weir
