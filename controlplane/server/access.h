// Access: decides for each call who the caller is and whether they may make it.
//
// Without a file everyone may do everything (weir-control's flags permit that without TLS only).
// With one, a bearer token counts, or else the client certificate's common name. The file is looked
// at once a second at most, when a call comes or TableNumber is asked for, and read again when it
// has changed. What is wrong with it then, also that it is gone, is logged once, and the table
// before it stays.
//
// Refusals are logged (at most 10 lines a second). Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controlplane/server/access_table.h"

namespace weir {

// What a caller shows. Lends its strings.
struct Credentials {
  std::string_view peer = {};           // address, for logs
  std::string_view authorization = {};  // of the metadata of this name: "Bearer TOKEN"; empty: none
  std::string_view common_name = {};    // of a verified client certificate; empty: none
};

// Who was let in, and by which line.
struct Admission {
  std::string name;        // that of the line; "anonymous" without a file
  std::string credential;  // as in the file, so no token; empty without a file
};

class Access {
 public:
  // Open to everyone.
  Access() = default;
  // As `file` says; fails when it cannot be read or has a mistake.
  static absl::StatusOr<std::unique_ptr<Access>> FromFile(std::string file);

  // UNAUTHENTICATED when no line is theirs, PERMISSION_DENIED when its role is another. `now` paces
  // looking at the file.
  absl::StatusOr<Admission> Check(const Credentials& credentials, Role needed, absl::Time now);

  // For calls that stay open. Whether the line is there still, with a role that permits it; does
  // not look at the file.
  absl::Status Recheck(const Admission& admission, Role needed);
  // Looks at the file. Rises when another table has come into force.
  uint64_t TableNumber(absl::Time now);

 private:
  // What tells one content of the file from another; all 0: there is no file.
  struct FileState {
    int64_t modified_nanos = 0;
    int64_t size = 0;
    uint64_t inode = 0;
    friend bool operator==(const FileState&, const FileState&) = default;
  };

  static absl::StatusOr<FileState> Stat(const std::string& file);
  // These need `mutex_`, or nobody else to have the object.
  absl::Status Load();
  void LogLoaded() const;
  std::shared_ptr<const AccessTable> CurrentTable(absl::Time now);

  std::string file_;  // empty: open to everyone
  std::mutex mutex_;  // of the next four
  std::shared_ptr<const AccessTable> table_;
  uint64_t number_ = 0;  // of table_
  FileState loaded_;
  absl::Time next_look_ = absl::InfinitePast();
};

}  // namespace weir
