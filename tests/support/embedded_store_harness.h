// What the tests of EmbeddedStore share: a store in a directory of its own, and who is told of
// edits.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "controlplane/store/embedded_store.h"
#include "controlplane/store/test_records.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "tests/support/temp_directory.h"

namespace weir {

// What the store told, one line each: "declared POOL TIMEOUT", "refused POOL ERRORS", "in order
// POOL".
class Listener : public PoolStoreObserver {
 public:
  bool OnDeclared(const std::string& pool, const v1::PoolSpec& spec) override {
    Add(StrCat("declared ", pool, " ", spec.policy().timeout()));
    return takes;
  }
  void OnRefused(const std::string& pool, const std::string& errors) override {
    Add(errors.empty() ? StrCat("in order ", pool) : StrCat("refused ", pool, " ", errors));
  }
  void OnChanged(const StoredPool& pool) override { Add("changed " + pool.record.name()); }
  void OnDeleted(const std::string& pool) override { Add("deleted " + pool); }

  // Waits for the next line; "nothing" when none comes.
  std::string Next() {
    std::unique_lock lock(mutex_);
    if (!more_.wait_for(lock, std::chrono::seconds(20), [this] { return !lines_.empty(); })) {
      return "nothing";
    }
    std::string line = lines_.front();
    lines_.pop_front();
    return line;
  }
  std::atomic<bool> takes = true;  // what is declared is in force or held then
  size_t waiting() {
    const std::lock_guard lock(mutex_);
    return lines_.size();
  }

 private:
  void Add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    more_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::string> lines_;
};

class EmbeddedStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  absl::Status TryOpen() {
    store_.reset();
    auto store = EmbeddedStore::Open({.directory = directory_,
                                      .quiet = absl::Milliseconds(100),
                                      .retry = absl::Milliseconds(20)});
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return absl::OkStatus();
  }
  void Open() {
    const absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
  }
  void Watch() { ASSERT_TRUE(store_->Watch(listener_).ok()); }

  // Writes a record with its version; its revision.
  std::string Write(const v1::PoolRecord& record, std::string_view expected_revision) {
    const v1::Version version = TestVersion(record);
    const WriteResult result = store_->Write(record, expected_revision, &version);
    EXPECT_TRUE(result.ok()) << result.status;
    return result.revision;
  }
  std::string ErrorOfWrite(const v1::PoolRecord& record, std::string_view expected_revision) {
    return store_->Write(record, expected_revision, nullptr).status.ToString();
  }
  v1::PoolRecord Stored(std::string_view pool) {
    const auto pools = store_->Load();
    for (const StoredPool& stored : *pools) {
      if (stored.record.name() == pool) return stored.record;
    }
    return {};
  }

  std::string Path(std::string_view pool) { return StrCat(directory_, "/pools/", pool, ".yml"); }
  std::string FileText(std::string_view pool) {
    std::ifstream stream(Path(pool));
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  // As an editor that writes into the file. A new file, which nothing shows to be half written, is
  // better renamed into place.
  void Save(std::string_view pool, std::string_view text) { std::ofstream(Path(pool)) << text; }
  // As an editor that renames a new file into place.
  void SaveByRename(std::string_view pool, std::string_view text) {
    const std::string other = Path("swap") + "~";
    std::ofstream(other) << text;
    ASSERT_EQ(rename(other.c_str(), Path(pool).c_str()), 0);
  }
  std::string Replaced(std::string text, std::string_view from, std::string_view to) {
    const size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from << " in " << text;
    return at == text.npos ? text : text.replace(at, from.size(), to);
  }
  // A file that is edited last shows that there was nothing to tell of before it.
  void ExpectNothingMore() {
    SaveByRename("marker",
                 "declared: {listen: \"h:1\", redis: true, timeout: 99, servers: [\"h:2:1\"]}");
    EXPECT_EQ(listener_.Next(), "declared marker 99");
    EXPECT_EQ(listener_.waiting(), 0u);
  }

  const TempDirectory temporary_;
  std::string directory_ = temporary_.path() + "/data";
  Listener listener_;
  std::unique_ptr<EmbeddedStore> store_;
};

}  // namespace weir
