// TestAuthority: a certificate authority of a test's own, in a directory that the test gives.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// Made by the `openssl` program. CHECKs that it works. One thread.
class TestAuthority {
 public:
  // Makes `ca.pem` and `ca.key` in `directory`, which is the caller's and exists.
  explicit TestAuthority(std::string directory);

  // Makes NAME.pem and NAME.key, or replaces them: for localhost and 127.0.0.1, signed by this
  // authority.
  void Issue(std::string_view name, std::string_view common_name) const;

  std::string path(std::string_view file) const;

 private:
  const std::string directory_;
};

}  // namespace weir
