#include "tests/benchmark/workload.h"

#include <gtest/gtest.h>

namespace weir::benchmark {
namespace {

std::string ErrorOf(std::string_view json) {
  return std::string(ParseWorkload(json).status().message());
}

TEST(WorkloadTest, ReadsEveryKeyAndKeepsDefaults) {
  absl::StatusOr<Workload> workload = ParseWorkload(R"({"title": "x", "groups": [
      {"name": "a", "connections": 5, "pipeline": 16, "mix": {"get": 4, "set": 1},
       "value_size": 100, "keys": 7, "rate": 20000},
      {"name": "b", "connections": 1, "mix": {"mget": 1}, "mget_keys": 3, "value_size": 17}]})");
  ASSERT_TRUE(workload.ok()) << workload.status();
  ASSERT_EQ(workload->groups.size(), 2u);
  const GroupSpec& a = workload->groups[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.connections, 5u);
  EXPECT_EQ(a.pipeline, 16u);
  EXPECT_EQ(a.mix.get, 4u);
  EXPECT_EQ(a.mix.set, 1u);
  EXPECT_EQ(a.value_size, 100u);
  EXPECT_EQ(a.keys, 7u);
  EXPECT_EQ(a.rate, 20'000u);
  EXPECT_FALSE(a.idle);
  const GroupSpec& b = workload->groups[1];
  EXPECT_EQ(b.pipeline, 1u);
  EXPECT_EQ(b.mget_keys, 3u);
  EXPECT_EQ(b.keys, 10'000u);
  EXPECT_EQ(b.rate, 0u);
}

TEST(WorkloadTest, ErrorsNameGroupAndKey) {
  EXPECT_EQ(ErrorOf("["), "workload: want a JSON object");
  EXPECT_EQ(ErrorOf("{}"), "groups: want a list");
  EXPECT_EQ(ErrorOf(R"({"groups": [{}]})"), "groups[0].name: want a string");
  EXPECT_EQ(ErrorOf(R"({"groups": [{"name": "a", "mix": {"get": 1}, "value_size": 100}]})"),
            "groups[0].connections: missing");
  EXPECT_EQ(ErrorOf(R"({"groups": [{"name": "a", "connections": 1, "mix": {"del": 1}}]})"),
            "groups[0].del: unknown key");
  EXPECT_EQ(ErrorOf(R"({"groups": [{"name": "a", "connections": 1, "mix": {"get": 0}}]})"),
            "groups[0].mix: all weights are 0");
  EXPECT_EQ(ErrorOf(R"({"groups": [{"name": "a", "connections": -1, "mix": {"get": 1}}]})"),
            "groups[0].connections: want a number from 1 to 60000, not -1");
  EXPECT_EQ(ErrorOf(R"({"groups": [{"name": "a", "connections": 1, "mix": {"get": 1},
                       "value_size": 100, "pipelin": 2}]})"),
            "groups[0].pipelin: unknown key");
}

}  // namespace
}  // namespace weir::benchmark
