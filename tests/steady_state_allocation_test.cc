// A request costs no allocation once the worker has warmed up: GET, SET and a split MGET through
// the whole in-process data plane. In a test program of its own, because it replaces the global
// operator new and, where the sanitizers leave it alone, malloc.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

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

constexpr int kBatch = 10;      // requests in one piece
constexpr int kBatches = 1000;  // counted

std::string Answer(const std::vector<std::string_view>& request) {
  if (request[0] == "SET") return "+OK\r\n";
  if (request[0] == "GET") return EncodeBulk("value of the key");
  CHECK(request[0] == "MGET");
  std::string reply = "*" + std::to_string(request.size() - 1) + "\r\n";
  for (size_t i = 1; i < request.size(); ++i) reply += EncodeBulk("value of the key");
  return reply;
}

// What the proxy allocates for 10,000 requests, after as many that warm it up.
size_t AllocationsFor(std::string_view request) {
  SessionHarness::Options options;
  options.around_turn = [](bool begins) { counting = begins; };
  SessionHarness h(std::move(options));
  h.shard("a").Answers(Answer);
  h.shard("b").Answers(Answer);
  std::string batch;
  for (int i = 0; i < kBatch; ++i) batch += FakeClient::Encode(request);
  for (int i = 0; i < 100; ++i) h.client().SendsBytes(batch);
  h.client().DropsInput();
  allocations = 0;
  for (int i = 0; i < kBatches; ++i) {
    h.client().SendsBytes(batch);
    h.client().DropsInput();
  }
  counting = false;
  const size_t counted = allocations;
  EXPECT_EQ(h.stats().requests.Get(), static_cast<uint64_t>(kBatch * (kBatches + 100)));
  EXPECT_EQ(h.stats().replies.Get(), h.stats().requests.Get());
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

TEST(SteadyStateAllocationTest, AGetCostsNone) { EXPECT_EQ(AllocationsFor("GET a1"), 0u); }

TEST(SteadyStateAllocationTest, ASetCostsNone) {
  EXPECT_EQ(AllocationsFor("SET a1 " + std::string(100, 'v')), 0u);
}

TEST(SteadyStateAllocationTest, AnMgetOverTwoShardsCostsNone) {
  EXPECT_EQ(AllocationsFor("MGET a1 b1 a2 b2 a3"), 0u);
}

TEST(SteadyStateAllocationTest, AnMgetWhoseRepliesTakeSeveralChunksCostsNone) {
  EXPECT_EQ(AllocationsFor("MGET a1 b1 a2 b2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15 a16"
                           " a17 a18 a19 a20 a21 a22 a23 a24 a25 a26 a27 a28 a29 a30 a31 a32"),
            0u);
}

}  // namespace
}  // namespace weir
