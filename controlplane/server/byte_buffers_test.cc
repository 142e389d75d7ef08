#include "controlplane/server/byte_buffers.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/discovery.h"

namespace weir {
namespace {

OutgoingResponse TwoPools() {
  OutgoingResponse response;
  response.head.set_nonce("1");
  *response.head.add_removed() = NewRemoval(PoolId("gone"));
  response.changed = {MakeCached(NewPool("alpha", "p1")), MakeCached(NewPool("beta", "p2"))};
  return response;
}

TEST(ByteBuffersTest, ABufferIsTheEncodedResponse) {
  const OutgoingResponse response = TwoPools();
  grpc::ByteBuffer buffer = ToByteBuffer(response);
  v1::DiscoveryResponse parsed;
  ASSERT_TRUE(ParseByteBuffer(&buffer, parsed));
  EXPECT_EQ(parsed.SerializeAsString(), response.ToMessage().SerializeAsString());
  EXPECT_FALSE(buffer.Valid());
}

TEST(ByteBuffersTest, ABufferHoldsWhatItLendsAndLetsGoOfIt) {
  OutgoingResponse response = TwoPools();
  const std::weak_ptr<const CachedResource> alpha = response.changed[0];
  grpc::ByteBuffer buffer = ToByteBuffer(response);
  response = {};
  EXPECT_FALSE(alpha.expired());
  v1::DiscoveryResponse parsed;
  ASSERT_TRUE(ParseByteBuffer(&buffer, parsed));
  EXPECT_EQ(parsed.changed_size(), 2);
  EXPECT_TRUE(alpha.expired());
}

TEST(ByteBuffersTest, OtherBytesAreNoMessage) {
  const grpc::Slice slice(std::string("\xff\xff\xff"));
  grpc::ByteBuffer buffer(&slice, 1);
  v1::DiscoveryRequest request;
  EXPECT_FALSE(ParseByteBuffer(&buffer, request));
  EXPECT_FALSE(buffer.Valid());
}

}  // namespace
}  // namespace weir
