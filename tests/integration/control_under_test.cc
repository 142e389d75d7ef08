#include "tests/integration/control_under_test.h"

#include <cstdlib>
#include <vector>

#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "proxy/base/check.h"

namespace weir {

void ControlUnderTest::Start() {
  const char* program = std::getenv("WEIR_CONTROL");
  CHECK(program != nullptr);
  const Address admin = StrCat("127.0.0.1:", admin_port_);
  const std::vector<std::string> command = {
      program,
      StrCat("--data-dir=", directory_.path(), "/data"),
      StrCat("--listen-discovery=127.0.0.1:", discovery_port_),
      StrCat("--listen-admin=", admin),
      StrCat("--http=127.0.0.1:", http_port_),
      StrCat("--output=", directory_.path(), "/log")};
  process_ = std::make_unique<Process>(command, StrCat(directory_.path(), "/output"));
  CHECK(Eventually([&] { return static_cast<bool>(Connect(admin)); }));
  grpc::ChannelArguments arguments;
  // An earlier channel to the same place would share its wait after a failed attempt.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  admin_ = v1::AdminService::NewStub(
      grpc::CreateCustomChannel(admin, grpc::InsecureChannelCredentials(), arguments));
}

}  // namespace weir
