#include "proxy/codec/resp_encoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "proxy/codec/resp_request_parser.h"

namespace weir {
namespace {

constexpr RespVersion k2 = RespVersion::kResp2;
constexpr RespVersion k3 = RespVersion::kResp3;

// What `append` writes into an empty output; it must be one whole element or header.
template <typename Append>
std::string Encoded(Append append) {
  std::string out;
  append(out);
  return out;
}

TEST(RespEncoderTest, EncodesScalars) {
  EXPECT_EQ(Encoded([](auto& out) { AppendSimple(out, "OK"); }), "+OK\r\n");
  EXPECT_EQ(Encoded([](auto& out) { AppendInteger(out, 0); }), ":0\r\n");
  EXPECT_EQ(Encoded([](auto& out) { AppendInteger(out, std::numeric_limits<int64_t>::min()); }),
            ":-9223372036854775808\r\n");
  EXPECT_EQ(Encoded([](auto& out) { AppendBulk(out, "a\r\nb"); }), "$4\r\na\r\nb\r\n");
  EXPECT_EQ(Encoded([](auto& out) { AppendBulk(out, ""); }), "$0\r\n\r\n");
}

TEST(RespEncoderTest, AnErrorIsOneLineWhateverItsTextQuotes) {
  EXPECT_EQ(Encoded([](auto& out) { AppendError(out, "ERR no"); }), "-ERR no\r\n");
  EXPECT_EQ(Encoded([](auto& out) { AppendError(out, "ERR 'a\r\n+OK\r\n'"); }),
            "-ERR 'a  +OK  '\r\n");
  EXPECT_EQ(Encoded([](auto& out) { AppendError(out, "ERR a\n"); }), "-ERR a \r\n");
}

TEST(RespEncoderTest, Resp3TypesFallBackToWhatRedisSendsInResp2) {
  const auto both = [](auto append) {
    return std::pair(Encoded([&](auto& out) { append(out, k2); }),
                     Encoded([&](auto& out) { append(out, k3); }));
  };
  using Pair = std::pair<std::string, std::string>;
  EXPECT_EQ(both([](auto& out, RespVersion v) { AppendNull(out, v); }), Pair("$-1\r\n", "_\r\n"));
  EXPECT_EQ(both([](auto& out, RespVersion v) { AppendNullArray(out, v); }),
            Pair("*-1\r\n", "_\r\n"));
  EXPECT_EQ(both([](auto& out, RespVersion v) { AppendMapHeader(out, v, 7); }),
            Pair("*14\r\n", "%7\r\n"));
  EXPECT_EQ(both([](auto& out, RespVersion v) { AppendSetHeader(out, v, 2); }),
            Pair("*2\r\n", "~2\r\n"));
  EXPECT_EQ(both([](auto& out, RespVersion v) { AppendPushHeader(out, v, 3); }),
            Pair("*3\r\n", ">3\r\n"));
  EXPECT_EQ(both([](auto& out, RespVersion v) { AppendBoolean(out, v, true); }),
            Pair(":1\r\n", "#t\r\n"));
  EXPECT_EQ(both([](auto& out, RespVersion v) { AppendBoolean(out, v, false); }),
            Pair(":0\r\n", "#f\r\n"));
  EXPECT_EQ(both([](auto& out, RespVersion v) { AppendDouble(out, v, 0.1); }),
            Pair("$3\r\n0.1\r\n", ",0.1\r\n"));
  EXPECT_EQ(both([](auto& out, RespVersion v) { AppendDouble(out, v, -INFINITY); }),
            Pair("$4\r\n-inf\r\n", ",-inf\r\n"));
  EXPECT_EQ(both([](auto& out, RespVersion v) { AppendDouble(out, v, NAN); }),
            Pair("$3\r\nnan\r\n", ",nan\r\n"));
  EXPECT_EQ(both([](auto& out, RespVersion v) { AppendVerbatim(out, v, "text"); }),
            Pair("$4\r\ntext\r\n", "=8\r\ntxt:text\r\n"));
}

TEST(RespEncoderTest, EveryDoubleFits) {
  for (double value : {-std::numeric_limits<double>::max(), std::numeric_limits<double>::min(),
                       -5e-324, 1.0 / 3}) {
    const std::string line = Encoded([&](auto& out) { AppendDouble(out, k3, value); });
    EXPECT_EQ(std::strtod(line.c_str() + 1, nullptr), value) << line;
  }
}

TEST(RespEncoderTest, AnInlineRequestIsEncodedAsAnArray) {
  RespRequestParser parser;
  ASSERT_EQ(parser.Parse("SET key 'a b'\r\n").status, ParseStatus::kFrame);
  EXPECT_EQ(Encoded([&](auto& out) { AppendCommand(out, parser.args()); }),
            "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$3\r\na b\r\n");
  const std::string password = "secret";
  EXPECT_EQ(Encoded([&](auto& out) { AppendCommand(out, "AUTH", password); }),
            "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n");
}

// Any byte buffer will do, not only std::string.
struct Pieces {
  std::vector<std::string> all;
  void append(std::string_view piece) { all.emplace_back(piece); }
};

TEST(RespEncoderTest, WritesToAnyByteOutput) {
  Pieces out;
  AppendBulk(out, "value");
  EXPECT_EQ(out.all, (std::vector<std::string>{"$5\r\n", "value", "\r\n"}));
}

}  // namespace
}  // namespace weir
