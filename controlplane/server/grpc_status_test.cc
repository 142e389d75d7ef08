#include "controlplane/server/grpc_status.h"

#include <string>

#include "controlplane/server/error_details.h"
#include "gtest/gtest.h"
#include "proto/google/rpc/status.pb.h"

namespace weir {
namespace {

TEST(GrpcStatusTest, HasTheSameCodeAndMessage) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  const grpc::Status status = ToGrpcStatus(absl::AbortedError("lost race"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "lost race");
  EXPECT_EQ(status.error_details(), "");
  EXPECT_EQ(ToGrpcStatus(absl::ResourceExhaustedError("")).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(GrpcStatusTest, CarriesTheFieldsThatAreWrong) {
  const grpc::Status status = ToGrpcStatus(StatusOf(InvalidFields(
      {{.field = "a", .description = "expected 1"}, {.field = "b", .description = "expected 2"}})));
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_EQ(details.message(), status.error_message());
  google::rpc::BadRequest bad_request;
  ASSERT_EQ(details.details_size(), 1);
  ASSERT_TRUE(details.details(0).UnpackTo(&bad_request));
  ASSERT_EQ(bad_request.field_violations_size(), 2);
  EXPECT_EQ(bad_request.field_violations(1).field(), "b");
  EXPECT_EQ(bad_request.field_violations(1).description(), "expected 2");
}

}  // namespace
}  // namespace weir
