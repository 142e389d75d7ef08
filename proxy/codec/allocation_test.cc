// Counts what the codec allocates: nothing per request, once its vectors have grown.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include "proxy/codec/resp_encoder.h"
#include "proxy/codec/resp_frame_scanner.h"
#include "proxy/codec/resp_reader.h"
#include "proxy/codec/resp_request_parser.h"

namespace {
uint64_t allocations = 0;
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace weir {
namespace {

const std::string kSet =
    "*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$100\r\n" + std::string(100, 'v') + "\r\n";
const std::string kMget = "*4\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n";
const std::string kInline = "SET key \"a quoted value that is longer than a small string\"\r\n";

// Allocations of a hundred runs of `body` behind the first.
template <typename Body>
uint64_t AllocationsOf(Body body) {
  body();
  const uint64_t before = allocations;
  for (int i = 0; i < 100; ++i) body();
  return allocations - before;
}

TEST(AllocationTest, TheCounterCounts) {
  EXPECT_EQ(AllocationsOf([] { delete new int; }), 100u);
}

TEST(AllocationTest, ParsingRequestsAllocatesNothing) {
  RespRequestParser parser;
  EXPECT_EQ(AllocationsOf([&] {
              for (const std::string* request : {&kSet, &kMget, &kInline}) {
                if (parser.Parse(*request).status != ParseStatus::kFrame) std::abort();
              }
            }),
            0u);
}

TEST(AllocationTest, ParsingARequestInPiecesAllocatesNothing) {
  RespRequestParser parser;
  EXPECT_EQ(AllocationsOf([&] {
              for (size_t size = 1; size <= kMget.size(); ++size) {
                parser.Parse(std::string_view(kMget).substr(0, size));
              }
              if (parser.args().size() != 4) std::abort();
            }),
            0u);
}

TEST(AllocationTest, ScanningAndReadingRepliesAllocatesNothing) {
  const std::string reply = "*3\r\n$1\r\na\r\n*1\r\n:7\r\n+OK\r\n";
  EXPECT_EQ(AllocationsOf([&] {
              RespFrameScanner scanner;
              for (char c : reply) scanner.Scan({&c, 1});
              RespElements elements(reply);
              while (elements.Next()) {
              }
              if (scanner.in_frame() || elements.remaining() != 0) std::abort();
            }),
            0u);
}

TEST(AllocationTest, EncodingIntoAReservedOutputAllocatesNothing) {
  std::string out;
  EXPECT_EQ(AllocationsOf([&] {
              out.clear();
              AppendCommand(out, "SET", "key", "value");
              AppendError(out, "ERR a text\r\nof two lines");
              AppendDouble(out, RespVersion::kResp3, 0.1);
            }),
            0u);
}

}  // namespace
}  // namespace weir
