// The files of pools/, one for each pool (pool_file.h): the records that are in force, and what
// people edit by hand beside them. embedded_store.h says what they may do and what becomes of it.
//
//   a file changed -> Examine: what it means (pool_edit.h), undone where it has to be
//                  -> News for the store's observer -> Settle: whether it was taken
//
// Owned by EmbeddedStore, which calls it under its lock; blocks on the disk. Of each file it keeps
// the text that nobody needs to be told of any more, so an edit is told of until it is settled.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controlplane/store/directory_lock.h"
#include "controlplane/store/pool_edit.h"
#include "controlplane/store/pool_file.h"
#include "proto/weir/v1/record.pb.h"

namespace weir {

class PoolDirectory {
 public:
  // What the store's observer is to be told of a pool: a valid edit, or why one is refused.
  struct News {
    std::string pool;
    std::optional<v1::PoolSpec> declared;
    std::string refused;  // "": nothing is refused any more
  };

  // No file longer than `max_file_bytes` is written, or read. `lock` outlives the directory: what
  // is undone is so only while it is held.
  PoolDirectory(std::string directory, size_t max_file_bytes, const DirectoryLock& lock);

  const std::string& path() const { return directory_; }
  std::string PathOf(const std::string& pool) const;
  // Null: the file is an editor's own, and no pool's.
  static std::optional<std::string> PoolOf(std::string_view file_name);
  // Of the pools that are written, and all that there are.
  std::set<std::string> FileNames() const;

  // --- records ---
  // Reads every file, once. Returns the pools whose file has no record: they were added by hand,
  // or are damaged. DATA_LOSS when a record is.
  absl::StatusOr<std::vector<std::string>> ReadAll();
  // Null: no such pool. Lent until the pool is written or removed.
  const InForce* InForceOf(const std::string& pool) const;
  // By name; lent likewise.
  std::vector<const InForce*> AllInForce() const;

  // --- writes ---
  // A pool's file; nullopt when there is none.
  absl::StatusOr<std::optional<std::string>> ReadText(const std::string& pool) const;
  FoundFile Look(const std::string& pool, const std::optional<std::string>& text) const;
  // Writes the pool's file in place of `before`, the text that was `found`. ABORTED when it is
  // another one by now; RESOURCE_EXHAUSTED when it could not be read again.
  absl::Status Write(const std::string& pool, const std::optional<std::string>& before,
                     FoundFile found, InForce in_force);
  absl::Status Remove(const std::string& pool);

  // --- edits by hand ---
  // The pool's file may have changed. Also tells when nothing is refused any more. `again`: it is
  // to be examined once more after a while.
  std::optional<News> Examine(const std::string& pool, bool& again);
  // The observer took what Examine said that the pool declares, or did not: then it is told again.
  void Settle(const std::string& pool, bool is_taken);

 private:
  struct File {
    std::optional<InForce> in_force;  // none: the file was added by hand and nothing is written yet
    // The file's text, when there is nothing to tell of it: what it declares is in force, held or
    // refused. Empty: to be told of.
    std::string judged;
    std::string accepted;  // the last `declared` that was in force, with its comments
    std::string refused;   // the last `declared` that is not looked at until it is changed
    std::string refused_because;
    std::string untold;   // what a write has undone, and nobody was told of yet
    std::string suspect;  // a text, or "" for none, that is to be undone if it is there once more
    bool is_suspect = false;
    bool is_refused = false;  // the observer was told so, and not yet that it is over
  };

  absl::Status Read(const std::string& pool, std::vector<std::string>& without_record);
  absl::Status Replace(const std::string& pool, const std::optional<std::string>& expected,
                       const std::string& text) const;

  std::optional<News> ExamineFile(const std::string& pool, bool& again);
  std::optional<News> ExamineAdded(const std::string& pool, File& file, const std::string& text);
  std::optional<News> ExamineStored(const std::string& pool, File& file,
                                    const std::optional<std::string>& text, bool& again);
  std::optional<News> ExamineDeclared(const std::string& pool, File& file,
                                      std::string_view declared);
  // Whether nothing is refused any more. An edit that is held is in order.
  bool IsInOrder(const std::string& pool, const File& file) const;
  // `declared` as it was looked at last, or was in force; of a pool that is written.
  std::string Remembered(const std::string& pool, const File& file) const;
  // Writes the file with `in_force` as it is in place of `text`; tells what was undone, and why
  // when that failed.
  std::optional<News> Undo(const std::string& pool, File& file,
                           const std::optional<std::string>& text, FoundFile found, bool& again);
  // Whether `text` was there the last time too; else it is worth another look.
  static bool IsSettled(File& file, const std::string& text, bool& again);

  const std::string directory_;
  const size_t max_file_bytes_;
  const DirectoryLock& lock_;
  std::map<std::string, File> files_;  // by pool
};

}  // namespace weir
