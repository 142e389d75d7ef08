#include "controlplane/model/request_log.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "proto/weir/v1/admin.pb.h"

namespace weir {
namespace {

v1::RecordedRequest WithId(const std::string& id) {
  v1::RecordedRequest request;
  request.set_id(id);
  return request;
}

TEST(RequestLogTest, HowARequestWaitsMakesNoOtherRequestOfIt) {
  v1::DrainShardRequest request;
  request.set_pool("p");
  request.mutable_options()->set_etag("e");
  const std::string fingerprint = RequestFingerprint(request);
  request.mutable_options()->set_wait(v1::WAIT_ALL_CONNECTED);
  request.mutable_options()->mutable_wait_timeout()->set_seconds(3);
  EXPECT_EQ(RequestFingerprint(request), fingerprint);
  request.set_undo(true);
  EXPECT_NE(RequestFingerprint(request), fingerprint);
}

TEST(RequestLogTest, RequestsOfTwoKindsWithTheSameFieldsDiffer) {
  v1::RemoveShardRequest remove;
  remove.set_pool("p");
  remove.set_shard("s");
  v1::DrainShardRequest drain;
  drain.set_pool("p");
  drain.set_shard("s");
  EXPECT_NE(RequestFingerprint(remove), RequestFingerprint(drain));
}

TEST(RequestLogTest, TheLastSixtyFourAreRemembered) {
  v1::PoolRecord record;
  for (int i = 0; i < 65; ++i) RememberRequest(WithId(std::to_string(i)), record);
  EXPECT_EQ(record.requests_size(), 64);
  EXPECT_EQ(FindRequest(record, "0"), nullptr);
  ASSERT_NE(FindRequest(record, "1"), nullptr);
  EXPECT_EQ(FindRequest(record, "64")->id(), "64");
}

TEST(RequestLogTest, OfLargePlansFewerAreRememberedAndTheNewestAlways) {
  v1::PoolRecord record;
  for (int i = 0; i < 5; ++i) {
    v1::RecordedRequest request = WithId(std::to_string(i));
    request.set_plan(std::string(kRememberedBytes / 3, 'x'));
    RememberRequest(std::move(request), record);
  }
  EXPECT_EQ(record.requests_size(), 2);
  EXPECT_EQ(record.requests(0).id(), "3");
  v1::RecordedRequest larger = WithId("5");
  larger.set_plan(std::string(kRememberedBytes + 1, 'x'));
  RememberRequest(std::move(larger), record);
  ASSERT_EQ(record.requests_size(), 1);
  EXPECT_EQ(record.requests(0).id(), "5");
}

TEST(RequestLogTest, KnowsAUuid) {
  EXPECT_TRUE(IsUuid("123e4567-E89B-12d3-a456-426614174000"));
  EXPECT_FALSE(IsUuid(""));
  EXPECT_FALSE(IsUuid("123e4567-e89b-12d3-a456-42661417400"));
  EXPECT_FALSE(IsUuid("123e4567-e89b-12d3-a456-4266141740000"));
  EXPECT_FALSE(IsUuid("123e4567-e89b-12d3-a456-42661417400g"));
  EXPECT_FALSE(IsUuid("123e4567ee89b-12d3-a456-426614174000"));
}

}  // namespace
}  // namespace weir
