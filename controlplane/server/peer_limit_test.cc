#include "controlplane/server/peer_limit.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

class PeerLimitTest : public ::testing::Test {
 protected:
  // "in", or why not.
  std::string Enters(const std::string& peer) {
    absl::StatusOr<PeerLimit::Ticket> ticket = limit_.Enter(peer);
    if (!ticket.ok()) {
      EXPECT_TRUE(absl::IsResourceExhausted(ticket.status()));
      return std::string(FromAbsl(ticket.status().message()));
    }
    tickets_.push_back(*std::move(ticket));
    return "in";
  }

  PeerLimit limit_{{.in_all = 3, .per_peer = 2}, "streams", "--max-streams"};
  std::vector<PeerLimit::Ticket> tickets_;
};

TEST_F(PeerLimitTest, OnePeerCannotTakeEverything) {
  EXPECT_EQ(Enters("10.0.0.1"), "in");
  EXPECT_EQ(Enters("10.0.0.1"), "in");
  EXPECT_EQ(Enters("10.0.0.1"),
            "found more streams from 10.0.0.1, expected at most 2 (--max-streams)");
  EXPECT_EQ(Enters("10.0.0.2"), "in");
  EXPECT_EQ(Enters("10.0.0.3"), "found more streams, expected at most 3 (--max-streams)");
}

TEST_F(PeerLimitTest, WhoLeavesMakesRoom) {
  for (const char* peer : {"10.0.0.1", "10.0.0.1", "10.0.0.2"}) EXPECT_EQ(Enters(peer), "in");
  PeerLimit::Ticket moved = std::move(tickets_.back());
  tickets_.pop_back();
  EXPECT_NE(Enters("10.0.0.3"), "in");  // a ticket that moves stays one
  moved = PeerLimit::Ticket();
  EXPECT_EQ(Enters("10.0.0.3"), "in");
  tickets_.erase(tickets_.begin());
  EXPECT_EQ(Enters("10.0.0.1"), "in");
}

}  // namespace
}  // namespace weir
