// Cyclic redundancy checks, several bytes per step ("slicing-by-N": M. E. Kounavis and F. L. Berry,
// "A Systematic Approach to Building High Performance Software-based CRC Generators", ISCC 2005).
// Pure, allocate nothing, callable from any thread. Behind key_hash.h; not for other users.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

// CRC-32 of IEEE 802.3 (reflected, polynomial 0x04c11db7): what zlib and PNG call crc32.
uint32_t Crc32(std::string_view data);

// CRC-16/XMODEM in the low half. The upper half is what twemproxy leaves there by never masking its
// 32-bit accumulator: the high bytes of the CRCs of all but the last byte, and all but the last
// two.
uint32_t Crc16WithHistory(std::string_view data);

}  // namespace weir
