#include "proxy/downstream/redis_handler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "proxy/base/check.h"
#include "proxy/base/log.h"
#include "proxy/base/socket_ends.h"
#include "proxy/base/strings.h"
#include "proxy/base/version.h"
#include "proxy/codec/redis_commands.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/downstream/redis_errors.h"
#include "proxy/downstream/redis_local.h"
#include "proxy/downstream/session.h"

namespace weir {
namespace {

// Of so many failed shards the error for a split request says why.
constexpr size_t kMaxCauses = 8;
constexpr size_t kKeptScratchBytes = 1 << 16;  // of an answer of the proxy's own, for the next one
// What looking through the whole table of commands costs, beside its answer, in bytes of one.
constexpr size_t kTableCost = 16384;
// The smallest limit that a request may be over: max_request at its least.
constexpr uint64_t kWithinAnyLimit = 1024;

// Whether this is no client of redis: a browser can be made to send lines to any port, and behind
// the header's lines those of its choice. redis looks for the same two words.
bool IsHttp(std::string_view command) {
  return absl::EqualsIgnoreCase(ToAbsl(command), "post") ||
         absl::EqualsIgnoreCase(ToAbsl(command), "host:");
}

// Whether the shard, or the proxy for want of it, answered any part with an error.
bool AnyFailed(const Split& split) {
  return std::ranges::any_of(split.fragments, [](const Fragment& fragment) {
    return fragment.reply.front().starts_with('-');
  });
}

}  // namespace

RedisHandler::RedisHandler(PoolSnapshotPtr pool, ShardSelector& selector, ChunkPool& chunks,
                           uint32_t workers, absl::Time started_at)
    : pool_(std::move(pool)),
      selector_(selector),
      chunks_(chunks),
      workers_(workers),
      started_at_(started_at),
      parser_(LimitsOf(pool_->config)) {}

std::unique_ptr<ProtocolState> RedisHandler::NewState() {
  auto state = std::make_unique<RedisSessionState>();
  state->connected_at = absl::Now();
  state->authenticated = pool_->config.redis_auth.empty();
  return state;
}

void RedisHandler::Update(PoolSnapshotPtr pool) {
  // Other shards may know more.
  if (pool->config.servers != pool_->config.servers) resp2_only_ = false;
  pool_ = std::move(pool);
  parser_ = RespRequestParser(LimitsOf(pool_->config));
}

// --- Bytes → requests ---

size_t RedisHandler::HandleInput(Session& session, std::string_view input) {
  auto& state = static_cast<RedisSessionState&>(session.state());
  size_t used = state.upload != nullptr ? ContinueUpload(session, state, input) : 0;
  while (used < input.size() && session.CanTake()) {
    RespRequestParser& parser = state.parser != nullptr ? state.parser->parser() : parser_;
    const std::string_view rest = input.substr(used);
    const ParseResult result = parser.Parse(rest);
    if (result.status == ParseStatus::kNeedMore) {
      return used + HandleUnfinished(session, state, parser, rest);
    }
    if (result.status == ParseStatus::kError) {
      session.context().stats.protocol_errors.Add();
      ReplyError(session, state, parser.error());
      session.EndAfterReplies();
      return input.size();
    }
    if (result.consumed > kWithinAnyLimit) {
      const std::string_view error = SizeError(state, parser, rest, result.consumed);
      if (!error.empty()) [[unlikely]] {
        return used + RefuseTooLarge(session, state, parser, error, rest);
      }
    }
    const bool taken = HandleRequest(session, state, parser.args(), rest.substr(0, result.consumed),
                                     parser.is_inline());
    state.parser.reset();
    if (!taken) return used;
    session.context().stats.requests.Add();
    used += result.consumed;
  }
  return used;
}

bool RedisHandler::HandleRequest(Session& session, RedisSessionState& state, CommandArgs args,
                                 std::string_view frame, bool is_inline) {
  if (args.empty()) return true;
  const CommandSpec* spec = FindCommand(session, state, args);
  if (spec == nullptr) return true;
  const Call call = {session, state, spec, args, frame, is_inline};
  if (!CheckRequest(call)) return true;
  if (state.transaction != nullptr && spec->command_class != CommandClass::kTransaction &&
      RedisLocalOf(*spec) != RedisLocal::kQuit && RedisLocalOf(*spec) != RedisLocal::kReset) {
    QueueInTransaction(call);
    return true;
  }
  if (spec->command_class != CommandClass::kLocal && !session.UseVariant(UpstreamVariant(state))) {
    return false;
  }
  switch (spec->command_class) {
    case CommandClass::kByKey:
      return ForwardByKey(call);
    case CommandClass::kSplit:
      return SplitByKey(call);
    case CommandClass::kEveryShard:
      return SendToEveryShard(call);
    case CommandClass::kOneShard:
      return Forward(call, 0);
    case CommandClass::kTransaction:
      if (state.transaction != nullptr && RedisLocalOf(*spec) == RedisLocal::kExec) {
        return Exec(call);
      }
      AnswerTransactionCommand(call);
      return true;
    case CommandClass::kLocal:
      if (!session.MayAnswer()) return false;
      AnswerItself(call);
      return true;
    case CommandClass::kRefused:
    case CommandClass::kContainer:
      break;
  }
  CHECK(false);  // CheckRequest has refused them
  return true;
}

const CommandSpec* RedisHandler::FindCommand(Session& session, RedisSessionState& state,
                                             CommandArgs args) {
  const CommandSpec* spec = pool_->commands->Find(args[0]);
  if (spec != nullptr && spec->has_subcommands() && args.size() > 1) {
    const CommandSpec* sub = pool_->commands->FindSubcommand(*spec, args[1]);
    if (sub == nullptr) {
      if (state.transaction != nullptr) state.transaction->failed = true;
      ReplyError(session, state, UnknownSubcommandError(*spec, args[1]));
      return nullptr;
    }
    return sub;
  }
  if (spec == nullptr) {
    if (state.transaction != nullptr) state.transaction->failed = true;
    ReplyError(session, state, UnknownCommandError(args));
    if (IsHttp(args[0])) {
      LOG_EVENT_LIMITED(LogLevel::kWarn, "http_request_refused", {"pool", pool_->config.name});
      session.EndAfterReplies();
    }
  }
  return spec;
}

bool RedisHandler::CheckRequest(const Call& call) {
  const CommandSpec& spec = *call.spec;
  std::string error;
  if (!spec.Has(CommandFlag::kNoAuth) && IsLocked(call.state, pool_->config)) {
    error = kNoAuth;
  } else if (!ArityMatches(spec, call.args.size())) {
    error = WrongArityError(spec);
    if (RedisLocalOf(spec) == RedisLocal::kExec && call.state.transaction != nullptr) {
      error = StrCat("EXECABORT Transaction discarded because of: ", CauseOf(error));
      call.state.transaction.reset();
    }
  } else {
    const Admission admission = Admit(spec, call.args);
    const bool flush_refused = spec.Has(CommandFlag::kFlush) && !pool_->config.allow_flush;
    if (flush_refused) {
      error = RefusedError(spec, "it empties every shard; the pool's allow_flush permits it");
    } else if (admission.verdict == Admission::kInvalid) {
      error = admission.text;
    } else if (admission.verdict == Admission::kRefused ||
               spec.command_class == CommandClass::kContainer ||
               (admission.verdict == Admission::kNeedsOneShard && pool_->shard_count() > 1)) {
      error = RefusedError(spec, admission.text);
    }
  }
  if (error.empty()) return true;
  call.session.context().stats.refused_requests.Add();
  if (call.state.transaction != nullptr) call.state.transaction->failed = true;
  ReplyError(call.session, call.state, error);
  return false;
}

// --- Forwarding ---

bool RedisHandler::ForwardByKey(const Call& call) {
  if (uint32_t position = SingleKeyIndex(*call.spec)) {
    return Forward(call, selector_.Select(call.args[position]).shard);
  }
  std::optional<uint32_t> shard = OnlyShard(call);
  return shard.has_value() ? Forward(call, *shard) : true;
}

bool RedisHandler::Forward(const Call& call, uint32_t shard) {
  Session& session = call.session;
  // An inline request is never large.
  if ((IsLarge(call.frame.size()) || session.WantsLease(call.frame)) && !call.is_inline)
      [[unlikely]] {
    if (!session.WaitUntilEmpty()) return false;
    session.SendOnLease(&NewRequest(call)->fragment, shard, call.frame);
    return true;
  }
  Request* request = NewRequest(call);
  if (call.is_inline) {
    ByteQueue frame;
    ByteQueueWriter out(chunks_, frame);
    AppendCommand(out, call.args);
    session.Send(&request->fragment, shard, std::move(frame));
  } else {
    session.Send(&request->fragment, shard, call.frame);
  }
  return true;
}

std::optional<uint32_t> RedisHandler::OnlyShard(const Call& call) {
  const KeyError error = FindKeys(*call.spec, call.args, &keys_);
  if (!error.ok()) {
    ReplyError(call.session, call.state, error.text);
    return std::nullopt;
  }
  if (keys_.empty()) {
    if (pool_->shard_count() == 1) return 0;
    ReplyError(call.session, call.state,
               RefusedError(*call.spec, "it names no key, and the pool has several shards"));
    return std::nullopt;
  }
  if (splitter_.Assign(call.args, keys_, selector_) == 1) return splitter_.shard_of(0);
  const size_t stray = splitter_.first_stray();
  ReplyError(call.session, call.state,
             CrossShardError(call.spec->name, call.args[keys_[0]], splitter_.shard_of(0),
                             call.args[keys_[stray]], splitter_.shard_of(stray)));
  return std::nullopt;
}

bool RedisHandler::SplitByKey(const Call& call) {
  const KeyError error = FindKeys(*call.spec, call.args, &keys_);
  if (!error.ok()) {
    ReplyError(call.session, call.state, error.text);
    return true;
  }
  if (splitter_.Assign(call.args, keys_, selector_) == 1) {
    return Forward(call, splitter_.shard_of(0));
  }
  const bool large = IsLarge(call.frame.size());
  if (large && !call.session.WaitUntilEmpty()) return false;
  Request* request = NewRequest(call);
  Split& split = call.session.context().requests.AddSplit(request);
  splitter_.Encode<RespRequestEncoder>(*call.spec, call.args, keys_, chunks_, &split, &frames_);
  SendSplit(call, request, large);
  return true;
}

bool RedisHandler::SendToEveryShard(const Call& call) {
  if (pool_->shard_count() == 1) return Forward(call, 0);
  Request* request = NewRequest(call);
  Split& split = call.session.context().requests.AddSplit(request);
  split.merge = call.spec->merge;
  split.remaining = static_cast<uint32_t>(pool_->shard_count());
  split.fragments.resize(pool_->shard_count());
  frames_.clear();
  frames_.resize(pool_->shard_count());
  for (uint32_t shard = 0; shard < split.fragments.size(); ++shard) {
    split.fragments[shard].shard = shard;
    ByteQueueWriter out(chunks_, frames_[shard]);
    AppendCommand(out, call.args);
  }
  SendSplit(call, request, /*large=*/false);
  return true;
}

void RedisHandler::SendSplit(const Call& call, Request* request, bool large) {
  Split& split = *request->split;
  call.session.context().stats.fragments.Add(split.fragments.size());
  for (size_t i = 0; i < split.fragments.size(); ++i) {
    Fragment& fragment = split.fragments[i];
    fragment.request = request;
    if (large && IsLarge(frames_[i].size())) {
      call.session.SendOnLease(&fragment, fragment.shard, std::move(frames_[i]));
    } else {
      call.session.Send(&fragment, fragment.shard, std::move(frames_[i]));
    }
    frames_[i].Clear();  // of a fragment that was refused
  }
}

// --- The proxy's own answers ---

void RedisHandler::AnswerItself(const Call& call) {
  Session& session = call.session;
  const RedisLocal local = RedisLocalOf(*call.spec);
  const bool tells_addresses = local == RedisLocal::kClientInfo || local == RedisLocal::kClientList;
  const SocketEnds addresses = tells_addresses ? EndsOf(session.fd()) : SocketEnds();
  const LocalContext context = {
      .pool = pool_->config,
      .commands = *pool_->commands,
      .session_id = session.id(),
      .peer_address = addresses.peer,
      .local_address = addresses.local,
      .now = absl::Now(),
      .started_at = started_at_,
      .workers = workers_,
      // Adds up what all workers count.
      .sessions = local == RedisLocal::kInfo ? session.context().owner.SessionsOfPool() : 0,
      .max_reply = pool_->config.session_output_limit,
      .resp2_only = resp2_only_,
      .version = kVersion};
  scratch_.clear();
  switch (AnswerLocally(*call.spec, call.args, context, call.state, &scratch_)) {
    case LocalOutcome::kReplied:
      Reply(session, call.state, scratch_);
      break;
    case LocalOutcome::kReplyAndClose:
      Reply(session, call.state, scratch_);
      session.EndAfterReplies();
      break;
    case LocalOutcome::kNoReply:
      break;
  }
  const bool looks_through_table = call.spec->name.starts_with("command");
  session.CountAnswer(scratch_.size() + (looks_through_table ? kTableCost : 0));
  if (scratch_.capacity() > kKeptScratchBytes) std::string().swap(scratch_);
}

void RedisHandler::EncodeFailure(const Request& request, Failure failure, uint32_t shard,
                                 ByteQueue* out) {
  ByteQueueWriter writer(chunks_, *out);
  AppendError(writer, FailureError(failure, ShardName(shard)));
}

void RedisHandler::Merge(const Request& request, ByteQueue* out) {
  Split& split = *request.split;
  if (split.dropped) {
    ByteQueueWriter writer(chunks_, *out);
    return AppendError(writer, "ERR the reply is larger than the pool's session_output_limit");
  }
  if (split.merge != Merge::kConcat && AnyFailed(split)) {
    // What was applied elsewhere stays applied, so the error says where it was not.
    std::string failed;
    std::string_view code;
    size_t failures = 0;
    for (const Fragment& fragment : split.fragments) {
      const std::string_view reply = fragment.reply.front();
      if (!reply.starts_with('-')) continue;
      code = failures == 0 || CodeOf(reply) == code ? CodeOf(reply) : "ERR";
      StrAppend(&failed, failures == 0 ? "" : ", ", ShardName(fragment.shard));
      if (failures++ < kMaxCauses) StrAppend(&failed, ": ", CauseOf(reply));
    }
    ByteQueueWriter writer(chunks_, *out);
    return AppendError(
        writer, StrCat(code, " ", failures, " of ", split.fragments.size(), " shards failed (",
                       failed, "); what the others did stays done"));
  }
  merger_.Merge(split, pool_->config.partial_mget == PartialMget::kElements, resp_merger_, chunks_,
                out);
}

// --- Helpers ---

Request* RedisHandler::NewRequest(const Call& call) {
  return call.session.NewRequest(TakeSilence(call.state));
}

bool RedisHandler::TakeSilence(RedisSessionState& state) {
  if (state.reply_mode == ReplyMode::kOn) [[likely]] {
    return false;
  }
  if (state.reply_mode == ReplyMode::kSkipNext) state.reply_mode = ReplyMode::kOn;
  return true;
}

void RedisHandler::Reply(Session& session, RedisSessionState& state, std::string_view encoded) {
  if (!TakeSilence(state)) session.Reply(encoded);
}

void RedisHandler::ReplyError(Session& session, RedisSessionState& state, std::string_view text) {
  std::string encoded;
  AppendError(encoded, text);
  Reply(session, state, encoded);
}

std::string RedisHandler::CrossShardError(std::string_view command, std::string_view key,
                                          uint32_t shard, std::string_view stray,
                                          uint32_t stray_shard) const {
  if (pool_->config.distribution == Distribution::kRandom) {
    return StrCat("CROSSSHARD '", command,
                  "' has several keys, and in a pool with distribution random each goes anywhere");
  }
  return StrCat(
      "CROSSSHARD '", command, "' has keys on several shards: '", Quote(key), "' is on ",
      ShardName(shard), ", '", Quote(stray), "' on ", ShardName(stray_shard),
      !pool_->config.hash_tag.enabled
          ? "; with hash_tag in the pool's configuration those with a common hash tag stay together"
          : "; keys with a common hash tag stay together");
}

}  // namespace weir
