// The command line of weirctl: words and flags → CtlOptions.
//
// A plain value. Pure, but as ParseFlags not to be called by two threads at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/weir/v1/pool.pb.h"
#include "proxy/config/flag_parser.h"

namespace weir {

enum class OutputFormat : uint8_t { kTable, kJson, kYaml };

// Which flags a command takes, as a set of bits. Every command takes those of the connection,
// --output, --config, --help and --version.
enum FlagGroup : uint32_t {
  kNoFlags = 0,
  kFileFlag = 1 << 0,          // --file
  kFleetFlag = 1 << 1,         // --fleet
  kPoolFlag = 1 << 2,          // --pool
  kChangeFlags = 1 << 3,       // those of every change: --yes, --wait, --etag…
  kWeightFlag = 1 << 4,        // --weight
  kUndoFlag = 1 << 5,          // --undo
  kAllowMissingFlag = 1 << 6,  // --allow-missing
  kProposalFlags = 1 << 7,     // --with, --without
  kPrintFlag = 1 << 8,         // --print
  kAllFlags = (1 << 9) - 1,
};
using FlagGroups = uint32_t;

struct CtlOptions {
  std::vector<std::string> words;  // the command's and its arguments
  bool show_help = false;
  bool show_version = false;
  std::vector<std::pair<size_t, std::string>> connection;  // as in ConnectionSources
  std::string config_file;                                 // empty: the usual one
  OutputFormat output = OutputFormat::kTable;

  // --- of a change ---
  bool plan_only = false;  // `plan COMMAND`
  bool yes = false;        // asks nothing
  bool wait = true;        // for the proxies
  absl::Duration wait_timeout = absl::Seconds(10);
  std::optional<double> max_moved_fraction;
  std::string etag;  // empty: that of the pool as read
  bool force = false;
  std::string request_id;  // empty: a new one

  // --- of single commands ---
  std::string file;
  std::string fleet;
  std::string pool;
  uint32_t weight = 1;
  bool undo = false;
  bool allow_missing = false;
  bool print = false;
  std::vector<v1::RingSlot> with;    // explain: shards that would be there, with their weights
  std::vector<std::string> without;  // explain: and those that would not
};

// Reads main's arguments, argv[0] included. Flags may stand anywhere. Only those of `groups` are
// known; errors as ParseFlags'.
absl::StatusOr<CtlOptions> ParseCtlOptions(std::span<const char* const> argv, FlagGroups groups);

// What commands with these flags take, in the order of the help text.
std::vector<FlagSpec> CtlFlags(FlagGroups groups);

}  // namespace weir
