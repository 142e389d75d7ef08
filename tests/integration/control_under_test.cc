#include "tests/integration/control_under_test.h"

#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "httplib.h"
#include "proxy/base/check.h"

namespace weir {

std::vector<std::string> ControlUnderTest::Command(uint16_t discovery_port, uint16_t admin_port,
                                                   uint16_t http_port) const {
  std::vector<std::string> command = {Program("WEIR_CONTROL"),
                                      StrCat("--data-dir=", data_),
                                      StrCat("--listen-discovery=127.0.0.1:", discovery_port),
                                      StrCat("--listen-admin=127.0.0.1:", admin_port),
                                      StrCat("--http=127.0.0.1:", http_port),
                                      StrCat("--output=", directory_.path(), "/log")};
  command.insert(command.end(), flags_.begin(), flags_.end());
  return command;
}

void ControlUnderTest::Start(const std::vector<std::string>& flags) {
  const Address admin = admin_address();
  std::vector<std::string> command = Command(discovery_port_, admin_port_, http_port_);
  command.insert(command.end(), flags.begin(), flags.end());
  process_ = std::make_unique<Process>(std::move(command), StrCat(directory_.path(), "/output"));
  CHECK(Eventually([&] { return static_cast<bool>(Connect(admin)); }));
  grpc::ChannelArguments arguments;
  // An earlier channel to the same place would share its wait after a failed attempt.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  admin_ = v1::AdminService::NewStub(
      grpc::CreateCustomChannel(admin, grpc::InsecureChannelCredentials(), arguments));
}

std::string ControlUnderTest::Page(const std::string& path) const {
  httplib::Client client("127.0.0.1", http_port_);
  const httplib::Result page = client.Get(path);
  return page ? page->body : "";
}

Outcome ControlUnderTest::StartSecond() {
  return RunToEnd(Command(FreePort(), FreePort(), FreePort()));
}

}  // namespace weir
