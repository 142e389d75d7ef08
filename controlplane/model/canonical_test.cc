#include "controlplane/model/canonical.h"

#include <gtest/gtest.h>

#include "proto/weir/v1/discovery.pb.h"
#include "proto/weir/v1/pool.pb.h"

namespace weir {
namespace {

v1::PoolResource Resource() {
  v1::PoolResource resource;
  resource.mutable_policy()->set_listen("127.0.0.1:22121");
  resource.mutable_policy()->set_redis(true);
  for (const char* name : {"a", "b"}) {
    v1::RingSlot& slot = *resource.add_slots();
    slot.set_name(name);
    slot.set_weight(1);
  }
  return resource;
}

TEST(CanonicalTest, ShortHashIsTheBeginningOfSha256) {
  // FIPS 180-2, "abc".
  EXPECT_EQ(ShortHash("abc"), "ba7816bf8f01cfea");
}

TEST(CanonicalTest, VersionsStayAsTheyAreFromReleaseToRelease) {
  // A change here sends every resource to every proxy again.
  EXPECT_EQ(ContentVersion(Resource()), "a269d2d97abd13a4");
}

TEST(CanonicalTest, EncodesNumberKindAndValue) {
  v1::RingSlot slot;
  slot.set_name("ab");
  slot.set_weight(258);
  using namespace std::string_literals;
  EXPECT_EQ(CanonicalEncoding(slot),
            "\0\0\0\0\0\0\0\1b\0\0\0\0\0\0\0\2ab"
            "\0\0\0\0\0\0\0\2n\0\0\0\0\0\0\1\2"s);
}

TEST(CanonicalTest, TheOrderOfRepeatedFieldsIsNoDifference) {
  v1::PoolResource reversed = Resource();
  reversed.mutable_slots()->SwapElements(0, 1);
  EXPECT_EQ(ContentVersion(reversed), ContentVersion(Resource()));
}

TEST(CanonicalTest, EveryChangedValueIsADifference) {
  v1::PoolResource other = Resource();
  other.mutable_slots(0)->set_weight(2);
  EXPECT_NE(ContentVersion(other), ContentVersion(Resource()));
  other = Resource();
  other.mutable_policy()->set_redis(false);  // set to its default is not the same as not set
  EXPECT_NE(ContentVersion(other), ContentVersion(Resource()));
  other.mutable_policy()->clear_redis();
  EXPECT_NE(ContentVersion(other), ContentVersion(Resource()));
  other = Resource();
  *other.add_slots() = other.slots(1);
  EXPECT_NE(ContentVersion(other), ContentVersion(Resource()));
}

TEST(CanonicalTest, TextsCannotRunIntoEachOther) {
  v1::ShardSpec one;
  one.set_name("ab");
  one.set_endpoint("c");
  v1::ShardSpec two;
  two.set_name("a");
  two.set_endpoint("bc");
  EXPECT_NE(CanonicalEncoding(one), CanonicalEncoding(two));
}

TEST(CanonicalTest, DoublesAndMessagesAndEnumsAreEncoded) {
  v1::Guard guard;
  guard.set_max_moved_fraction(0.25);
  v1::Guard other = guard;
  other.set_max_moved_fraction(0.5);
  EXPECT_NE(CanonicalEncoding(guard), CanonicalEncoding(other));
  v1::Slot slot;
  slot.set_state(v1::SLOT_ACTIVE);
  v1::Slot draining;
  draining.set_state(v1::SLOT_DRAINING);
  EXPECT_NE(CanonicalEncoding(slot), CanonicalEncoding(draining));
  v1::Command command;
  command.set_last_key(-1);
  EXPECT_EQ(CanonicalEncoding(command).substr(9), std::string(8, '\xff'));
}

}  // namespace
}  // namespace weir
