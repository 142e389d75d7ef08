#include "controlplane/store/pool_file.h"

#include "controlplane/store/test_records.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "yaml-cpp/yaml.h"

namespace weir {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

TEST(PoolFileTest, SplitsAtTheLineOfInForce) {
  const PoolFileParts parts = SplitPoolFile("declared:\n  # in_force:\n\nin_force:\n  x\n");
  EXPECT_EQ(parts.declared, "declared:\n  # in_force:\n\n");
  EXPECT_EQ(parts.in_force, "in_force:\n  x\n");
  EXPECT_EQ(parts.in_force_line, 4);
  EXPECT_EQ(SplitPoolFile("declared:\n").in_force, "");
  EXPECT_EQ(SplitPoolFile("in_force:").in_force_line, 1);
}

TEST(PoolFileTest, ReadsBackTheRecordThatItWrote) {
  v1::PoolRecord record = TestRecord("alpha", 18446744073709551615u);
  for (int i = 0; i < 64; ++i) {
    v1::RecordedRequest& request = *record.add_requests();
    request.set_id(StrCat("request \"", i, "\" \\ \n \x01 </script> \xc3\xa4"));
    request.set_plan(std::string("\0\xff\x80\n", 4));
  }
  const InForce written = FormatInForce(record);
  const absl::StatusOr<InForce> read = ParseInForce(written.text, "f", 1);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(MessageDifferencer::Equals(read->record, record));
  EXPECT_EQ(read->sha256, written.sha256);
  EXPECT_EQ(read->text, written.text);
}

TEST(PoolFileTest, IsYamlAsAWhole) {
  const v1::PoolRecord record = TestRecord("alpha", 7);
  const std::string text =
      JoinPoolFile(FormatDeclaredPart(record.spec(), "alpha", ""), FormatInForce(record).text);
  const YAML::Node file = YAML::Load(text);
  EXPECT_EQ(file["declared"]["timeout"].as<int>(), 7);
  EXPECT_EQ(file["in_force"]["record"]["shard_map"]["slots"][0]["name"].as<std::string>(),
            "slot-7");
}

TEST(PoolFileTest, HasOneRevisionForOneContent) {
  const std::string revision = FormatInForce(TestRecord("alpha", 7)).sha256;
  EXPECT_EQ(FormatInForce(TestRecord("alpha", 7)).sha256, revision);
  EXPECT_NE(FormatInForce(TestRecord("alpha", 8)).sha256, revision);
}

TEST(PoolFileTest, RefusesARecordThatWasEdited) {
  const std::string text = FormatInForce(TestRecord("alpha", 7)).text;
  for (const std::string& bad : {text.substr(0, text.size() / 2), std::string("in_force:\n"),
                                 std::string("in_force: }{"), "in_force:\n  record: {}\n" + text}) {
    const absl::StatusOr<InForce> read = ParseInForce(bad, "a.yml", 5);
    EXPECT_TRUE(absl::IsDataLoss(read.status())) << bad;
    EXPECT_THAT(std::string(FromAbsl(read.status().message())),
                HasSubstr("a.yml:5: in_force is damaged or was edited"));
  }
  std::string edited = text;
  edited.replace(edited.find("slot-7"), 6, "slot-8");
  EXPECT_FALSE(ParseInForce(edited, "a.yml", 5).ok());
}

TEST(PoolFileTest, KeepsTheCommentsBeforeADeclarationThatIsRewritten) {
  const std::string text =
      FormatDeclaredPart(TestSpec(5), "alpha", "# ours\n\ndeclared:\n  x: 1\n");
  EXPECT_TRUE(text.starts_with("# ours\n\ndeclared:\n  listen: ")) << text;
}

TEST(PoolFileTest, WritesJsonThatPeopleCanRead) {
  v1::PoolRecord record = TestRecord("alpha", 3);
  record.clear_spec();
  *record.mutable_shard_map()->add_slots() = record.shard_map().slots(0);
  EXPECT_EQ(FormatJson(record, 2),
            "{\n"
            "    \"name\": \"alpha\",\n"
            "    \"uid\": \"uid-of-alpha\",\n"
            "    \"shard_map\": {\n"
            "      \"generation\": \"3\",\n"
            "      \"slots\": [\n"
            "        {\"name\":\"slot-3\",\"weight\":1,\"state\":\"SLOT_ACTIVE\"},\n"
            "        {\"name\":\"slot-3\",\"weight\":1,\"state\":\"SLOT_ACTIVE\"}\n"
            "      ]\n"
            "    }\n"
            "  }");
}

TEST(PoolFileTest, JsonIsOnOneLineUpToAHundredBytes) {
  v1::PoolRecord record;
  const std::string line = "{\"name\":\"\"}";
  record.set_name(std::string(100 - line.size(), 'x'));
  EXPECT_EQ(FormatJson(record, 0), StrCat("{\"name\":\"", record.name(), "\"}"));
  EXPECT_EQ(FormatJson(record, 1), StrCat("{\n   \"name\": \"", record.name(), "\"\n }"));
  record.set_name(std::string(101 - line.size(), 'x'));
  EXPECT_EQ(FormatJson(record, 0), StrCat("{\n  \"name\": \"", record.name(), "\"\n}"));
  record.set_name(std::string(49, '\n'));  // two bytes each
  EXPECT_TRUE(FormatJson(record, 0).starts_with("{\n"));
}

}  // namespace
}  // namespace weir
