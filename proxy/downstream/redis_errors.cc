#include "proxy/downstream/redis_errors.h"

#include <algorithm>
#include <cctype>

#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr size_t kMaxCause = 120;

}  // namespace

std::string Quote(std::string_view input) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string quoted;
  for (char c : input.substr(0, kMaxQuoted)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isprint(byte) != 0) {
      quoted.push_back(c);
    } else {
      quoted += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  if (input.size() > kMaxQuoted) quoted += "...";
  return quoted;
}

std::string UnknownCommandError(CommandArgs args) {
  std::string text =
      StrCat("ERR unknown command '", Quote(args[0]), "', with args beginning with: ");
  for (size_t i = 1; i < args.size() && text.size() < 2 * kMaxQuoted; ++i) {
    StrAppend(&text, "'", Quote(args[i]), "' ");
  }
  return text;
}

std::string UnknownSubcommandError(const CommandSpec& container, std::string_view argument) {
  std::string name(container.name);
  std::transform(name.begin(), name.end(), name.begin(), ::toupper);
  return StrCat("ERR unknown subcommand '", Quote(argument), "'. Try ", name, " HELP.");
}

std::string WrongArityError(const CommandSpec& spec) {
  return StrCat("ERR wrong number of arguments for '", spec.name, "' command");
}

std::string RefusedError(const CommandSpec& spec, std::string_view reason) {
  return StrCat("ERR '", spec.name, "' is not possible through the proxy: ", reason);
}

std::string FailureError(Failure failure, std::string_view shard_name) {
  switch (failure) {
    case Failure::kUnavailable:
      return StrCat("ERR Connection refused: shard ", shard_name, " cannot be reached");
    case Failure::kRefused:
      return StrCat("ERR Connection refused: shard ", shard_name,
                    " answers the proxy's login with an error, which is in the proxy's log");
    case Failure::kNoSocket:
      return StrCat("ERR the proxy has no socket left to connect to shard ", shard_name);
    case Failure::kOverloaded:
      return StrCat("ERR shard ", shard_name,
                    " does not answer, and as much as is allowed is queued for it");
    case Failure::kOutOfOrder:
      return StrCat(
          "ERR an earlier request of this connection timed out and may still take effect on"
          " shard ",
          shard_name, "; this one cannot be sent behind it");
    case Failure::kReset:
      return StrCat("ERR Connection reset by peer: shard ", shard_name,
                    " closed the connection; a write may have taken effect");
    case Failure::kProtocol:
      return StrCat("ERR shard ", shard_name, " broke the protocol; a write may have taken effect");
    case Failure::kSilent:
      return StrCat("ERR Connection timed out: shard ", shard_name,
                    " is silent; a write may take effect");
    case Failure::kTimedOut:
      return StrCat("ERR Connection timed out: shard ", shard_name,
                    " did not answer in time; a write may take effect");
    case Failure::kTimedOutUnsent:
      return StrCat("ERR Connection timed out: the request was not sent to shard ", shard_name);
    case Failure::kEjected:
      return StrCat("ERR shard ", shard_name, " is ejected");
    case Failure::kNoLease:
      return StrCat("ERR too many large requests and replies at a time for shard ", shard_name);
    case Failure::kVariantRefused:
      return StrCat("NOPROTO shard ", shard_name, " speaks RESP2 only");
    case Failure::kRemoved:
      return StrCat("ERR shard ", shard_name, " was removed; a write may have taken effect");
  }
  return "ERR";
}

std::string_view CodeOf(std::string_view frame) {
  if (frame.starts_with('-')) frame.remove_prefix(1);
  return frame.substr(0, std::min(frame.find_first_of(" \r\n"), kMaxCause));
}

std::string_view CauseOf(std::string_view frame) {
  if (frame.starts_with('-')) frame.remove_prefix(1);
  if (frame.starts_with("ERR ")) frame.remove_prefix(4);
  return frame.substr(0, std::min(frame.find_first_of("\r\n"), kMaxCause));
}

}  // namespace weir
