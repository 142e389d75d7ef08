// ControlUnderTest: a real weir-control in a process of its own, and its admin API.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "proto/weir/v1/admin.grpc.pb.h"
#include "proxy/base/strings.h"
#include "tests/integration/weir_process.h"
#include "tests/support/process.h"
#include "tests/support/sockets.h"
#include "tests/support/temp_directory.h"

namespace weir {

// The program is $WEIR_CONTROL; data and log are in a directory of its own, so that a second start
// goes on with the data of the first. Killed when the object dies. One thread.
class ControlUnderTest {
 public:
  explicit ControlUnderTest(std::vector<std::string> flags = {}) : flags_(std::move(flags)) {
    Start();
  }
  // Over the data of another one, which may have them still: not started.
  ControlUnderTest(const ControlUnderTest& other, uint16_t discovery_port)
      : data_(other.data_), discovery_port_(discovery_port) {}

  // Accepts connections when it returns. `flags`: besides those of every start.
  void Start(const std::vector<std::string>& flags = {});
  // SIGKILL.
  void Kill() { process_.reset(); }
  Process& process() { return *process_; }
  // Starts another weir-control on the same data, with ports of its own, and waits until it has
  // ended: its exit code and what it said.
  Outcome StartSecond();

  const std::string& data_directory() const { return data_; }
  // Where proxies come to.
  Address address() const { return StrCat("127.0.0.1:", discovery_port_); }
  // Where the admin API is, over all starts: for clients of other threads.
  Address admin_address() const { return StrCat("127.0.0.1:", admin_port_); }
  std::string Log() const { return ReadFile(StrCat(directory_.path(), "/log")); }
  // What a page of its HTTP port says.
  std::string Page(const std::string& path) const;

  // Makes a call, for at most two minutes; expects it to succeed.
  template <typename Request, typename Response>
  Response Call(grpc::Status (v1::AdminService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                               Response*),
                const Request& request) {
    Response response;
    const grpc::Status status = Try(method, request, response);
    EXPECT_TRUE(status.ok()) << status.error_code() << " " << status.error_message();
    return response;
  }
  // The same, with any outcome.
  template <typename Request, typename Response>
  grpc::Status Try(grpc::Status (v1::AdminService::Stub::*method)(grpc::ClientContext*,
                                                                  const Request&, Response*),
                   const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(2));
    return (admin_.get()->*method)(&context, request, &response);
  }

 private:
  std::vector<std::string> Command(uint16_t discovery_port, uint16_t admin_port,
                                   uint16_t http_port) const;

  const std::vector<std::string> flags_;  // besides those of Command
  TempDirectory directory_;
  const std::string data_ = StrCat(directory_.path(), "/data");
  const uint16_t discovery_port_ = FreePort();
  const uint16_t admin_port_ = FreePort();
  const uint16_t http_port_ = FreePort();
  std::unique_ptr<Process> process_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
};

}  // namespace weir
