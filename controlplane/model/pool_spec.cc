#include "controlplane/model/pool_spec.h"

#include <utility>

#include "controlplane/model/canonical.h"
#include "controlplane/model/merge.h"
#include "proxy/base/endpoint.h"

namespace weir {

std::string NormalisedEndpoint(const std::string& endpoint) {
  const absl::StatusOr<Endpoint> parsed = ParseEndpoint(endpoint);
  return parsed.ok() ? FormatEndpoint(*parsed) : endpoint;
}

v1::PoolSpec Normalised(v1::PoolSpec spec) {
  for (v1::ShardSpec& shard : *spec.mutable_servers()) {
    shard.set_weight(WeightOf(shard));
    shard.set_endpoint(NormalisedEndpoint(shard.endpoint()));
  }
  if (spec.guard().ByteSizeLong() == 0) spec.clear_guard();
  return spec;
}

bool IsSameSpec(const v1::PoolSpec& a, const v1::PoolSpec& b) {
  return CanonicalEncoding(Normalised(a)) == CanonicalEncoding(Normalised(b));
}

}  // namespace weir
