#include "proxy/codec/probe_question.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/base/strings.h"
#include "tests/support/every_split_of.h"

namespace weir {
namespace {

using State = ProbeQuestion::State;

// What becomes of an answer that comes in these pieces: "serves", "waiting", or the error.
std::string Judge(const Chunks& chunks) {
  ProbeQuestion question(Protocol::kRedis);
  State state = State::kWaiting;
  for (std::string_view chunk : chunks) {
    EXPECT_EQ(state, State::kWaiting) << Describe(chunks);
    state = question.OnBytes(chunk);
  }
  if (state == State::kFailed) return question.error();
  return state == State::kServes ? "serves" : "waiting";
}

TEST(ProbeQuestionTest, AsksRedisForAPong) {
  EXPECT_EQ(ProbeQuestion(Protocol::kRedis).output(), "*1\r\n$4\r\nPING\r\n");
}

TEST(ProbeQuestionTest, APongInAnyPiecesServes) {
  for (const Chunks& chunks : EverySplitOf("+PONG\r\n")) {
    EXPECT_EQ(Judge(chunks), "serves") << Describe(chunks);
  }
}

TEST(ProbeQuestionTest, APartOfThePongIsNoAnswerYet) {
  EXPECT_EQ(Judge({"+PON"}), "waiting");
  EXPECT_EQ(Judge({"+PONG\r"}), "waiting");
}

TEST(ProbeQuestionTest, AnErrorOrMoreThanThePongFails) {
  EXPECT_EQ(Judge({"-LOADING Redis is loading the dataset in memory\r\n"}),
            "PING: -LOADING Redis is loading the dataset in memory");
  EXPECT_EQ(Judge({"+PONGO\r\n"}), "PING: +PONGO");
  EXPECT_EQ(Judge({"+PONG\r\n+PONG\r\n"}), "PING: +PONG");
}

TEST(ProbeQuestionTest, OfAnAnswerWithoutEndTheBeginningIsTold) {
  EXPECT_EQ(Judge({std::string(100'000, 'x')}), StrCat("PING: ", std::string(512, 'x')));
}

}  // namespace
}  // namespace weir
