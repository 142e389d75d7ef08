#include "controlplane/server/request_ids.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace weir {
namespace {

v1::PoolRecord Remembering(const std::string& pool, const std::vector<std::string>& ids) {
  v1::PoolRecord record;
  record.set_name(pool);
  for (const std::string& id : ids) record.add_requests()->set_id(id);
  return record;
}

TEST(RequestIdsTest, AnIdIsForOnePoolWhileItsRequestIsBeingMade) {
  RequestIds ids;
  EXPECT_TRUE(ids.Hold("1", "alpha"));
  EXPECT_TRUE(ids.Hold("1", "alpha"));
  EXPECT_FALSE(ids.Hold("1", "beta"));
  ids.Release("1");
  EXPECT_FALSE(ids.Hold("1", "beta"));
  ids.Release("1");
  EXPECT_TRUE(ids.Hold("1", "beta"));
}

TEST(RequestIdsTest, AnIdIsForOnePoolAsLongAsARecordRemembersIt) {
  RequestIds ids;
  ids.HoldAll(Remembering("alpha", {"1", "2"}));
  ids.HoldAll(Remembering("alpha", {"2", "3"}));  // the next state of the pool
  ids.ReleaseAll(Remembering("alpha", {"1", "2"}));
  EXPECT_TRUE(ids.Hold("1", "beta"));
  EXPECT_FALSE(ids.Hold("2", "beta"));
  EXPECT_FALSE(ids.Hold("3", "beta"));
  EXPECT_TRUE(ids.Hold("3", "alpha"));
}

TEST(RequestIdsTest, AnIdThatTwoRecordsShareIsFreeWhenNoneRemembersIt) {
  RequestIds ids;
  ids.HoldAll(Remembering("alpha", {"1"}));
  ids.HoldAll(Remembering("beta", {"1"}));
  ids.ReleaseAll(Remembering("alpha", {"1"}));
  EXPECT_FALSE(ids.Hold("1", "gamma"));
  ids.ReleaseAll(Remembering("beta", {"1"}));
  EXPECT_TRUE(ids.Hold("1", "gamma"));
}

}  // namespace
}  // namespace weir
