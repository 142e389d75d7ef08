// RedisTransaction: the commands between MULTI and EXEC, checked and kept by the proxy.
//
// Owned by its session's state, same thread; once it is over, the handler uses it again for the
// next MULTI of any session. At EXEC the block goes to the shard of its keys as MULTI … EXEC in one
// piece; its QUEUED replies are swallowed there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "proxy/base/byte_queue.h"

namespace weir {

struct RedisTransaction {
  ByteQueue frames;       // the queued commands, encoded
  uint32_t commands = 0;  // how many
  bool failed = false;    // one was refused: EXEC answers EXECABORT
  // Where the keys so far are, as of this version of the selector; commands without keys go along.
  uint64_t selector_version = 0;
  std::optional<uint32_t> shard;
  std::string first_key;  // as much of it as the cross-shard error shows
  // The first key that is elsewhere, as much of it, and its shard.
  std::string stray_key;
  std::optional<uint32_t> stray_shard;

  // As new, for another use; the texts keep their memory.
  void Clear() {
    RedisTransaction empty;
    first_key.clear();
    stray_key.clear();
    empty.first_key.swap(first_key);
    empty.stray_key.swap(stray_key);
    *this = std::move(empty);
  }
};

}  // namespace weir
