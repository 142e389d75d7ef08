// Who may do what: the lines of the file of --tokens.
//
//   # name   role       credential
//   alice    write      sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//   ci       read       cn:ci.example.org
//   proxies  discovery  sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
//
// `sha256:` is the hash of a bearer token (`printf %s TOKEN | sha256sum`), so that the file gives
// no token away; `cn:` is the common name of a client certificate that --tls-client-ca signed.
// One credential has one line; a name may have several.
//
// A plain value. Pure; const methods may be called from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

namespace weir {

// A proxy's credential cannot administrate, and an operator's cannot pose as a proxy.
enum class Role : uint8_t {
  kRead,       // admin calls that change nothing
  kWrite,      // all admin calls
  kDiscovery,  // the discovery stream
};

inline constexpr Role kRoles[] = {Role::kRead, Role::kWrite, Role::kDiscovery};

std::string_view RoleName(Role role);

// Whether a holder of `held` may do what needs `needed`.
bool Permits(Role held, Role needed);

class AccessTable {
 public:
  struct Entry {
    std::string name;
    Role role = Role::kRead;
  };

  // Reads the file's text; `file` is for errors, which name the line and what was expected, and
  // never repeat a credential.
  static absl::StatusOr<AccessTable> Parse(std::string_view text, std::string_view file);

  // What a bearer token and a certificate's common name are in the file.
  static std::string CredentialOfToken(std::string_view token);
  static std::string CredentialOfCommonName(std::string_view name);
  // The line of a credential; null: none.
  const Entry* Find(std::string_view credential) const;

  size_t size() const { return entries_.size(); }

 private:
  absl::Status AddLine(std::string_view line);

  absl::flat_hash_map<std::string, Entry> entries_;  // by credential, as in the file
};

}  // namespace weir
