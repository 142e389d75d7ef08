#include "controlplane/ctl/message_text.h"

#include "gtest/gtest.h"
#include "proto/weir/v1/admin.pb.h"

namespace weir {
namespace {

v1::KeyPlace Place() {
  v1::KeyPlace place;
  place.set_ring_point(7);
  place.set_shard("12e3 <\"größe\">");
  place.set_state(v1::SLOT_ACTIVE);
  place.add_addresses("127.0.0.1:1");
  return place;
}

TEST(MessageTextTest, WritesJsonWithTheNamesOfTheSchema) {
  const std::string json = FormatMessage(Place(), OutputFormat::kJson);
  EXPECT_NE(json.find("\"ring_point\": 7"), std::string::npos) << json;
  EXPECT_NE(json.find("\"state\": \"SLOT_ACTIVE\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"endpoint\": \"\""), std::string::npos) << json;
  EXPECT_EQ(MessageLine(v1::GetPoolRequest()), "{\"name\":\"\"}\n");
}

TEST(MessageTextTest, WritesYamlInWhichTextsStayTexts) {
  EXPECT_EQ(FormatMessage(Place(), OutputFormat::kYaml),
            "ring_point: 7\n"
            "shard: \"12e3 <\\\"größe\\\">\"\n"
            "endpoint: \"\"\n"
            "state: \"SLOT_ACTIVE\"\n"
            "addresses:\n"
            "  - \"127.0.0.1:1\"\n");
  v1::ChangeResponse empty;
  EXPECT_EQ(FormatMessage(empty, OutputFormat::kYaml), "held: false\nproxies: []\n");
}

TEST(MessageTextTest, ShowsAKeyThatIsNotSetAsMissing) {
  v1::PoolPolicy policy;
  policy.set_timeout(400);
  const std::string json = FormatMessage(policy, OutputFormat::kJson);
  EXPECT_EQ(json.find("backlog"), std::string::npos) << json;
}

}  // namespace
}  // namespace weir
