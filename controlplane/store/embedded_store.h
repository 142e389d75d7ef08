// The pools of a weir-control without Kubernetes, in a directory:
//
//   DIRECTORY/lock                         held while a process has the store open; its pid
//   DIRECTORY/pools/NAME.yml               a pool: declared and in force (pool_file.h)
//   DIRECTORY/history/NAME/GENERATION.json its last versions
//   DIRECTORY/deleted/UID.json             the last record of a pool that is gone
//   DIRECTORY/addresses.json               what host names stood for last (address_file.h)
//
// Directories are 0700, files 0600. A write makes the history's file first and then, by renaming,
// the pool's: that is the moment from which it counts, and on opening, versions above the record's
// generation are removed. A deletion is written to deleted/ first and counts from the moment when
// the pool's file is gone. So a crash at any moment leaves every pool as some write left it, and
// none of those that were answered is lost. While a pool is created or deleted its history has a
// mark (VersionHistory::Disown); without that, a history whose pool has no record is a sign of
// damage.
//
// Whoever removes or replaces the lock's file lets a second writer in (directory_lock.h). The first
// one looks before each write, and writes nothing any more.
//
// People may edit, add, and replace files in pools/ at any time. What they change in `declared`
// goes to the observer, and stays in the file with its comments; only a new spec that comes by
// another way rewrites it, and that is refused while an edit waits. An edit that is neither taken
// nor held is told of again and again. What they change in `in_force` is undone, and so is the
// removal of a file: pools are deleted through the API. An editor may save a file that it read
// before a live change: `in_force` is put back, and `declared` is an edit like others unless the
// declaration changed, too. Until it is put back (twice Options::quiet), a crash would leave the
// older state.
//
// A write replaces the text that it has read, and no other one: what is saved in the meantime stays
// and is looked at first (durable_file.h, ReplaceFileDurably). A crash in the moment when the two
// are told apart may leave the write, unanswered, and lose what was saved in that same moment. A
// file that is empty or cut short may be being saved: a write waits for it for Options::quiet. Then
// it puts back what was declared last, and the observer is told; only what an editor that goes on
// after that writes into the old file is lost.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/store/address_file.h"
#include "controlplane/store/deleted_pools.h"
#include "controlplane/store/directory_lock.h"
#include "controlplane/store/directory_watcher.h"
#include "controlplane/store/pool_directory.h"
#include "controlplane/store/pool_edit.h"
#include "controlplane/store/pool_file.h"
#include "controlplane/store/pool_store.h"
#include "controlplane/store/version_history.h"

namespace weir {

// Thread-safe. Destroying it waits for an observer's call that is under way; not from one.
class EmbeddedStore : public PoolStore {
 public:
  struct Options {
    std::string directory;                           // created if missing; its parent must exist
    absl::Duration quiet = absl::Milliseconds(100);  // how long a file must be at rest to be read
    absl::Duration max_delay = absl::Seconds(1);     // but no longer than this
    absl::Duration retry = absl::Seconds(10);        // before an edit not taken is told of again
    size_t max_file_bytes = kMaxStoredBytes;         // no longer file is written, nor read
  };

  // Takes the lock and reads everything. FAILED_PRECONDITION, with the pid, when another process
  // has it open; DATA_LOSS when a record is damaged: then nothing is served, because a pool that is
  // missing would vanish from the proxies.
  static absl::StatusOr<std::unique_ptr<EmbeddedStore>> Open(Options options);
  ~EmbeddedStore() override;

  absl::StatusOr<std::vector<StoredPool>> Load() override;
  absl::Status Watch(PoolStoreObserver& observer) override;
  WriteResult Write(const v1::PoolRecord& record, std::string_view expected_revision,
                    const v1::Version* version) override;
  absl::Status Delete(const v1::PoolRecord& last, std::string_view expected_revision) override;
  absl::StatusOr<std::vector<v1::PoolRecord>> ListDeleted() override;
  absl::StatusOr<std::vector<v1::Version>> ListVersions(const std::string& pool) override;

  // Writes address_file.h's file into the directory; UNAVAILABLE without the lock. Not to be called
  // by two threads at once. Holds up no other call.
  absl::Status WriteAddresses(const KnownAddresses& known) const;

 private:
  EmbeddedStore(Options options, DirectoryLock lock);

  absl::Status ReadAll();
  // DATA_LOSS when a file without a record is one of a pool that was there.
  absl::Status CheckIsNew(const std::string& pool) const;
  // Forgets histories that a crash has left, and warns of those whose pool's file is missing.
  absl::Status CheckHistories();

  // --- edits by hand; on the watcher's thread ---
  DirectoryWatcher::Again OnChanges(const DirectoryWatcher::Changes& changes);
  std::optional<PoolDirectory::News> Examine(const std::string& pool, bool& again);
  // Passes the news on, without the lock; false: to be told of again after a while.
  bool Tell(const PoolDirectory::News& news);

  // --- writes ---
  absl::Status CheckRevision(const std::string& pool, std::string_view expected) const;
  // Write, unless the file is being saved, or may be and this is not the last try: nullopt.
  std::optional<WriteResult> TryWrite(const v1::PoolRecord& record,
                                      std::string_view expected_revision,
                                      const v1::Version* version, bool is_last);
  // The history's file, then the pool's, in place of `text`. ABORTED: as PoolDirectory::Write.
  absl::Status WriteAll(const std::string& pool, const std::optional<std::string>& text,
                        FoundFile found, InForce in_force, const v1::Version* version);

  const Options options_;
  const DirectoryLock lock_;

  std::mutex mutex_;  // guards what follows, and the files
  PoolDirectory pools_;
  VersionHistory history_;
  DeletedPools deleted_;

  PoolStoreObserver* observer_ = nullptr;      // set once, before the watcher starts
  std::unique_ptr<DirectoryWatcher> watcher_;  // last: its thread uses all of the above
};

}  // namespace weir
