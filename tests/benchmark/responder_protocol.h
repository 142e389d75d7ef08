// What the responder answers: as little redis as the benchmark needs, as cheaply as possible.
//
// GET and MGET answer the value that belongs to the key (payload.h), without storing anything; SET
// checks that the value belongs to its key and answers +OK. Pure functions over bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::benchmark {

// Answers the complete requests at the front of `input`, in order, until `*output` holds
// `output_limit` bytes or more. Returns how many bytes of `input` were consumed, or nothing when
// they are not the protocol; the connection is then to be closed once `*output` is sent.
std::optional<size_t> Respond(std::string_view input, size_t output_limit, std::string* output);

}  // namespace weir::benchmark
