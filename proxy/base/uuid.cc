#include "proxy/base/uuid.h"

#include <array>
#include <cstdint>
#include <random>

#include "absl/strings/escaping.h"

namespace weir {

std::string RandomUuid() {
  std::random_device entropy;
  std::array<unsigned char, 16> bytes;
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(entropy());
  bytes[6] = static_cast<unsigned char>(0x40 | (bytes[6] & 0x0f));  // version 4
  bytes[8] = static_cast<unsigned char>(0x80 | (bytes[8] & 0x3f));  // the RFC's variant
  std::string text =
      absl::BytesToHexString({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  for (const size_t dash : {8, 13, 18, 23}) text.insert(dash, 1, '-');
  return text;
}

}  // namespace weir
