// A request costs no allocation once the worker has warmed up, whatever its kind, through the whole
// in-process data plane. In a test program of its own, because it replaces the global
// operator new and, where the sanitizers leave it alone, malloc.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/base/check.h"
#include "tests/support/resp.h"
#include "tests/support/sanitizers.h"
#include "tests/support/session_harness.h"

namespace {

// Counted only while the proxy runs: the scripted ends allocate as they please.
bool counting = false;
size_t allocations = 0;

void Count() {
  if (counting) ++allocations;
}

}  // namespace

#if !WEIR_SANITIZED

extern "C" void* __libc_malloc(size_t bytes);  // NOLINT(bugprone-reserved-identifier)
extern "C" void* malloc(size_t bytes) {
  Count();
  return __libc_malloc(bytes);
}
// operator new calls malloc: counted there.

#else

void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  Count();
  return std::malloc(bytes);
}
void* operator new(size_t bytes) {
  void* memory = operator new(bytes, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

#endif

namespace weir {
namespace {

constexpr int kBatch = 10;     // repetitions in one piece
constexpr int kBatches = 300;  // counted

std::string Answer(const std::vector<std::string_view>& request) {
  const std::string_view name = request[0];
  if (name == "SET" || name == "MSET" || name == "MULTI") return "+OK\r\n";
  if (name == "GET" || name == "EVAL") return EncodeBulk("value of the key");
  if (name == "DEL" || name == "EXISTS" || name == "INCR") return ":1\r\n";
  if (name == "HELLO") return "%1\r\n+proto\r\n:3\r\n";
  if (name == "HGETALL") return "%1\r\n+field\r\n+value\r\n";
  CHECK(name == "MGET");
  std::string reply = "*" + std::to_string(request.size() - 1) + "\r\n";
  for (size_t i = 1; i < request.size(); ++i) reply += EncodeBulk("value of the key");
  return reply;
}

// Answers the block of a transaction, too, as a shard does: QUEUED for each command, and at the end
// an array of their replies.
FakeShard::Answer AnswerWithTransactions() {
  return [in_block = false, replies = std::vector<std::string>()](
             const std::vector<std::string_view>& request) mutable -> std::string {
    if (request[0] == "EXEC") {
      std::string all = "*" + std::to_string(replies.size()) + "\r\n";
      for (const std::string& reply : replies) all += reply;
      in_block = false;
      replies.clear();
      return all;
    }
    if (!in_block) {
      in_block = request[0] == "MULTI";
      return Answer(request);
    }
    replies.push_back(Answer(request));
    return "+QUEUED\r\n";
  };
}

using Requests = std::vector<std::string_view>;

// What the proxy allocates for 300 batches, each the requests ten times in one piece, after a
// hundred that warm it up. `first` is said once before.
size_t AllocationsFor(const Requests& requests, std::string_view first = "PING") {
  SessionHarness::Options options;
  options.around_turn = [](bool begins) { counting = begins; };
  SessionHarness h(std::move(options));
  h.shard("a").Answers(AnswerWithTransactions());
  h.shard("b").Answers(AnswerWithTransactions());
  h.client().Sends(first);
  std::string batch;
  for (int i = 0; i < kBatch; ++i) {
    for (std::string_view request : requests) batch += FakeClient::Encode(request);
  }
  for (int i = 0; i < 100; ++i) h.client().SendsBytes(batch);
  h.client().DropsInput();
  h.client().SendsBytes(batch);
  const std::vector<std::string> replies = h.client().Received();
  EXPECT_EQ(replies.size(), requests.size() * kBatch);
  for (const std::string& reply : replies) EXPECT_FALSE(reply.starts_with("-")) << reply;
  allocations = 0;
  for (int i = 0; i < kBatches; ++i) {
    h.client().SendsBytes(batch);
    h.client().DropsInput();
  }
  counting = false;
  const size_t counted = allocations;
  EXPECT_EQ(h.stats().requests.Get(), 1 + requests.size() * kBatch * (kBatches + 101));
  return counted;
}

TEST(SteadyStateAllocationTest, TheCountSeesAllocations) {
  counting = true;
  allocations = 0;
  std::string text(1000, 'x');
  counting = false;
  EXPECT_GT(allocations, 0u);
  EXPECT_EQ(text.size(), 1000u);
}

TEST(SteadyStateAllocationTest, AGetCostsNone) { EXPECT_EQ(AllocationsFor({"GET a1"}), 0u); }

TEST(SteadyStateAllocationTest, ASetCostsNone) {
  EXPECT_EQ(AllocationsFor({"SET a1 " + std::string(100, 'v')}), 0u);
}

TEST(SteadyStateAllocationTest, AnIncrCostsNone) { EXPECT_EQ(AllocationsFor({"INCR a1"}), 0u); }

TEST(SteadyStateAllocationTest, AnMgetOverTwoShardsCostsNone) {
  EXPECT_EQ(AllocationsFor({"MGET a1 b1 a2 b2 a3"}), 0u);
}

TEST(SteadyStateAllocationTest, AnMgetWhoseRepliesTakeSeveralChunksCostsNone) {
  EXPECT_EQ(AllocationsFor({"MGET a1 b1 a2 b2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15 a16"
                            " a17 a18 a19 a20 a21 a22 a23 a24 a25 a26 a27 a28 a29 a30 a31 a32"}),
            0u);
}

TEST(SteadyStateAllocationTest, AnMsetOverTwoShardsCostsNone) {
  EXPECT_EQ(AllocationsFor({"MSET a1 v b1 v a2 v"}), 0u);
}

TEST(SteadyStateAllocationTest, DelAndExistsOverTwoShardsCostNone) {
  EXPECT_EQ(AllocationsFor({"DEL a1 b1 a2", "EXISTS b1 a1 b2"}), 0u);
}

TEST(SteadyStateAllocationTest, APingCostsNone) {
  EXPECT_EQ(AllocationsFor({"PING", "PING hello"}), 0u);
}

TEST(SteadyStateAllocationTest, AScriptWithKeysCostsNone) {
  EXPECT_EQ(AllocationsFor({"EVAL return_1 2 a1 a2 argument"}), 0u);
}

TEST(SteadyStateAllocationTest, ATransactionOnOneShardCostsNone) {
  EXPECT_EQ(AllocationsFor({"MULTI", "SET a-key-of-more-than-fifteen-bytes v", "INCR a2", "EXEC"}),
            0u);
}

TEST(SteadyStateAllocationTest, ADiscardedTransactionCostsNone) {
  EXPECT_EQ(AllocationsFor({"MULTI", "SET a-key-of-more-than-fifteen-bytes v", "DISCARD"}), 0u);
}

TEST(SteadyStateAllocationTest, Resp3CostsNone) {
  EXPECT_EQ(
      AllocationsFor({"GET a1", "SET b1 v", "HGETALL a1", "MGET a1 b1 a2", "PING"}, "HELLO 3"), 0u);
}

TEST(SteadyStateAllocationTest, ADeepPipelineOfManyKindsCostsNone) {
  EXPECT_EQ(AllocationsFor({"GET a1", "SET b1 v", "PING", "MGET a1 b1", "INCR b1", "DEL a1 b1",
                            "EXISTS a1", "EVAL return_1 1 b1"}),
            0u);
}

}  // namespace
}  // namespace weir
