// Any bytes as a file of pools, as weirctl and weir-control read it, and as a twemproxy file to
// import. Either there are errors that name the file, one a line, or pools that every other reader
// accepts and that are the same when they are written and read again.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_message.h"
#include "proxy/config/pool_yaml.h"
#include "tests/fuzz/error_lines.h"

namespace weir {
namespace {

void ReadPools(std::string_view text) {
  const absl::StatusOr<std::vector<NamedPool>> pools = ParsePools(text, "f.yml");
  if (!pools.ok()) return CheckErrorLines(FromAbsl(pools.status().message()));
  CHECK(!pools->empty());
  std::string written;
  for (const NamedPool& pool : *pools) {
    CHECK(ReadPoolSpec(pool.name, pool.spec).ok());
    written += FormatPool(pool.name, pool.spec);
  }
  const absl::StatusOr<std::vector<NamedPool>> again = ParsePools(written, "f.yml");
  CHECK(again.ok());
  CHECK_EQ(again->size(), pools->size());
  std::string twice;
  for (const NamedPool& pool : *again) twice += FormatPool(pool.name, pool.spec);
  CHECK(twice == written);
}

void Import(std::string_view text) {
  const absl::StatusOr<std::vector<ImportedPool>> pools = ImportPools(text, "f.yml");
  if (!pools.ok()) return CheckErrorLines(FromAbsl(pools.status().message()));
  for (const ImportedPool& pool : *pools) {
    // Only the name may be one that files allow and messages do not.
    const CheckedPool read = ReadPoolSpec(pool.name, pool.spec);
    for (const FieldError& error : read.errors) CHECK(error.field == "name");
  }
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  weir::ReadPools(text);
  weir::Import(text);
  return 0;
}
