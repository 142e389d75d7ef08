#include "tests/support/test_authority.h"

#include <cstdlib>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

void Run(const std::string& directory, std::string_view commands) {
  const std::string line = StrCat("cd ", directory, " && (", commands, ") >/dev/null 2>&1");
  // NOLINTNEXTLINE(bugprone-command-processor): a test's own commands, with nobody's input
  CHECK_EQ(std::system(line.c_str()), 0);
}

}  // namespace

TestAuthority::TestAuthority(std::string directory) : directory_(std::move(directory)) {
  Run(directory_,
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem");
}

void TestAuthority::Issue(std::string_view name, std::string_view common_name) const {
  Run(directory_,
      StrCat("printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > extensions && "
             "openssl req -newkey rsa:2048 -nodes -subj /CN=",
             common_name, " -keyout ", name, ".key -out request && ",
             "openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
             "-extfile extensions -out ",
             name, ".pem"));
}

std::string TestAuthority::path(std::string_view file) const {
  return StrCat(directory_, "/", file);
}

}  // namespace weir
