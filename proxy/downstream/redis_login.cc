#include "proxy/downstream/redis_login.h"

#include "proxy/downstream/redis_client_command.h"
#include "proxy/downstream/redis_errors.h"

namespace weir {
namespace {

constexpr std::string_view kDefaultUser = "default";
// redis' text, by which clients know the error. twemproxy said "ERR invalid password".
constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";
constexpr std::string_view kNoPassword =
    "ERR AUTH <password> called without any password configured for the default user. Are you sure "
    "your configuration is correct?";
constexpr std::string_view kHelloNeedsAuth =
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH "
    "<user> <pass> option can be used to authenticate the client and select the RESP protocol "
    "version at the same time";

// Takes the same time wherever the two differ. REQUIRES: `expected` is not empty.
bool SamePassword(std::string_view given, std::string_view expected) {
  unsigned difference = given.size() == expected.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<unsigned char>(given[i] ^ expected[i % expected.size()]);
  }
  return difference == 0;
}

// The pool has one user, redis' "default", who without redis_auth has no password. As in redis, a
// failure leaves a session logged in that was.
bool Authenticate(const LocalRequest& request, std::string_view user, std::string_view password) {
  const std::string& expected = request.context.pool.redis_auth;
  const bool accepted =
      user == kDefaultUser && (expected.empty() || SamePassword(password, expected));
  if (accepted || expected.empty()) request.state.authenticated = true;
  return accepted;
}

// What a HELLO says. The views are into its arguments.
struct HelloOptions {
  std::optional<RespVersion> version;
  std::optional<std::string_view> user;
  std::string_view password;
  std::optional<std::string_view> name;
};

// False after an error reply.
bool ReadVersion(const LocalRequest& request, HelloOptions* options) {
  if (request.args.size() < 2) return true;
  const std::optional<int64_t> version = ParseRedisInteger(request.args[1]);
  if (!version) {
    request.Error("ERR Protocol version is not an integer or out of range");
    return false;
  }
  if (*version != 2 && (*version != 3 || request.context.resp2_only)) {
    request.Error("NOPROTO unsupported protocol version");
    return false;
  }
  options->version = static_cast<RespVersion>(*version);
  return true;
}

// False after an error reply.
bool ReadOptions(const LocalRequest& request, HelloOptions* options) {
  const CommandArgs args = request.args;
  for (size_t i = 2; i < args.size(); ++i) {
    const size_t more = args.size() - 1 - i;
    if (IsWord(args[i], "AUTH") && more >= 2) {
      options->user = args[i + 1];
      options->password = args[i + 2];
      i += 2;
    } else if (IsWord(args[i], "SETNAME") && more >= 1) {
      options->name = args[++i];
      if (const std::string fault = FaultOfClientName(args[i]); !fault.empty()) {
        request.Error(fault);
        return false;
      }
    } else {
      request.Error(StrCat("ERR Syntax error in HELLO option '", Quote(args[i]), "'"));
      return false;
    }
  }
  return true;
}

void AppendGreeting(const LocalRequest& request) {
  std::string& reply = request.reply;
  const RespVersion version = request.state.version;
  AppendMapHeader(reply, version, 7);
  AppendBulk(reply, "server");
  AppendBulk(reply, "redis");
  AppendBulk(reply, "version");
  AppendBulk(reply, kRedisVersion);
  AppendBulk(reply, "proto");
  AppendInteger(reply, static_cast<int64_t>(version));
  AppendBulk(reply, "id");
  AppendInteger(reply, static_cast<int64_t>(request.context.session_id));
  AppendBulk(reply, "mode");
  AppendBulk(reply, "standalone");
  AppendBulk(reply, "role");
  AppendBulk(reply, "master");
  AppendBulk(reply, "modules");
  AppendArrayHeader(reply, 0);
}

}  // namespace

void AnswerAuth(const LocalRequest& request) {
  const CommandArgs args = request.args;
  if (args.size() > 3) return request.Error(kSyntaxError);
  if (args.size() == 2 && request.context.pool.redis_auth.empty()) {
    return request.Error(kNoPassword);
  }
  const std::string_view user = args.size() == 3 ? args[1] : kDefaultUser;
  if (!Authenticate(request, user, args.back())) return request.Error(kWrongPassword);
  request.Ok();
}

void AnswerHello(const LocalRequest& request) {
  RedisSessionState& state = request.state;
  HelloOptions options;
  if (!ReadVersion(request, &options) || !ReadOptions(request, &options)) return;
  if (options.user && !Authenticate(request, *options.user, options.password)) {
    return request.Error(kWrongPassword);
  }
  if (IsLocked(state, request.context.pool)) return request.Error(kHelloNeedsAuth);
  if (options.name) state.client_name = *options.name;
  if (options.version) state.version = *options.version;
  AppendGreeting(request);
}

}  // namespace weir
