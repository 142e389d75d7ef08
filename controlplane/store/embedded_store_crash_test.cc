// kill -9 in a loop of writes: what was answered is there, whole, and nothing is half there.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "controlplane/store/embedded_store.h"
#include "controlplane/store/test_records.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr int kKills = 100;
constexpr int kPools = 3;
constexpr int kMaxPauseMicroseconds = 60'000;

// A write that was answered: one of these goes through the pipe, whole, after each.
struct Answer {
  uint32_t pool = 0;
  uint64_t generation = 0;
};

std::unique_ptr<EmbeddedStore> OpenStore(const std::string& directory) {
  auto store = EmbeddedStore::Open({.directory = directory});
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

// The child: writes generation after generation of every pool, from pool `first` on, until it is
// killed.
[[noreturn]] void WriteUntilKilled(const std::string& directory, uint32_t first, int answers) {
  const auto store = OpenStore(directory);
  if (store == nullptr) _exit(1);
  std::map<std::string, StoredPool> pools;
  const auto stored = store->Load();
  for (const StoredPool& pool : *stored) pools[pool.record.name()] = pool;
  for (uint32_t i = first;; i = (i + 1) % kPools) {
    StoredPool& pool = pools[StrCat("pool-", i)];
    const uint64_t generation = pool.record.shard_map().generation() + 1;
    pool.record = TestRecord(StrCat("pool-", i), generation);
    const v1::Version version = TestVersion(pool.record);
    const WriteResult result = store->Write(pool.record, pool.revision, &version);
    if (!result.ok()) _exit(2);
    pool.revision = result.revision;
    const Answer answer{i, generation};
    if (write(answers, &answer, sizeof(answer)) != sizeof(answer)) _exit(3);
  }
}

// Kills the `round`th child after `pause`, and adds its answers to `last`. Every other one is left
// to answer once before, so that there is progress on a machine that is busy, too.
void KillAfter(std::chrono::microseconds pause, int round, const std::string& directory,
               std::map<uint32_t, uint64_t>& last) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(fds[0]);
    WriteUntilKilled(directory, static_cast<uint32_t>(round / 2) % kPools, fds[1]);
  }
  close(fds[1]);
  Answer answer;
  if (round % 2 == 0 && read(fds[0], &answer, sizeof(answer)) == sizeof(answer)) {
    last[answer.pool] = answer.generation;
  }
  std::this_thread::sleep_for(pause);  // the random moment
  kill(child, SIGKILL);
  while (read(fds[0], &answer, sizeof(answer)) == sizeof(answer)) {
    last[answer.pool] = answer.generation;
  }
  close(fds[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child gave up: " << WEXITSTATUS(status);
}

// The pool is as one write left it, and so is its history.
void ExpectWhole(EmbeddedStore& store, const v1::PoolRecord& record) {
  const uint64_t generation = record.shard_map().generation();
  EXPECT_EQ(record.spec().policy().timeout(), generation);
  EXPECT_EQ(record.shard_map().slots(0).name(), StrCat("slot-", generation));
  const auto versions = store.ListVersions(record.name());
  ASSERT_TRUE(versions.ok()) << versions.status();
  ASSERT_EQ(versions->size(), std::min<uint64_t>(generation, PoolStore::kMaxVersions));
  for (size_t i = 0; i < versions->size(); ++i) {
    EXPECT_EQ((*versions)[i].generation(), generation - i);
    EXPECT_EQ((*versions)[i].spec().policy().timeout(), generation - i);
  }
}

TEST(EmbeddedStoreCrashTest, LosesNoAnsweredWriteAndShowsNoHalfOneWhenKilled) {
  const std::string directory = ::testing::TempDir() + "/crash";
  std::mt19937 random(20261123);  // NOLINT: the same pauses every time
  std::uniform_int_distribution<int> pauses(0, kMaxPauseMicroseconds);
  std::map<uint32_t, uint64_t> last;
  for (int i = 0; i < kKills; ++i) {
    KillAfter(std::chrono::microseconds(pauses(random)), i, directory, last);
    const auto store = OpenStore(directory);
    ASSERT_NE(store, nullptr);
    std::map<std::string, uint64_t> found;
    const auto stored = store->Load();
    for (const StoredPool& pool : *stored) {
      ExpectWhole(*store, pool.record);
      found[pool.record.name()] = pool.record.shard_map().generation();
    }
    for (auto& [pool, generation] : last) {
      const uint64_t there = found[StrCat("pool-", pool)];
      // A write that was made and not answered may be there, too.
      EXPECT_TRUE(there == generation || there == generation + 1)
          << "pool-" << pool << ": answered " << generation << ", found " << there;
      generation = there;
    }
    if (HasFailure()) return;
  }
  EXPECT_EQ(last.size(), kPools) << "no child got as far as writing every pool";
}

}  // namespace
}  // namespace weir
