// Hash tags: the part of a key that decides its shard, so that related keys can share one.
// Pure, allocates nothing, callable from any thread.
#pragma once

#include <string_view>

namespace weir {

// The `hash_tag:` key of a pool: exactly two characters, which may be the same one (`$$`).
struct HashTag {
  char open = 0;
  char close = 0;
  bool enabled = false;

  friend bool operator==(HashTag, HashTag) = default;
};

// The bytes of `key` to be hashed, as a view into it: what is between the first `open` and the
// first `close` after that; the whole key when either is missing or nothing is between them, or
// without a hash tag. Same as twemproxy: "a}{b}c" hashes "b", "{}{b}" hashes all of itself.
inline std::string_view HashedPart(std::string_view key, HashTag tag) {
  if (!tag.enabled) return key;
  size_t open = key.find(tag.open);
  if (open == std::string_view::npos) return key;
  size_t begin = open + 1;
  size_t close = key.find(tag.close, begin);
  if (close == std::string_view::npos || close == begin) return key;
  return key.substr(begin, close - begin);
}

}  // namespace weir
