#include "tests/benchmark/fleet/access.h"

#include "proxy/base/strings.h"

namespace weir::benchmark {

std::shared_ptr<grpc::ChannelCredentials> Access::Credentials() const {
  if (authorities.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = authorities;
  return grpc::SslCredentials(options);
}

void Access::Authorize(grpc::ClientContext& call) const {
  if (!token.empty()) call.AddMetadata("authorization", StrCat("Bearer ", token));
}

}  // namespace weir::benchmark
