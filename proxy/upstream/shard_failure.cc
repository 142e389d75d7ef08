#include "proxy/upstream/shard_failure.h"

namespace weir {

std::string_view ShardFailureName(ShardFailure failure) {
  switch (failure) {
    case ShardFailure::kConnect:
      return "connect";
    case ShardFailure::kReset:
      return "reset";
    case ShardFailure::kProtocol:
      return "protocol_error";
    case ShardFailure::kSilence:
      return "silence";
  }
  return "unknown";
}

}  // namespace weir
