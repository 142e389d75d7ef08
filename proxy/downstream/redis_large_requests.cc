// RedisHandler's part for requests that are too large to be gathered, or to be taken at all.
//
// The limits are decided by the request alone, not by the pieces in which it arrives.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/codec/redis_commands.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/downstream/redis_errors.h"
#include "proxy/downstream/redis_handler.h"
#include "proxy/downstream/session.h"

namespace weir {
namespace {

// A request whose only key is further behind is gathered.
constexpr size_t kMaxKeyPosition = 7;
// A request may be so large before the password is given: redis' limit for an argument then.
constexpr uint64_t kMaxLockedRequest = 16384;
constexpr std::string_view kTooLarge = "ERR the request is larger than the pool's max_request";

uint64_t LockedLimit(const PoolConfig& config) {
  return std::min(kMaxLockedRequest, config.max_request);
}

}  // namespace

RequestLimits RedisHandler::LimitsOf(const PoolConfig& config) {
  RequestLimits limits;
  limits.max_request_bytes = std::max<uint64_t>(config.max_request, 600ull << 20);
  return limits;
}

size_t RedisHandler::HandleUnfinished(Session& session, RedisSessionState& state,
                                      RespRequestParser& parser, std::string_view rest) {
  using enum LargeWay::Kind;
  const uint64_t wanted = parser.wanted_bytes();
  const bool locked = IsLocked(state, pool_->config);
  if (locked && wanted > LockedLimit(pool_->config)) {
    return RefuseTooLarge(session, state, parser, kNoAuth, rest);
  }
  // Asked until it is known, which takes few arguments: a look at them costs time by their number.
  LargeWay way = {state.parser != nullptr && state.parser->gathers ? kGather : kUnknown};
  if (IsLarge(wanted)) {
    if (way.kind == kUnknown) way = LargeWayOf(state, parser, rest);
    if (way.kind == kStream && session.in_flight() == 0) {
      BeginUpload(session, state, parser, way.shard, rest);
      return rest.size();
    }
    // Its shard must have answered what was asked before: this goes another way.
    if (way.kind == kStream) session.WaitUntilEmpty();
    const uint64_t to_gather = way.kind == kGather    ? wanted
                               : way.kind == kUnknown ? parser.argument_end()
                                                      : 0;
    if (to_gather > pool_->config.max_request) {
      return RefuseTooLarge(session, state, parser, kTooLarge, rest);
    }
  }
  if (state.parser != nullptr) {
    state.parser->Count();
  } else {
    state.parser = std::make_unique<HeldParser>(chunks_, RespRequestParser(parser_));
    parser_.Reset();
  }
  // A reload may take the password away before the rest is here.
  state.parser->gathers = way.kind == kGather && !locked;
  return 0;
}

RedisHandler::LargeWay RedisHandler::LargeWayOf(const RedisSessionState& state,
                                                RespRequestParser& parser, std::string_view rest) {
  using enum LargeWay::Kind;
  if (parser.is_inline() || IsLocked(state, pool_->config) || state.transaction != nullptr) {
    return {kGather};
  }
  const CommandArgs args = parser.args();
  if (args.empty()) return {kUnknown};
  const CommandSpec* spec = pool_->commands->Find(args[0]);
  if (spec == nullptr || spec->command_class != CommandClass::kByKey ||
      spec->argument_check != nullptr || spec->has_subcommands() ||
      !ArityMatches(*spec, static_cast<size_t>(parser.declared_args()))) {
    return {kGather};
  }
  const uint32_t position = SingleKeyIndex(*spec);
  if (position == 0 || position > kMaxKeyPosition) return {kGather};
  if (position >= args.size()) return {kUnknown};
  const std::string_view key = args[position];
  const auto key_end = static_cast<uint64_t>(key.data() + key.size() - rest.data()) + 2;
  if (key_end > pool_->config.max_request) return {kGather};
  return {kStream, selector_.Select(key).shard};
}

std::string_view RedisHandler::SizeError(const RedisSessionState& state, RespRequestParser& parser,
                                         std::string_view rest, uint64_t bytes) {
  if (IsLocked(state, pool_->config) && bytes > LockedLimit(pool_->config)) return kNoAuth;
  if (bytes <= pool_->config.max_request) return {};
  return LargeWayOf(state, parser, rest).kind == LargeWay::Kind::kStream ? "" : kTooLarge;
}

size_t RedisHandler::RefuseTooLarge(Session& session, RedisSessionState& state,
                                    RespRequestParser& parser, std::string_view error,
                                    std::string_view rest) {
  session.context().stats.refused_requests.Add();
  ReplyError(session, state, error);
  session.EndAfterReplies();
  parser.Reset();  // it may be the one that all sessions share
  return rest.size();
}

void RedisHandler::BeginUpload(Session& session, RedisSessionState& state,
                               RespRequestParser& parser, uint32_t shard,
                               std::string_view beginning) {
  session.UseVariant(UpstreamVariant(state));
  Request* request = session.NewRequest(TakeSilence(state));
  state.upload =
      std::make_unique<RedisUpload>(session.context().requests, request, LimitsOf(pool_->config));
  session.context().stats.requests.Add();
  state.upload->scanner().Scan(beginning);
  session.BeginUpload();
  session.SendOnLease(&request->fragment, shard, beginning);
  parser.Reset();
  state.parser.reset();
}

size_t RedisHandler::ContinueUpload(Session& session, RedisSessionState& state,
                                    std::string_view input) {
  RedisUpload& upload = *state.upload;
  const ParseResult result = upload.scanner().Scan(input);
  if (result.status == ParseStatus::kError) {
    session.context().stats.protocol_errors.Add();
    std::string error;
    AppendError(error, upload.scanner().error());
    session.BreakUpload(upload.request(), error);
    state.upload.reset();
    return input.size();
  }
  const bool last = result.status == ParseStatus::kFrame;
  session.SendMoreOnLease(&upload.request()->fragment, input.substr(0, result.consumed), last);
  if (last) EndUpload(session, state);
  return result.consumed;
}

void RedisHandler::EndUpload(Session& session, RedisSessionState& state) {
  state.upload.reset();
  session.EndUpload();
}

}  // namespace weir
