// Whether this program is instrumented by a sanitizer: for tests that measure or replace what
// sanitizers do themselves. g++ and clang tell in different ways.
//
// A test that is skipped for that is tagged `optimised`, so that tests/run runs it without them.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEIR_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WEIR_SANITIZED 1
#endif
#endif
#ifndef WEIR_SANITIZED
#define WEIR_SANITIZED 0
#endif

namespace weir {

inline constexpr bool kSanitized = WEIR_SANITIZED != 0;

}  // namespace weir
