// MD5 (RFC 1321), for placing keys and ring points only; never for security.
//
// Our own because `hash: md5` runs for every request: OpenSSL's EVP interface allocates a context
// or costs more than the digest of a short key. Pure, allocates nothing, callable from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir {

using Md5Digest = std::array<uint8_t, 16>;

// The digest of `data`, in the byte order in which it is usually printed.
Md5Digest Md5(std::string_view data);

}  // namespace weir
