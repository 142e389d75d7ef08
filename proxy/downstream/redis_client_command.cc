#include "proxy/downstream/redis_client_command.h"

#include <algorithm>

#include "proxy/base/check.h"
#include "proxy/downstream/redis_errors.h"

namespace weir {
namespace {

constexpr std::string_view kHelp[] = {
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "LIST [options ...]",
    "    Return information about the current client connection: others are not shown. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "    * ID <client-id> [<client-id> ...]",
    "      Return clients with these IDs.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    Name the client library of the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Accepted without effect.",
    "NO-TOUCH (ON|OFF)",
    "    Accepted without effect.",
    "HELP",
    "    Prints this help.",
};

// What is wrong with a name, a library's name or its version; `what` names it.
std::string FaultOfAttribute(std::string_view what, std::string_view value) {
  const auto printable = [](char c) { return c > ' ' && c <= '~'; };
  if (!std::ranges::all_of(value, printable)) {
    return StrCat("ERR ", what, " cannot contain spaces, newlines or special characters.");
  }
  if (value.size() > kMaxClientAttribute) {
    return StrCat("ERR ", what, " cannot be longer than ", kMaxClientAttribute, " bytes.");
  }
  return "";
}

// RedisSessionState::library is "name version"; neither has blanks, and either may be missing.
std::string_view LibraryName(std::string_view library) {
  return library.substr(0, library.find(' '));
}
std::string_view LibraryVersion(std::string_view library) {
  const size_t blank = library.find(' ');
  return blank == std::string_view::npos ? std::string_view() : library.substr(blank + 1);
}

void SetName(const LocalRequest& request) {
  const std::string_view name = request.args[2];
  if (const std::string fault = FaultOfClientName(name); !fault.empty()) {
    return request.Error(fault);
  }
  request.state.client_name = name;
  request.Ok();
}

void GetName(const LocalRequest& request) {
  const std::string& name = request.state.client_name;
  if (name.empty()) return AppendNull(request.reply, request.state.version);
  AppendBulk(request.reply, name);
}

void SetInfo(const LocalRequest& request) {
  const std::string_view option = request.args[2];
  const std::string_view value = request.args[3];
  std::string& library = request.state.library;
  const bool is_name = IsWord(option, "LIB-NAME");
  if (!is_name && !IsWord(option, "LIB-VER")) {
    return request.Error(StrCat("ERR Unrecognized option '", Quote(option), "'"));
  }
  if (const std::string fault = FaultOfAttribute(option, value); !fault.empty()) {
    return request.Error(fault);
  }
  library = StrCat(is_name ? value : LibraryName(library), " ",
                   is_name ? LibraryVersion(library) : value);
  request.Ok();
}

// The session in redis' format. Some clients refuse fields that they do not know, so all are redis'
// own; sizes of buffers that Weir does not keep per session are 0.
std::string Describe(const LocalRequest& request) {
  const LocalContext& context = request.context;
  const RedisSessionState& state = request.state;
  const absl::Duration age = std::max(context.now - state.connected_at, absl::ZeroDuration());
  const bool in_transaction = state.transaction != nullptr;
  return StrCat(
      "id=", context.session_id, " addr=", context.peer_address, " laddr=", context.local_address,
      " fd=-1 name=", state.client_name, " age=", absl::ToInt64Seconds(age),
      " idle=0 flags=", in_transaction ? "x" : "N", " db=", context.pool.redis_db,
      " sub=0 psub=0 ssub=0 multi=", in_transaction ? int64_t{state.transaction->commands} : -1,
      " qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0"
      " tot-mem=0 events=r cmd=",
      request.spec.name, " user=default redir=-1 resp=", static_cast<int>(state.version),
      " lib-name=", LibraryName(state.library), " lib-ver=", LibraryVersion(state.library), "\n");
}

void Info(const LocalRequest& request) {
  AppendVerbatim(request.reply, request.state.version, Describe(request));
}

// Whether this session is among those that CLIENT LIST ID names, or nothing after an error reply.
std::optional<bool> ListedById(const LocalRequest& request) {
  bool listed = false;
  for (std::string_view argument : request.args.subspan(3)) {
    const std::optional<int64_t> id = ParseRedisInteger(argument);
    if (!id) {
      request.Error("ERR Invalid client ID");
      return std::nullopt;
    }
    listed |= static_cast<uint64_t>(*id) == request.context.session_id;
  }
  return listed;
}

// The same for CLIENT LIST TYPE.
std::optional<bool> ListedByType(const LocalRequest& request) {
  const std::string_view type = request.args[3];
  if (IsWord(type, "normal")) return true;
  const auto is_type = [type](std::string_view known) { return IsWord(type, known); };
  constexpr std::string_view kOthers[] = {"master", "replica", "slave", "pubsub"};
  if (std::ranges::any_of(kOthers, is_type)) return false;
  request.Error(StrCat("ERR Unknown client type '", Quote(type), "'"));
  return std::nullopt;
}

// Of all sessions only this one: the others are not its business.
void List(const LocalRequest& request) {
  const CommandArgs args = request.args;
  std::optional<bool> listed;
  if (args.size() == 2) {
    listed = true;
  } else if (args.size() == 4 && IsWord(args[2], "TYPE")) {
    listed = ListedByType(request);
  } else if (args.size() > 3 && IsWord(args[2], "ID")) {
    listed = ListedById(request);
  } else {
    request.Error(kSyntaxError);
  }
  if (!listed) return;
  AppendVerbatim(request.reply, request.state.version, *listed ? Describe(request) : "");
}

LocalOutcome Reply(const LocalRequest& request) {
  ReplyMode& mode = request.state.reply_mode;
  const std::string_view wanted = request.args[2];
  if (IsWord(wanted, "ON")) {
    mode = ReplyMode::kOn;
    request.Ok();
    return LocalOutcome::kReplied;
  }
  if (IsWord(wanted, "OFF")) {
    mode = ReplyMode::kOff;
    return LocalOutcome::kNoReply;
  }
  if (IsWord(wanted, "SKIP")) {
    if (mode != ReplyMode::kOff) mode = ReplyMode::kSkipNext;
    return LocalOutcome::kNoReply;
  }
  request.Error(kSyntaxError);
  return LocalOutcome::kReplied;
}

// NO-EVICT and NO-TOUCH are about a shard's view of its client, which is the proxy for all.
void Switch(const LocalRequest& request) {
  const std::string_view wanted = request.args[2];
  if (!IsWord(wanted, "ON") && !IsWord(wanted, "OFF")) return request.Error(kSyntaxError);
  request.Ok();
}

void Help(const LocalRequest& request) {
  AppendArrayHeader(request.reply, std::ssize(kHelp));
  for (std::string_view line : kHelp) AppendSimple(request.reply, line);
}

}  // namespace

std::string FaultOfClientName(std::string_view name) {
  return FaultOfAttribute("Client names", name);
}

LocalOutcome AnswerClient(const LocalRequest& request) {
  switch (request.local()) {
    case RedisLocal::kClientGetName:
      GetName(request);
      break;
    case RedisLocal::kClientHelp:
      Help(request);
      break;
    case RedisLocal::kClientId:
      AppendInteger(request.reply, static_cast<int64_t>(request.context.session_id));
      break;
    case RedisLocal::kClientInfo:
      Info(request);
      break;
    case RedisLocal::kClientList:
      List(request);
      break;
    case RedisLocal::kClientNoEvict:
    case RedisLocal::kClientNoTouch:
      Switch(request);
      break;
    case RedisLocal::kClientReply:
      return Reply(request);
    case RedisLocal::kClientSetInfo:
      SetInfo(request);
      break;
    case RedisLocal::kClientSetName:
      SetName(request);
      break;
    default:
      CHECK(false);  // not one of CLIENT's
  }
  return LocalOutcome::kReplied;
}

}  // namespace weir
