#include "proxy/downstream/redis_local.h"
namespace weir {
LocalOutcome AnswerLocally(const CommandSpec& spec, CommandArgs args, const LocalContext& context,
                           RedisSessionState& state, std::string* reply) {
  if (spec.name == "ping")
    *reply = "+PONG\r\n";
  else
    *reply = "+OK\r\n";
  return spec.name == "quit" ? LocalOutcome::kReplyAndClose : LocalOutcome::kReplied;
}
bool ChangesVersion(CommandArgs args, const RedisSessionState& state) { return false; }
}  // namespace weir
