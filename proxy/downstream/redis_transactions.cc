// RedisHandler's part for MULTI, EXEC, DISCARD and what comes between.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "proxy/codec/redis_commands.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/downstream/redis_errors.h"
#include "proxy/downstream/redis_handler.h"
#include "proxy/downstream/session.h"

namespace weir {
namespace {

bool HasKeys(const CommandSpec& spec) {
  return spec.command_class == CommandClass::kByKey || spec.command_class == CommandClass::kSplit;
}

}  // namespace

// All of them but an EXEC after MULTI.
void RedisHandler::AnswerTransactionCommand(const Call& call) {
  RedisSessionState& state = call.state;
  const bool open = state.transaction != nullptr;
  switch (RedisLocalOf(*call.spec)) {
    case RedisLocal::kMulti:
      if (open) return ReplyError(call.session, state, "ERR MULTI calls can not be nested");
      state.transaction = NewTransaction();
      state.transaction->selector_version = selector_.version();
      return Reply(call.session, state, "+OK\r\n");
    case RedisLocal::kDiscard:
      if (!open) return ReplyError(call.session, state, "ERR DISCARD without MULTI");
      Recycle(std::move(state.transaction));
      return Reply(call.session, state, "+OK\r\n");
    case RedisLocal::kExec:
      return ReplyError(call.session, state, "ERR EXEC without MULTI");
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
  const bool keyed = HasKeys(spec);
  std::string error;
  if (spec.command_class == CommandClass::kLocal && !harmless) {
    error = RefusedError(spec, "the proxy answers it, so it cannot be part of a transaction");
  } else if (spec.command_class == CommandClass::kEveryShard && pool_->shard_count() > 1) {
    error = RefusedError(spec, "it concerns every shard, a transaction only one");
  } else if (transaction.frames.size() + call.frame.size() > pool_->config.max_request) {
    error = "ERR the transaction is larger than the pool's max_request";
  } else if (keyed) {
    const KeyError key_error = FindKeys(spec, call.args, &keys_);  // Locate uses them
    if (!key_error.ok()) error = key_error.text;
  }
  if (!error.empty()) {
    transaction.failed = true;
    return ReplyError(call.session, call.state, error);
  }
  if (keyed) Locate(call.args, transaction);
  ByteQueueWriter out(chunks_, transaction.frames);
  AppendCommand(out, call.args);
  ++transaction.commands;
  Reply(call.session, call.state, "+QUEUED\r\n");
}

void RedisHandler::Locate(CommandArgs args, RedisTransaction& transaction) {
  for (uint32_t position : keys_) {
    const uint32_t shard = selector_.Select(args[position]).shard;
    if (!transaction.shard.has_value()) {
      transaction.shard = shard;
      transaction.first_key = args[position].substr(0, kMaxQuoted + 1);
    } else if (shard != *transaction.shard && !transaction.stray_shard.has_value()) {
      transaction.stray_shard = shard;
      transaction.stray_key = args[position].substr(0, kMaxQuoted + 1);
    }
  }
}

void RedisHandler::LocateAgain(RedisTransaction& transaction) {
  transaction.shard.reset();
  transaction.stray_shard.reset();
  transaction.selector_version = selector_.version();
  // Each was within the limits when it was queued; a reload may have lowered them since.
  RespRequestParser parser(RequestLimits{.max_request_bytes = UINT64_MAX});
  std::string scratch;
  std::string_view rest = transaction.frames.Flatten(&scratch);
  while (!rest.empty()) {
    const ParseResult result = parser.Parse(rest);
    CHECK(result.status == ParseStatus::kFrame);
    rest.remove_prefix(result.consumed);
    const CommandArgs args = parser.args();
    const CommandSpec* spec = pool_->commands->Find(args[0]);
    if (spec != nullptr && spec->has_subcommands() && args.size() > 1) {
      spec = pool_->commands->FindSubcommand(*spec, args[1]);
    }
    // What was allowed when it was queued may be so no more.
    const bool needs_one_shard =
        spec != nullptr && (spec->command_class == CommandClass::kEveryShard ||
                            Admit(*spec, args).verdict == Admission::kNeedsOneShard);
    if (spec == nullptr || (needs_one_shard && pool_->shard_count() > 1)) {
      transaction.failed = true;
    } else if (HasKeys(*spec) && FindKeys(*spec, args, &keys_).ok()) {
      Locate(args, transaction);
    }
  }
}

bool RedisHandler::Exec(const Call& call) {
  const bool large = IsLarge(call.state.transaction->frames.size());
  if (large && !call.session.WaitUntilEmpty()) return false;
  std::unique_ptr<RedisTransaction> transaction = std::move(call.state.transaction);
  if (transaction->selector_version != selector_.version()) LocateAgain(*transaction);
  EndTransaction(call, *transaction);
  Recycle(std::move(transaction));
  return true;
}

void RedisHandler::EndTransaction(const Call& call, RedisTransaction& transaction) {
  if (transaction.failed) {
    return ReplyError(call.session, call.state,
                      "EXECABORT Transaction discarded because of previous errors.");
  }
  if (transaction.stray_shard.has_value()) {
    return ReplyError(call.session, call.state,
                      CrossShardError("exec", transaction.first_key, *transaction.shard,
                                      transaction.stray_key, *transaction.stray_shard));
  }
  if (transaction.commands == 0) return Reply(call.session, call.state, "*0\r\n");
  const bool large = IsLarge(transaction.frames.size());
  Request* request = NewRequest(call);
  // MULTI's +OK and each +QUEUED are swallowed; EXEC's reply is the request's.
  request->fragment.replies_to_skip = transaction.commands + 1;
  ByteQueue frames;
  ByteQueueWriter out(chunks_, frames);
  AppendCommand(out, "MULTI");
  frames.Splice(chunks_, std::move(transaction.frames));
  AppendCommand(out, "EXEC");
  const uint32_t shard = transaction.shard.value_or(selector_.Any().shard);
  if (large) {
    call.session.SendOnLease(&request->fragment, shard, std::move(frames));
  } else {
    call.session.Send(&request->fragment, shard, std::move(frames));
  }
}

std::unique_ptr<RedisTransaction> RedisHandler::NewTransaction() {
  if (spare_transactions_.empty()) return std::make_unique<RedisTransaction>();
  std::unique_ptr<RedisTransaction> transaction = std::move(spare_transactions_.back());
  spare_transactions_.pop_back();
  return transaction;
}

void RedisHandler::Recycle(std::unique_ptr<RedisTransaction> transaction) {
  if (spare_transactions_.size() == kSpareTransactions) return;
  transaction->Clear();
  spare_transactions_.push_back(std::move(transaction));
}

}  // namespace weir
