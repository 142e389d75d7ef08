#include "proxy/base/sha256.h"

#include <openssl/sha.h>

#include "absl/strings/escaping.h"

namespace weir {

static_assert(kSha256HexDigits == size_t{2} * SHA256_DIGEST_LENGTH);

std::string Sha256Hex(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), sizeof digest});
}

}  // namespace weir
