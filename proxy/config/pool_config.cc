#include "proxy/config/pool_config.h"

#include <algorithm>

namespace weir {

absl::Duration DefaultShardSilenceLimit(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return absl::Seconds(30);
  return std::max(2 * timeout, absl::Seconds(1));
}

}  // namespace weir
