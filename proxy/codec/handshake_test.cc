#include "proxy/codec/handshake.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/base/strings.h"
#include "tests/support/every_split_of.h"

namespace weir {
namespace {

using State = Handshake::State;
using enum ConnectionVariant;

TEST(HandshakeTest, IsDoneAtOnceWhenNothingNeedBeSaid) {
  Handshake handshake({}, kBase);
  EXPECT_EQ(handshake.output(), "");
  EXPECT_EQ(handshake.state(), State::kDone);
}

TEST(HandshakeTest, SaysAuthThenSelectThenHello) {
  Handshake handshake({.auth = "pw", .db = 7}, kNewer);
  EXPECT_EQ(handshake.output(),
            "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n"
            "*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n"
            "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
}

TEST(HandshakeTest, IsDoneWithTheLastReplyInAnyPieces) {
  const std::string replies = "+OK\r\n+OK\r\n%2\r\n$5\r\nproto\r\n:3\r\n$7\r\nmodules\r\n*0\r\n";
  for (const Chunks& chunks : EverySplitOf(replies)) {
    Handshake handshake({.auth = "pw", .db = 7}, kNewer);
    for (std::string_view chunk : chunks) {
      ASSERT_EQ(handshake.state(), State::kWaiting) << Describe(chunks);
      handshake.OnBytes(chunk);
    }
    ASSERT_EQ(handshake.state(), State::kDone) << Describe(chunks);
  }
}

TEST(HandshakeTest, AnErrorNamesItsStepAndTheAnswerButNotThePassword) {
  Handshake handshake({.auth = "hunter2", .db = 7}, kBase);
  EXPECT_EQ(handshake.OnBytes("-WRONGPASS invalid\r\n-NOAUTH Authentication required.\r\n"),
            State::kFailed);
  EXPECT_EQ(handshake.error(), "AUTH: WRONGPASS invalid");
  EXPECT_FALSE(handshake.refused_variant());
}

TEST(HandshakeTest, AShardWithoutAPasswordIsAcceptedAndTold) {
  for (std::string_view answer :
       {"-ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?\r\n",
        "-ERR Client sent AUTH, but no password is set\r\n"}) {
    Handshake handshake({.auth = "pw", .db = 7}, kBase);
    handshake.OnBytes(answer);
    EXPECT_TRUE(handshake.needless_password()) << answer;
    EXPECT_EQ(handshake.OnBytes("+OK\r\n"), State::kDone) << answer;
    EXPECT_TRUE(handshake.needless_password()) << answer;
    EXPECT_EQ(handshake.error(), "");
  }
  Handshake handshake({.auth = "pw"}, kBase);
  handshake.OnBytes("+OK\r\n");
  EXPECT_FALSE(handshake.needless_password());
}

TEST(HandshakeTest, WhatAShardWithoutAPasswordSaysToSelectIsNoExcuse) {
  Handshake handshake({.auth = "pw", .db = 7}, kBase);
  EXPECT_EQ(handshake.OnBytes("+OK\r\n-ERR Client sent AUTH, but no password is set\r\n"),
            State::kFailed);
}

TEST(HandshakeTest, ALoadingShardIsNotReady) {
  Handshake handshake({.db = 7}, kBase);
  EXPECT_EQ(handshake.OnBytes("-LOADING Redis is loading the dataset in memory\r\n"),
            State::kFailed);
}

TEST(HandshakeTest, KnowsThatTheShardRefusesResp3) {
  for (std::string_view answer : {"-NOPROTO unsupported protocol version\r\n",
                                  "-ERR unknown command `HELLO`, with args beginning with: \r\n"}) {
    Handshake handshake({}, kNewer);
    EXPECT_EQ(handshake.OnBytes(answer), State::kFailed);
    EXPECT_TRUE(handshake.refused_variant()) << answer;
  }
  Handshake handshake({}, kNewer);
  handshake.OnBytes("-NOAUTH HELLO must be called with the client already authenticated\r\n");
  EXPECT_FALSE(handshake.refused_variant());
}

TEST(HandshakeTest, MoreRepliesThanRequestsFail) {
  Handshake handshake({.auth = "pw"}, kBase);
  EXPECT_EQ(handshake.OnBytes("+OK\r\n+OK\r\n"), State::kFailed);
}

TEST(HandshakeTest, WhatIsNotTheProtocolFails) {
  Handshake handshake({.auth = "pw"}, kBase);
  EXPECT_EQ(handshake.OnBytes("SSH-2.0-OpenSSH\r\n"), State::kFailed);
}

TEST(HandshakeTest, AnAnswerWithoutEndIsNotKeptForEver) {
  Handshake handshake({.auth = "pw"}, kBase);
  handshake.OnBytes("$500000000\r\n");
  const std::string piece(60'000, 'x');
  for (int i = 0; i < 20 && handshake.state() == State::kWaiting; ++i) handshake.OnBytes(piece);
  EXPECT_EQ(handshake.state(), State::kFailed);
}

}  // namespace
}  // namespace weir
