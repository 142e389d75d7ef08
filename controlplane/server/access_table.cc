#include "controlplane/server/access_table.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "proxy/base/sha256.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kTokenPrefix = "sha256:";
constexpr std::string_view kCommonNamePrefix = "cn:";
constexpr std::pair<std::string_view, Role> kRoleNames[] = {
    {"read", Role::kRead}, {"write", Role::kWrite}, {"discovery", Role::kDiscovery}};

std::optional<Role> ParseRole(std::string_view text) {
  for (const auto& [name, role] : kRoleNames) {
    if (name == text) return role;
  }
  return std::nullopt;
}

bool IsTokenHash(std::string_view credential) {
  if (!credential.starts_with(kTokenPrefix)) return false;
  const std::string_view digits = credential.substr(kTokenPrefix.size());
  return digits.size() == kSha256HexDigits &&
         std::ranges::all_of(digits, [](char c) { return absl::ascii_isxdigit(c); });
}

bool IsCommonName(std::string_view credential) {
  return credential.starts_with(kCommonNamePrefix) && credential.size() > kCommonNamePrefix.size();
}

}  // namespace

std::string_view RoleName(Role role) { return kRoleNames[static_cast<size_t>(role)].first; }

bool Permits(Role held, Role needed) {
  return held == needed || (held == Role::kWrite && needed == Role::kRead);
}

absl::Status AccessTable::AddLine(std::string_view line) {
  const std::vector<std::string> words =
      absl::StrSplit(ToAbsl(line), absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (words.empty() || words[0].starts_with('#')) return absl::OkStatus();
  if (words.size() != 3) {
    return InvalidArgument("found ", words.size(), " words, expected NAME ROLE CREDENTIAL");
  }
  const std::optional<Role> role = ParseRole(words[1]);
  if (!role) {
    // Not the word itself: where columns are swapped it is a token.
    return InvalidArgument("expected read, write or discovery as the second word");
  }
  std::string credential = words[2];
  if (IsTokenHash(credential)) {
    absl::AsciiStrToLower(&credential);
  } else if (!IsCommonName(credential)) {
    return InvalidArgument("expected sha256: with 64 hexadecimal digits, or cn: with a name");
  }
  const bool is_new =
      entries_.emplace(std::move(credential), Entry{.name = words[0], .role = *role}).second;
  if (!is_new) return InvalidArgument("the credential has a line already");
  return absl::OkStatus();
}

absl::StatusOr<AccessTable> AccessTable::Parse(std::string_view text, std::string_view file) {
  AccessTable table;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    absl::Status status = table.AddLine(FromAbsl(line));
    if (!status.ok()) {
      return InvalidArgument(file, ":", number, ": ", FromAbsl(status.message()));
    }
  }
  return table;
}

std::string AccessTable::CredentialOfToken(std::string_view token) {
  return StrCat(kTokenPrefix, Sha256Hex(token));
}

std::string AccessTable::CredentialOfCommonName(std::string_view name) {
  return StrCat(kCommonNamePrefix, name);
}

const AccessTable::Entry* AccessTable::Find(std::string_view credential) const {
  const auto found = entries_.find(ToAbsl(credential));
  return found == entries_.end() ? nullptr : &found->second;
}

}  // namespace weir
