// docs/commands.md, written from a table of commands.
#pragma once

#include <string>

#include "proxy/codec/command_table.h"

namespace weir {

// The whole document for the redis table: one row for each command and subcommand.
std::string RedisCommandsDocument(const CommandTable& table);

}  // namespace weir
