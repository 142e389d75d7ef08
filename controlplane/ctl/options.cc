#include "controlplane/ctl/options.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/numbers.h"
#include "controlplane/ctl/connection.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

// --- one function for each flag: takes the argument, or says what was expected ---

using Apply = absl::Status (*)(std::string_view argument, CtlOptions& options);

template <bool CtlOptions::* field, bool value = true>
absl::Status SetBool(std::string_view, CtlOptions& options) {
  options.*field = value;
  return absl::OkStatus();
}

template <std::string CtlOptions::* field>
absl::Status SetText(std::string_view argument, CtlOptions& options) {
  if (argument.empty()) return InvalidArgument("a text that is not empty");
  options.*field = argument;
  return absl::OkStatus();
}

absl::Status SetOutput(std::string_view argument, CtlOptions& options) {
  constexpr std::pair<std::string_view, OutputFormat> kFormats[] = {{"table", OutputFormat::kTable},
                                                                    {"json", OutputFormat::kJson},
                                                                    {"yaml", OutputFormat::kYaml}};
  for (const auto& [name, format] : kFormats) {
    if (argument != name) continue;
    options.output = format;
    return absl::OkStatus();
  }
  return InvalidArgument("table, json or yaml");
}

absl::Status SetWait(std::string_view argument, CtlOptions& options) {
  if (argument != "all" && argument != "none") return InvalidArgument("all or none");
  options.wait = argument == "all";
  return absl::OkStatus();
}

absl::Status SetWaitTimeout(std::string_view argument, CtlOptions& options) {
  const std::optional<int32_t> seconds = ParseInt<int32_t>(argument);
  if (!seconds || *seconds < 1 || *seconds > 300) return InvalidArgument("seconds from 1 to 300");
  options.wait_timeout = absl::Seconds(*seconds);
  return absl::OkStatus();
}

absl::Status SetMaxMoved(std::string_view argument, CtlOptions& options) {
  double fraction = -1;
  if (!absl::SimpleAtod(ToAbsl(argument), &fraction) || !(fraction >= 0 && fraction <= 1)) {
    return InvalidArgument("a fraction from 0 to 1");
  }
  options.max_moved_fraction = fraction;
  return absl::OkStatus();
}

std::optional<uint32_t> ParseWeight(std::string_view text) {
  const std::optional<int32_t> weight = ParseInt<int32_t>(text);
  if (!weight || *weight < 1) return std::nullopt;
  return static_cast<uint32_t>(*weight);
}

absl::Status SetWeight(std::string_view argument, CtlOptions& options) {
  const std::optional<uint32_t> weight = ParseWeight(argument);
  if (!weight) return InvalidArgument("a weight from 1 to 2147483647");
  options.weight = *weight;
  return absl::OkStatus();
}

absl::Status AddWith(std::string_view argument, CtlOptions& options) {
  const size_t equals = argument.rfind('=');
  const std::optional<uint32_t> weight =
      equals == argument.npos ? 1 : ParseWeight(argument.substr(equals + 1));
  const std::string_view name = argument.substr(0, equals);
  if (name.empty() || !weight) return InvalidArgument("SHARD or SHARD=WEIGHT");
  v1::RingSlot& slot = options.with.emplace_back();
  slot.set_name(std::string(name));
  slot.set_weight(*weight);
  return absl::OkStatus();
}

absl::Status AddWithout(std::string_view argument, CtlOptions& options) {
  if (argument.empty()) return InvalidArgument("a shard's name");
  options.without.emplace_back(argument);
  return absl::OkStatus();
}

struct CtlFlag {
  FlagGroups group;  // kNoFlags: every command has it
  FlagSpec spec;
  Apply apply;
};

