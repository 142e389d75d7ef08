#include "proxy/downstream/listener.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "proxy/base/socket_address.h"
#include "proxy/event/socket.h"
#include "tests/support/fake_event_loop.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

class ListenerTest : public testing::Test {
 protected:
  ListenerTest() {
    listener_ = std::make_unique<Listener>(loop_, *ListenOn(address_, {}), [this](UniqueFd fd) {
      EXPECT_TRUE(fd.valid());
      accepted_.push_back(std::move(fd));
    });
  }
  ~ListenerTest() override {
    if (listener_ != nullptr) loop_.DeleteLater(std::move(listener_));
    Turn();
  }

  void Connect(int count) {
    for (int i = 0; i < count; ++i) clients_.push_back(*StartConnect(address_));
  }
  void Turn() { loop_.RunTurn(Duration::zero()); }

  TempDirectory directory_;
  ResolvedAddress address_ = *LiteralAddress(UnixEndpoint(directory_.path() + "/listener"));
  FakeEventLoop loop_;
  std::vector<UniqueFd> accepted_;
  std::vector<UniqueFd> clients_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(ListenerTest, AcceptsUpToSixtyFourConnectionsATurn) {
  Connect(100);
  Turn();
  EXPECT_EQ(accepted_.size(), 64u);
  Turn();
  EXPECT_EQ(accepted_.size(), 100u);
  Turn();
  EXPECT_EQ(accepted_.size(), 100u);
}

TEST_F(ListenerTest, TakesAllThatWaitBeforeItListensNoMore) {
  Connect(100);
  listener_->AcceptRest();
  EXPECT_EQ(accepted_.size(), 100u);
  EXPECT_FALSE(StartConnect(address_).ok());
  Turn();
}

TEST_F(ListenerTest, OutOfDescriptorsItWaitsAndDoesNotSpin) {
  Connect(3);
  rlimit limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const UniqueFd next(dup(clients_[0].get()));
  const rlimit none = {.rlim_cur = static_cast<rlim_t>(next.get()), .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  Turn();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(accepted_.size(), 0u);
  Turn();
  EXPECT_EQ(loop_.events_in_last_turn(), 0u) << "not watched";
  EXPECT_EQ(accepted_.size(), 0u);
  loop_.Advance(std::chrono::milliseconds(100));
  Turn();
  Turn();
  EXPECT_EQ(accepted_.size(), 3u);
}

}  // namespace
}  // namespace weir
