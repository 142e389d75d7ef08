#include "controlplane/store/address_file.h"

#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

TEST(AddressFileTest, ReadsBackWhatItWrote) {
  const TempDirectory directory;
  EXPECT_EQ(*ReadAddressFile(directory.path()), KnownAddresses());
  KnownAddresses known = {
      .resolved = {{"a.example:1", {"192.0.2.1:1", "[2001:db8::1]:1"}}, {"b.example:2", {}}}};
  ASSERT_TRUE(WriteAddressFile(directory.path(), known).ok());
  EXPECT_EQ(*ReadAddressFile(directory.path()), known);
  known.kept = {{"alpha", {{"a", {"127.0.0.1:1"}}, {"b", {"127.0.0.1:2"}}}},
                {"beta", {{"a", {"127.0.0.1:3"}}}}};
  ASSERT_TRUE(WriteAddressFile(directory.path(), known).ok());
  EXPECT_EQ(*ReadAddressFile(directory.path()), known);
}

TEST(AddressFileTest, SaysThatItIsDamaged) {
  const TempDirectory directory;
  for (const char* text :
       {"", "{\"a:1\": [", "[]", "{\"a:1\": 7}", "{\"a:1\": [7]}", "{\"kept\": []}",
        "{\"kept\": {\"a\": []}}", "{\"kept\": {\"a\": {\"b\": 7}}}"}) {
    std::ofstream(StrCat(directory.path(), "/addresses.json")) << text;
    const absl::Status status = ReadAddressFile(directory.path()).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << text;
    EXPECT_THAT(status.ToString(), HasSubstr("addresses.json: expected a JSON object"));
  }
}

}  // namespace
}  // namespace weir
