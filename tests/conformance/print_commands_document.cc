// Prints docs/commands.md.
#include <cstdio>
#include <string>

#include "proxy/codec/redis_commands.h"
#include "tests/conformance/commands_document.h"

int main() {
  const std::string document = weir::RedisCommandsDocument(weir::RedisCommands());
  std::fwrite(document.data(), 1, document.size(), stdout);
  return 0;
}
