// The proxy's last good state on disk: the resources in force, so that it can start without a
// control plane.
//
//   STATE_DIR/last-good   "weir-state 1 SHA256\n", then a weir.v1.LastGoodState
//
// The directory is made with mode 0700 (one with a wider mode is refused), the file with 0600; it
// is replaced whole (temporary file, fsync, rename, fsync of the directory), so a crash leaves the
// state before or the one after.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/weir/v1/proxy_state.pb.h"
#include "proxy/base/durable_file.h"

namespace weir {

// The file's bytes, and back. Pure. An error says what is wrong with them: a resource without a
// body of its type is one.
std::string EncodeLastGoodState(const v1::LastGoodState& state);
absl::StatusOr<v1::LastGoodState> DecodeLastGoodState(std::string_view bytes);

// Owned and used by one thread; writes on a thread of its own, so that a slow disk holds up nobody.
// Of several states that wait only the last is written. How it ends: the destructor waits for what
// waits to be written, for kEndLimit at most: a disk that hangs is left to the thread, which
// touches nothing of the caller's.
class LastGoodState {
 public:
  static constexpr absl::Duration kEndLimit = absl::Seconds(1);
  // As WriteFileDurably.
  using Write = std::function<absl::Status(const std::string& directory, std::string_view name,
                                           std::string_view contents)>;

  // Makes `directory` if there is none; fails where it is not to be had.
  static absl::Status Prepare(const std::string& directory);

  explicit LastGoodState(std::string directory, Write write = WriteFileDurably);
  ~LastGoodState();
  LastGoodState(const LastGoodState&) = delete;
  LastGoodState& operator=(const LastGoodState&) = delete;

  // kNotFound when there is none; else an error names the file and what is wrong with it.
  absl::StatusOr<v1::LastGoodState> Load() const;

  // Soon on disk. A failure is logged.
  void Save(const v1::LastGoodState& state);

 private:
  struct Writer;

  const std::string path_;
  const std::shared_ptr<Writer> writer_;  // shared with the thread, which may outlive this object
  std::thread thread_;
};

}  // namespace weir
