"""Headers of Debian's libraries that are parsed once instead of for every file; tests/lint reads this, too.

They are the ones that cost most over all files: long ones, and those that many files include.
"""

# What most files include.
COMMON_HEADERS = [
    "algorithm",
    "array",
    "atomic",
    "chrono",
    "filesystem",
    "fstream",
    "functional",
    "map",
    "memory",
    "mutex",
    "optional",
    "random",
    "set",
    "span",
    "string",
    "string_view",
    "thread",
    "utility",
    "vector",
    "absl/container/flat_hash_map.h",
    "absl/functional/any_invocable.h",
    "absl/status/statusor.h",
    "absl/strings/str_cat.h",
    "absl/time/time.h",
]

# Those, and the longest ones. The last must lie below /usr/include.
ALL_HEADERS = COMMON_HEADERS + [
    "google/protobuf/util/json_util.h",
    "google/protobuf/util/message_differencer.h",
    "grpcpp/grpcpp.h",
    "nlohmann/json.hpp",
    "gmock/gmock.h",
]
