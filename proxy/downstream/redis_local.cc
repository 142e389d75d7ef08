#include "proxy/downstream/redis_local.h"

#include <limits>

#include "proxy/base/check.h"
#include "proxy/downstream/redis_client_command.h"
#include "proxy/downstream/redis_command_command.h"
#include "proxy/downstream/redis_info.h"
#include "proxy/downstream/redis_local_request.h"
#include "proxy/downstream/redis_login.h"

namespace weir {
namespace {

void AnswerPing(const LocalRequest& request) {
  switch (request.args.size()) {
    case 1:
      return AppendSimple(request.reply, "PONG");
    case 2:
      return AppendBulk(request.reply, request.args[1]);
    default:  // an arity that redis' table, and so ours, cannot say
      return request.Error("ERR wrong number of arguments for 'ping' command");
  }
}

void AnswerTime(const LocalRequest& request) {
  constexpr int64_t kMicrosPerSecond = 1'000'000;
  const int64_t micros = absl::ToUnixMicros(request.context.now);
  AppendArrayHeader(request.reply, 2);
  AppendBulk(request.reply, StrCat(micros / kMicrosPerSecond));
  AppendBulk(request.reply, StrCat(micros % kMicrosPerSecond));
}

// A pool is one database on every shard: `redis_db`. Clients may call it by its number, or 0 as
// those do that know of none.
void AnswerSelect(const LocalRequest& request) {
  using Limits = std::numeric_limits<int32_t>;
  const std::optional<int64_t> index = ParseRedisInteger(request.args[1]);
  const uint32_t database = request.context.pool.redis_db;
  if (!index) return request.Error("ERR value is not an integer or out of range");
  if (*index == 0 || *index == int64_t{database}) return request.Ok();
  if (*index < Limits::min() || *index > Limits::max()) {
    return request.Error(StrCat("ERR value is out of range, value must between ", Limits::min(),
                                " and ", Limits::max()));
  }
  std::string error = "ERR DB index is out of range: this pool has one database, selected by 0";
  if (database != 0) StrAppend(&error, " or ", database);
  request.Error(error);
}

void AnswerReset(const LocalRequest& request) {
  RedisSessionState& state = request.state;
  state.version = RespVersion::kResp2;
  // As in redis, a SKIP before it drops its reply.
  if (state.reply_mode == ReplyMode::kOff) state.reply_mode = ReplyMode::kOn;
  state.authenticated = request.context.pool.redis_auth.empty();
  state.client_name.clear();
  state.transaction.reset();
  AppendSimple(request.reply, "RESET");
}

void AnswerInfo(const LocalRequest& request) {
  AppendVerbatim(request.reply, request.state.version,
                 InfoText(request.args.subspan(1), request.context));
}

}  // namespace

LocalOutcome AnswerLocally(const CommandSpec& spec, CommandArgs args, const LocalContext& context,
                           RedisSessionState& state, std::string* reply) {
  DCHECK(ArityMatches(spec, args.size()));
  const LocalRequest request = {spec, args, context, state, *reply};
  switch (request.local()) {
    case RedisLocal::kAuth:
      AnswerAuth(request);
      break;
    case RedisLocal::kEcho:
      AppendBulk(*reply, args[1]);
      break;
    case RedisLocal::kHello:
      AnswerHello(request);
      break;
    case RedisLocal::kInfo:
      AnswerInfo(request);
      break;
    case RedisLocal::kPing:
      AnswerPing(request);
      break;
    case RedisLocal::kQuit:
      request.Ok();
      return LocalOutcome::kReplyAndClose;
    case RedisLocal::kReset:
      AnswerReset(request);
      break;
    case RedisLocal::kSelect:
      AnswerSelect(request);
      break;
    case RedisLocal::kTime:
      AnswerTime(request);
      break;
    case RedisLocal::kUnwatch:
      request.Ok();
      break;
    default:
      if (spec.name.starts_with("client|")) return AnswerClient(request);
      CHECK(spec.name.starts_with("command"));
      AnswerCommand(request);
  }
  return LocalOutcome::kReplied;
}

}  // namespace weir
