// CHECK: our own broken invariants end the process, loudly. Never used on what comes from the wire
// or from a configuration file. DCHECK vanishes from optimised builds.
#pragma once

namespace weir::check_internal {

// Writes the place and the condition to stderr, then aborts.
[[noreturn]] void Fail(const char* file, int line, const char* condition);

}  // namespace weir::check_internal

#define CHECK(condition)                                            \
  do {                                                              \
    if (!(condition)) [[unlikely]] {                                \
      ::weir::check_internal::Fail(__FILE__, __LINE__, #condition); \
    }                                                               \
  } while (false)

#define CHECK_EQ(a, b) CHECK((a) == (b))
#define CHECK_NE(a, b) CHECK((a) != (b))
#define CHECK_LT(a, b) CHECK((a) < (b))
#define CHECK_LE(a, b) CHECK((a) <= (b))
#define CHECK_GT(a, b) CHECK((a) > (b))
#define CHECK_GE(a, b) CHECK((a) >= (b))

#ifdef NDEBUG
#define DCHECK(condition) \
  do {                    \
  } while (false && (condition))
#else
#define DCHECK(condition) CHECK(condition)
#endif
