#include "controlplane/model/etag.h"

#include "controlplane/model/canonical.h"
#include "proxy/base/strings.h"

namespace weir {

std::string EtagOf(const v1::PoolRecord& record) {
  return ShortHash(StrCat("etag ", record.uid(), " ", record.shard_map().generation(), " ",
                          record.declared_generation()));
}

}  // namespace weir
