// The commands of redis 7.0 and what Weir does with each; docs/commands.md is printed from it.
// Adding a command is one line in redis_commands.cc.
//
// Immutable and pure; any thread may use it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "proxy/codec/command_table.h"

namespace weir {

// CommandSpec::local of the classes kLocal and kTransaction in the redis table: which of the
// proxy's own answers. What each answer is belongs to the session.
enum class RedisLocal : uint8_t {
  kNone,
  kAuth,
  kClientGetName,
  kClientHelp,
  kClientId,
  kClientInfo,
  kClientList,
  kClientNoEvict,  // OK without effect
  kClientNoTouch,  // OK without effect
  kClientReply,
  kClientSetInfo,
  kClientSetName,
  kCommand,
  kCommandCount,
  kCommandDocs,
  kCommandGetKeys,
  kCommandGetKeysAndFlags,
  kCommandHelp,
  kCommandInfo,
  kCommandList,
  kDiscard,
  kEcho,
  kExec,
  kHello,
  kInfo,
  kMulti,
  kPing,
  kQuit,
  kReset,
  kSelect,
  kTime,
  kUnwatch,  // OK: nothing can be watched
};

inline RedisLocal RedisLocalOf(const CommandSpec& spec) {
  return static_cast<RedisLocal>(spec.local);
}

// The built-in table: every command and subcommand of redis 7.0.15, and the few later ones that
// clients send unasked or that must never be forwarded. Made on first use, never destroyed.
const CommandTable& RedisCommands();

// All flags that a redis server reports for the command, by COMMAND's names and in its order. Not
// for the data path.
std::vector<std::string_view> RedisFlagNames(const CommandSpec& spec);

}  // namespace weir
