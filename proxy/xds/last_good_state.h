// The proxy's last good state on disk: the resources in force, so that it can start without a
// control plane.
//
//   STATE_DIR/last-good   "weir-state 1 SHA256\n", then a weir.v1.LastGoodState
//
// The directory is made with mode 0700 (one with a wider mode is refused), the file with 0600; it
// is replaced whole (temporary file, fsync, rename, fsync of the directory), so a crash leaves the
// state before or the one after.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/weir/v1/proxy_state.pb.h"

namespace weir {

// The file's bytes, and back. Pure. An error says what is wrong with them: a resource without a
// body of its type is one.
std::string EncodeLastGoodState(const v1::LastGoodState& state);
absl::StatusOr<v1::LastGoodState> DecodeLastGoodState(std::string_view bytes);

// Owned and used by one thread; writes on a thread of its own, so that a slow disk holds up nobody.
// Of several states that wait only the last is written. How it ends: the destructor writes what
// waits.
class LastGoodState {
 public:
  // Makes `directory` if there is none; fails where it is not to be had.
  static absl::Status Prepare(const std::string& directory);

  explicit LastGoodState(std::string directory);
  ~LastGoodState();
  LastGoodState(const LastGoodState&) = delete;
  LastGoodState& operator=(const LastGoodState&) = delete;

  // kNotFound when there is none; else an error names the file and what is wrong with it.
  absl::StatusOr<v1::LastGoodState> Load() const;

  // Soon on disk. A failure is logged.
  void Save(const v1::LastGoodState& state);

 private:
  void Run();
  // The file's new contents; durable when it returns OK.

  const std::string directory_;
  const std::string path_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::string> waiting_;  // guarded by mutex_
  bool ending_ = false;                 // guarded by mutex_
  std::thread thread_;
};

}  // namespace weir
