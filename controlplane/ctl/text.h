// Texts as a terminal can take them. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "google/protobuf/timestamp.pb.h"

namespace weir {

// `text` with control characters and bytes that are no UTF-8 written as \xNN: what comes from a
// server moves no cursor.
std::string Displayable(std::string_view text);

// Columns that Displayable text takes: 2 for a wide character (Chinese, Japanese, Korean, emoji),
// 0 for one that combines with the one before.
size_t DisplayWidth(std::string_view text);

// "33.33 %"; "< 0.01 %" for less than that which is not 0.
std::string Percent(double fraction);

// "2026-11-23 02:22:50Z"; "-" when it is not set.
std::string TimeText(const google::protobuf::Timestamp& time);

}  // namespace weir
