#include "controlplane/cache/pool_places.h"

#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/discovery.h"

namespace weir {
namespace {

std::string RemovalOf(const PoolPlaces& places, std::string_view pool) {
  const std::optional<v1::RemovedResource> removal = places.RemovalOf(EndpointsId(pool));
  if (!removal.has_value()) return "not known";
  EXPECT_EQ(IdOf(removal->key()), EndpointsId(pool));
  return StrCat(removal->uid(), "/", removal->generation(), " of ", removal->created().seconds());
}

google::protobuf::Timestamp Seconds(int64_t seconds) {
  google::protobuf::Timestamp time;
  time.set_seconds(seconds);
  return time;
}

TEST(PoolPlacesTest, APoolThatExistsIsNotForSomebodyAsOfItsState) {
  PoolPlaces places;
  EXPECT_EQ(RemovalOf(places, "alpha"), "not known");
  places.SetExisting(NewPool("alpha", "p1", {.generation = 3, .created = 10}));
  EXPECT_EQ(RemovalOf(places, "alpha"), "uid-1/3 of 10");
  places.SetExisting(NewPool("alpha", "p2", {.generation = 4, .created = 10}));
  EXPECT_EQ(RemovalOf(places, "alpha"), "uid-1/4 of 10");
}

TEST(PoolPlacesTest, ADeletionIsTheLastStateUntilThePoolIsMadeAnew) {
  PoolPlaces places;
  const std::vector<v1::RemovedResource> deleted = {
      NewRemoval(PoolId("alpha"), {.generation = 5, .created = 10})};
  places.SetExisting(NewPool("alpha", "p1", {.generation = 4, .created = 10}));
  // Until its proxies are told it exists.
  places.SetDeleted(deleted, std::nullopt, [](const std::string&) { return true; });
  EXPECT_EQ(RemovalOf(places, "alpha"), "uid-1/5 of 10");
  places.SetExisting(NewPool("alpha", "p1", {.generation = 1, .uid = "uid-2", .created = 20}));
  places.SetDeleted(deleted, std::nullopt, [](const std::string&) { return true; });
  EXPECT_EQ(RemovalOf(places, "alpha"), "uid-2/1 of 20");
}

TEST(PoolPlacesTest, WhatIsForgottenIsGoneForThoseWhoAreOlderThanWhatIsRemembered) {
  PoolPlaces places;
  places.SetExisting(NewPool("alpha", "p1", {.generation = 4, .created = 10}));
  places.SetDeleted({}, std::nullopt, [](const std::string&) { return false; });
  EXPECT_EQ(RemovalOf(places, "alpha"), "not known");
  places.SetDeleted({}, Seconds(30), [](const std::string&) { return false; });
  EXPECT_EQ(RemovalOf(places, "alpha"), "/0 of 30");
}

}  // namespace
}  // namespace weir
