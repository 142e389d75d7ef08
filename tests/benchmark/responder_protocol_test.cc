#include "tests/benchmark/responder_protocol.h"

#include <gtest/gtest.h>

#include "tests/benchmark/payload.h"

namespace weir::benchmark {
namespace {

constexpr size_t kNoLimit = 1 << 30;

std::string AnswerTo(std::string_view input) {
  std::string output;
  std::optional<size_t> consumed = Respond(input, kNoLimit, &output);
  if (!consumed.has_value()) return "not the protocol";
  EXPECT_EQ(*consumed, input.size());
  return output;
}

std::string BulkOf(std::string_view key) { return "$20\r\n" + ValueOf(key) + "\r\n"; }

TEST(ResponderProtocolTest, AnswersPipelinedRequestsInOrder) {
  KeySpace keys(3, 20);
  std::string input;
  keys.AppendSet(0, &input);
  keys.AppendGet(1, &input);
  keys.AppendMget(1, 2, &input);
  EXPECT_EQ(AnswerTo(input),
            "+OK\r\n" + BulkOf(keys.Key(1)) + "*2\r\n" + BulkOf(keys.Key(1)) + BulkOf(keys.Key(2)));
}

TEST(ResponderProtocolTest, RefusesAValueThatDoesNotBelongToItsKey) {
  EXPECT_EQ(AnswerTo("*3\r\n$3\r\nSET\r\n$16\r\n00000000:0000020\r\n$1\r\nx\r\n"),
            "-ERR the value does not belong to its key\r\n");
  EXPECT_EQ(AnswerTo("*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"), "$-1\r\n");
}

TEST(ResponderProtocolTest, AnswersWhatProxiesSayWhenTheyConnect) {
  EXPECT_EQ(AnswerTo("*1\r\n$4\r\nping\r\n"), "+PONG\r\n");
  EXPECT_EQ(AnswerTo("*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n"), "+OK\r\n");
  EXPECT_EQ(AnswerTo("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"),
            "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(AnswerTo("*1\r\n$8\r\nFLUSHALL\r\n"), "-ERR unknown command 'FLUSHALL'\r\n");
}

TEST(ResponderProtocolTest, EverySplitWaitsForTheRest) {
  KeySpace keys(1, 20);
  std::string request;
  keys.AppendSet(0, &request);
  for (size_t split = 0; split < request.size(); ++split) {
    std::string output;
    ASSERT_EQ(Respond(std::string_view(request).substr(0, split), kNoLimit, &output), 0u) << split;
    ASSERT_EQ(output, "");
  }
  EXPECT_EQ(AnswerTo(request), "+OK\r\n");
}

TEST(ResponderProtocolTest, StopsAtTheOutputLimit) {
  KeySpace keys(1, 20);
  std::string request;
  keys.AppendGet(0, &request);
  std::string output;
  EXPECT_EQ(Respond(request + request + request, 30, &output), 2 * request.size());
  EXPECT_EQ(output, BulkOf(keys.Key(0)) + BulkOf(keys.Key(0)));
}

TEST(ResponderProtocolTest, OtherBytesAreAnError) {
  EXPECT_EQ(AnswerTo("PING\r\n"), "not the protocol");
  EXPECT_EQ(AnswerTo("*99999999999999999999\r\n"), "not the protocol");
  EXPECT_EQ(AnswerTo("*1\r\n$x\r\n"), "not the protocol");
  EXPECT_EQ(AnswerTo("*0\r\n"), "not the protocol");
}

}  // namespace
}  // namespace weir::benchmark
