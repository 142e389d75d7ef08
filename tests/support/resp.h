// Just enough of the redis protocol for fake shards and test clients; written apart from
// proxy/codec, so that a test of the proxy does not trust the code it tests. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// A request as clients send it: an array of bulk strings.
std::string EncodeRequest(const std::vector<std::string_view>& arguments);

std::string EncodeBulk(std::string_view text);

// The first request in `input`: how many bytes it has, with its arguments (views into `input`); 0
// when it is not complete yet. CHECKs that it is an array of bulk strings.
size_t TakeRequest(std::string_view input, std::vector<std::string_view>& arguments);

// A reply that is a line or a bulk string.
struct Reply {
  char type = 0;     // '+', '-', ':' or '$'; '_' for the null bulk string
  std::string text;  // without type, length and line ends

  bool is_error() const { return type == '-'; }
};

// The first reply in `input`: how many bytes it has; 0 when it is not complete yet. CHECKs its
// type.
size_t TakeReply(std::string_view input, Reply& reply);

}  // namespace weir
