// RedisHandler's part for MULTI, EXEC, DISCARD and what comes between.
#include <optional>
#include <string>
#include <utility>

#include "proxy/base/strings.h"
#include "proxy/codec/redis_commands.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/downstream/redis_errors.h"
#include "proxy/downstream/redis_handler.h"
#include "proxy/downstream/session.h"

namespace weir {

void RedisHandler::HandleTransactionCommand(const Call& call) {
  RedisSessionState& state = call.state;
  const bool open = state.transaction != nullptr;
  switch (RedisLocalOf(*call.spec)) {
    case RedisLocal::kMulti:
      if (open) return ReplyError(call.session, state, "ERR MULTI calls can not be nested");
      state.transaction = std::make_unique<RedisTransaction>();
      return Reply(call.session, state, "+OK\r\n");
    case RedisLocal::kDiscard:
      if (!open) return ReplyError(call.session, state, "ERR DISCARD without MULTI");
      state.transaction.reset();
      return Reply(call.session, state, "+OK\r\n");
    case RedisLocal::kExec:
      if (!open) return ReplyError(call.session, state, "ERR EXEC without MULTI");
      return Exec(call);
    default:
      return Reply(call.session, state, "+OK\r\n");
  }
}

void RedisHandler::QueueInTransaction(const Call& call) {
  RedisTransaction& transaction = *call.state.transaction;
  const CommandSpec& spec = *call.spec;
  const RedisLocal local =
      spec.command_class == CommandClass::kLocal ? RedisLocalOf(spec) : RedisLocal::kNone;
  const bool harmless =
      local == RedisLocal::kPing || local == RedisLocal::kEcho || local == RedisLocal::kTime;
  const bool keyed =
      spec.command_class == CommandClass::kByKey || spec.command_class == CommandClass::kSplit;
  std::string error;
  if (spec.command_class == CommandClass::kLocal && !harmless) {
    error = RefusedError(spec, "the proxy answers it, so it cannot be part of a transaction");
  } else if (spec.command_class == CommandClass::kEveryShard && pool_->shard_count() > 1) {
    error = RefusedError(spec, "it concerns every shard, a transaction only one");
  } else if (transaction.frames.size() + call.frame.size() > pool_->config.max_request) {
    error = "ERR the transaction is larger than the pool's max_request";
  } else if (keyed) {
    const KeyError key_error = FindKeys(spec, call.args, &keys_);
    if (!key_error.ok()) error = key_error.text;
  }
  if (!error.empty()) {
    transaction.failed = true;
    return ReplyError(call.session, call.state, error);
  }
  if (keyed) {
    for (uint32_t position : keys_) {
      const uint32_t shard = selector_.Select(call.args[position]).shard;
      if (!transaction.shard.has_value()) {
        transaction.shard = shard;
        transaction.first_key = call.args[position];
      } else if (shard != *transaction.shard && !transaction.stray_shard.has_value()) {
        transaction.stray_shard = shard;
        transaction.stray_key = call.args[position];
      }
    }
  }
  ByteQueueWriter out(chunks_, transaction.frames);
  AppendCommand(out, call.args);
  ++transaction.commands;
  Reply(call.session, call.state, "+QUEUED\r\n");
}

void RedisHandler::Exec(const Call& call) {
  const std::unique_ptr<RedisTransaction> transaction = std::move(call.state.transaction);
  if (transaction->failed) {
    return ReplyError(call.session, call.state,
                      "EXECABORT Transaction discarded because of previous errors.");
  }
  if (transaction->stray_shard.has_value()) {
    return ReplyError(call.session, call.state,
                      CrossShardError("exec", transaction->first_key, *transaction->shard,
                                      transaction->stray_key, *transaction->stray_shard));
  }
  if (transaction->commands == 0) return Reply(call.session, call.state, "*0\r\n");
  Request* request = NewRequest(call);
  // MULTI's +OK and each +QUEUED are swallowed; EXEC's reply is the request's.
  request->fragment.replies_to_skip = transaction->commands + 1;
  ByteQueue frames;
  ByteQueueWriter out(chunks_, frames);
  AppendCommand(out, "MULTI");
  frames.Splice(chunks_, std::move(transaction->frames));
  AppendCommand(out, "EXEC");
  call.session.Send(&request->fragment, transaction->shard.value_or(0), call.state.version,
                    std::move(frames));
}

}  // namespace weir
