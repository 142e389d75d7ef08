// Texts of the errors that the proxy itself answers in the redis protocol, without framing. An API:
// clients match their first word, people their rest. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proxy/codec/command_table.h"
#include "proxy/upstream/reply_sink.h"

namespace weir {

// Bytes of quoted input that are shown.
inline constexpr size_t kMaxQuoted = 128;

// What a client gets for nearly anything before it has given the pool's password.
inline constexpr std::string_view kNoAuth = "NOAUTH Authentication required.";

// For quoting input in an error: at most kMaxQuoted bytes, the unprintable ones as \xNN.
std::string Quote(std::string_view input);

// As redis words them.
std::string UnknownCommandError(CommandArgs args);
std::string UnknownSubcommandError(const CommandSpec& container, std::string_view argument);
std::string WrongArityError(const CommandSpec& spec);

// "ERR 'NAME' is not possible through the proxy: REASON".
std::string RefusedError(const CommandSpec& spec, std::string_view reason);

// The reply for a fragment that failed. The first words are twemproxy's (strerror) where it has
// them.
std::string FailureError(Failure failure, std::string_view shard_name);

// The first word of an error reply, by which clients tell errors: "OOM", "READONLY"; most say
// "ERR".
std::string_view CodeOf(std::string_view frame);

// What an error reply says, without framing and its "ERR", for telling of it in another error: at
// most 120 bytes. Answers a view into `frame`.
std::string_view CauseOf(std::string_view frame);

}  // namespace weir
