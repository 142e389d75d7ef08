// How the simulated fleet comes to weir-control: in plain text, or over TLS with a bearer token.
//
// A value; its methods may be called by any thread.
#pragma once

#include <memory>
#include <string>

#include "grpcpp/client_context.h"
#include "grpcpp/security/credentials.h"

namespace weir::benchmark {

struct Access {
  std::string authorities;  // PEM, that vouch for weir-control; empty: plain text
  std::string token;        // empty: none

  std::shared_ptr<grpc::ChannelCredentials> Credentials() const;
  void Authorize(grpc::ClientContext& call) const;
};

}  // namespace weir::benchmark