constexpr CtlFlag kFlags[] = {
    {kFileFlag,
     {'f', "file", "FILE", "", "Pools as YAML; - is standard input."},
     SetText<&CtlOptions::file>},
    {kFleetFlag,
     {0, "fleet", "FLEET", "", "Of this fleet only; import: for this fleet."},
     SetText<&CtlOptions::fleet>},
    {kPoolFlag, {0, "pool", "POOL", "", "That serve this pool only."}, SetText<&CtlOptions::pool>},
    {kWeightFlag, {0, "weight", "N", "1", "Part of the ring."}, SetWeight},
    {kUndoFlag, {0, "undo", "", "", "Put the shard back on the ring."}, SetBool<&CtlOptions::undo>},
    {kAllowMissingFlag,
     {0, "allow-missing", "", "", "A pool that does not exist is no error."},
     SetBool<&CtlOptions::allow_missing>},
    {kProposalFlags,
     {0, "with", "SHARD[=WEIGHT]", "", "Also as if this shard were on the ring."},
     AddWith},
    {kProposalFlags, {0, "without", "SHARD", "", "Also as if this one were not."}, AddWithout},
    {kPrintFlag,
     {0, "print", "", "", "Print what weirctl apply would take, and change nothing."},
     SetBool<&CtlOptions::print>},
    {kChangeFlags, {'y', "yes", "", "", "Ask nothing."}, SetBool<&CtlOptions::yes>},
    {kChangeFlags,
     {0, "wait", "WHOM", "all", "Wait for `all` connected proxies, or `none`."},
     SetWait},
    {kChangeFlags, {0, "wait-timeout", "SEC", "10", "Longest wait for them."}, SetWaitTimeout},
    {kChangeFlags,
     {0, "max-moved", "FRACTION", "the pool's guard",
      "Hold it if more keys move; only stricter than the guard."},
     SetMaxMoved},
    {kChangeFlags,
     {0, "etag", "ETAG", "as read", "Change this state of the pool, no other."},
     SetText<&CtlOptions::etag>},
    {kChangeFlags,
     {0, "force", "", "", "Change the pool whatever its state has become."},
     SetBool<&CtlOptions::force>},
    {kChangeFlags,
     {0, "request-id", "UUID", "a new one", "Name of this change, to repeat it by."},
     SetText<&CtlOptions::request_id>},
    {kNoFlags, {'o', "output", "FORMAT", "table", "table, json or yaml."}, SetOutput},
    {kNoFlags,
     {0, "config", "FILE", "~/.config/weirctl.yml", "Where settings are kept."},
     SetText<&CtlOptions::config_file>},
    {kNoFlags,
     {'h', "help", "", "", "Print help, also of one command, and exit."},
     SetBool<&CtlOptions::show_help>},
    {kNoFlags,
     {'V', "version", "", "", "Print the version and exit."},
     SetBool<&CtlOptions::show_version>},
};

bool Takes(FlagGroups groups, const CtlFlag& flag) {
  return flag.group == kNoFlags || (flag.group & groups) != 0;
}

}  // namespace

std::vector<FlagSpec> CtlFlags(FlagGroups groups) {
  std::vector<FlagSpec> flags;
  for (const CtlFlag& flag : kFlags) {
    if (Takes(groups, flag)) flags.push_back(flag.spec);
  }
  std::ranges::copy(ConnectionFlags(), std::back_inserter(flags));
  return flags;
}

absl::StatusOr<CtlOptions> ParseCtlOptions(std::span<const char* const> argv, FlagGroups groups) {
  std::vector<Apply> own;
  for (const CtlFlag& flag : kFlags) {
    if (Takes(groups, flag)) own.push_back(flag.apply);
  }
  CtlOptions options;
  const auto apply = [&](size_t index, std::string_view argument) {
    if (index < own.size()) return own[index](argument, options);
    Connection checked;
    const size_t setting = index - own.size();
    options.connection.emplace_back(setting, argument);
    return SetConnection(setting, argument, checked);
  };
  absl::StatusOr<std::vector<std::string>> words =
      ParseFlagsAndWords(CtlFlags(groups), argv, apply);
  if (!words.ok()) return words.status();
  options.words = *std::move(words);
  return options;
}

}  // namespace weir
