#include "controlplane/server/access_table.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// printf %s test | sha256sum
constexpr std::string_view kHashOfTest =
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

std::string ErrorOf(std::string_view text) {
  const absl::StatusOr<AccessTable> table = AccessTable::Parse(text, "tokens");
  return table.ok() ? "no error" : std::string(FromAbsl(table.status().message()));
}

TEST(AccessTableTest, FindsATokenByItsHashAndACertificateByItsName) {
  const absl::StatusOr<AccessTable> table = AccessTable::Parse(
      StrCat("# people\n\nalice write sha256:", kHashOfTest, "\r\n  ci\tread  cn:ci.example\n"),
      "tokens");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->size(), 2u);
  ASSERT_NE(table->Find(AccessTable::CredentialOfToken("test")), nullptr);
  EXPECT_EQ(table->Find(AccessTable::CredentialOfToken("test"))->name, "alice");
  EXPECT_EQ(table->Find(AccessTable::CredentialOfToken("test"))->role, Role::kWrite);
  ASSERT_NE(table->Find(AccessTable::CredentialOfCommonName("ci.example")), nullptr);
  EXPECT_EQ(table->Find(AccessTable::CredentialOfCommonName("ci.example"))->role, Role::kRead);
}

TEST(AccessTableTest, TheHashItselfIsNoToken) {
  const AccessTable table =
      *AccessTable::Parse(StrCat("a read sha256:", kHashOfTest, "\nb read cn:b\n"), "tokens");
  EXPECT_EQ(table.Find(AccessTable::CredentialOfToken(kHashOfTest)), nullptr);
  EXPECT_EQ(table.Find(AccessTable::CredentialOfToken("")), nullptr);
  EXPECT_EQ(table.Find(AccessTable::CredentialOfToken("cn:b")), nullptr);
  EXPECT_EQ(table.Find(AccessTable::CredentialOfCommonName("")), nullptr);
  EXPECT_EQ(table.Find(AccessTable::CredentialOfCommonName(StrCat("sha256:", kHashOfTest))),
            nullptr);
}

TEST(AccessTableTest, UpperCaseDigitsAreTheSameHash) {
  std::string upper(kHashOfTest);
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  const AccessTable table = *AccessTable::Parse(StrCat("a read sha256:", upper), "tokens");
  EXPECT_NE(table.Find(AccessTable::CredentialOfToken("test")), nullptr);
}

TEST(AccessTableTest, AnErrorNamesTheLineAndNoCredential) {
  EXPECT_EQ(ErrorOf("# x\nalice write\n"),
            "tokens:2: found 2 words, expected NAME ROLE CREDENTIAL");
  EXPECT_EQ(ErrorOf("alice admin cn:a"),
            "tokens:1: expected read, write or discovery as the second word");
  const std::string plain_text = ErrorOf("alice write hunter2");
  EXPECT_THAT(plain_text, HasSubstr("tokens:1: expected sha256: with 64 hexadecimal digits"));
  EXPECT_THAT(plain_text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(ErrorOf("a write sha256:abc"), HasSubstr("64 hexadecimal digits"));
  EXPECT_THAT(ErrorOf("a write cn:"), HasSubstr("cn: with a name"));
  EXPECT_EQ(ErrorOf("a write cn:x\nb read cn:x"), "tokens:2: the credential has a line already");
}

TEST(RoleTest, AProxyCannotAdministrateAndAnOperatorCannotPoseAsAProxy) {
  EXPECT_TRUE(Permits(Role::kWrite, Role::kRead));
  EXPECT_FALSE(Permits(Role::kRead, Role::kWrite));
  for (const Role role : {Role::kRead, Role::kWrite}) {
    EXPECT_TRUE(Permits(role, role));
    EXPECT_FALSE(Permits(Role::kDiscovery, role)) << RoleName(role);
    EXPECT_FALSE(Permits(role, Role::kDiscovery)) << RoleName(role);
  }
  EXPECT_TRUE(Permits(Role::kDiscovery, Role::kDiscovery));
}

}  // namespace
}  // namespace weir
