// RedisServer: a real redis-server on a TCP port of 127.0.0.1, without files of its data.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "tests/support/process.h"
#include "tests/support/resp_client.h"
#include "tests/support/temp_directory.h"

namespace weir {

// It can be killed and started again at the same place, empty. Ends with the object. CHECKs that it
// serves. One thread.
class RedisServer {
 public:
  RedisServer() : address_(StrCat("127.0.0.1:", FreePort())) { Start(); }

  const Address& address() const { return address_; }
  Process& process() { return *process_; }

  void Start() {
    process_ = std::make_unique<Process>(
        std::vector<std::string>{"/usr/bin/redis-server", "--bind", "127.0.0.1", "--port",
                                 address_.substr(address_.find(':') + 1), "--save", "",
                                 "--appendonly", "no", "--dir", directory_.path()},
        directory_.path() + "/output");
    CHECK_EQ(Ask({"PING"}), "PONG");
  }
  void Kill() { process_.reset(); }

  // A question asked directly, not through the proxy.
  std::string Ask(const std::vector<std::string_view>& request) {
    RespClient client(address_);
    const std::vector<Reply> replies = client.Ask(EncodeRequest(request), 1);
    return replies.empty() ? "" : replies[0].text;
  }
  bool Has(std::string_view key) { return Ask({"EXISTS", key}) == "1"; }

 private:
  const Address address_;
  TempDirectory directory_;
  std::unique_ptr<Process> process_;
};

}  // namespace weir
