// Any bytes as a declared pool and as a pool of the discovery stream. Either there are errors that
// name a field, or the pool can be written as YAML, which reads as the same pool.
//
// An input is a line with the pool's name, then a PoolSpec (fuzz_message.h).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/config/pool_message.h"
#include "proxy/config/pool_yaml.h"
#include "tests/fuzz/fuzz_message.h"
#include "tests/fuzz/fuzz_program.h"

namespace weir {
namespace {

void CheckErrors(const std::vector<FieldError>& errors) {
  for (const FieldError& error : errors) {
    CHECK(!error.field.empty());
    CHECK(!error.what.empty());
  }
}

// What ReadPoolSpec accepts survives the way through a file.
void CheckRoundTrip(const std::string& name, const v1::PoolSpec& spec) {
  const std::string text = FormatPool(name, spec);
  const absl::StatusOr<std::vector<NamedPool>> pools = ParsePools(text, "f.yml");
  CHECK(pools.ok());
  CHECK_EQ(pools->size(), 1);
  CHECK(pools->front().name == name);
  CHECK(ReadPoolSpec(name, pools->front().spec).ok());
  CHECK(FormatPool(name, pools->front().spec) == text);
}

void ReadAsResource(const std::string& name, const v1::PoolSpec& spec) {
  v1::PoolResource resource;
  *resource.mutable_policy() = spec.policy();
  for (const v1::ShardSpec& shard : spec.servers()) {
    v1::RingSlot& slot = *resource.add_slots();
    slot.set_name(shard.name());
    slot.set_weight(shard.weight());
  }
  const std::string password = spec.policy().redis_auth_secret().empty() ? "" : "hunter2";
  const CheckedPool read = ReadPoolResource(name, resource, password);
  CheckErrors(read.errors);
  if (!read.ok()) return;
  CHECK(read.pool.name == name);
  CHECK_EQ(read.pool.servers.size(), static_cast<size_t>(spec.servers_size()));
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::FuzzProgram program(data, size);
  const std::string name(program.NextLine());
  weir::v1::PoolSpec spec;
  if (!weir::ReadFuzzMessage(program.Rest(), spec)) return 0;
  const weir::CheckedPool read = weir::ReadPoolSpec(name, spec);
  weir::CheckErrors(read.errors);
  if (read.ok()) weir::CheckRoundTrip(name, spec);
  weir::ReadAsResource(name, spec);
  return 0;
}
