// Records for this folder's tests, whose parts tell whether they belong together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/weir/v1/admin.pb.h"
#include "proto/weir/v1/record.pb.h"
#include "proxy/base/strings.h"

namespace weir {

inline v1::PoolSpec TestSpec(uint32_t timeout) {
  v1::PoolSpec spec;
  spec.mutable_policy()->set_listen("127.0.0.1:22121");
  spec.mutable_policy()->set_timeout(timeout);
  spec.mutable_policy()->set_redis(true);
  v1::ShardSpec& shard = *spec.add_servers();
  shard.set_name("one");
  shard.set_endpoint("127.0.0.1:6379");
  shard.set_weight(1);
  return spec;
}

// A record of this generation; its policy's timeout and the name of its slot say so, too.
inline v1::PoolRecord TestRecord(std::string_view pool, uint64_t generation) {
  v1::PoolRecord record;
  record.set_name(std::string(pool));
  record.set_uid(StrCat("uid-of-", pool));
  *record.mutable_spec() = TestSpec(static_cast<uint32_t>(generation));
  record.mutable_shard_map()->set_generation(generation);
  v1::Slot& slot = *record.mutable_shard_map()->add_slots();
  slot.set_name(StrCat("slot-", generation));
  slot.set_weight(1);
  slot.set_state(v1::SLOT_ACTIVE);
  return record;
}

inline v1::Version TestVersion(const v1::PoolRecord& record) {
  v1::Version version;
  version.set_generation(record.shard_map().generation());
  version.set_actor("tester");
  *version.mutable_spec() = record.spec();
  *version.mutable_shard_map() = record.shard_map();
  return version;
}

}  // namespace weir
