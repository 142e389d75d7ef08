#include "proxy/config/servable.h"

#include "proxy/base/strings.h"
#include "proxy/codec/redis_commands.h"

namespace weir {

absl::Status CheckProtocol(const PoolConfig& pool) {
  if (pool.redis) return absl::OkStatus();
  return InvalidArgument(
      "found false (memcached), expected true: memcached pools are not served yet");
}

ExtraCommand ToExtraCommand(const CommandConfig& command) {
  return {.name = command.name,
          .first_key = static_cast<int>(command.first_key),
          .last_key = command.last_key,
          .step = static_cast<int>(command.step)};
}

absl::Status CheckExtraCommand(const CommandConfig& command) {
  const ExtraCommand extra = ToExtraCommand(command);
  return RedisCommands().WithExtra({&extra, 1}).status();
}

}  // namespace weir
