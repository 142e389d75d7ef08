#include "proxy/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace weir::check_internal {

void Fail(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace weir::check_internal
