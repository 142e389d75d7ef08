// Files that are there whole or not at all, whenever the process or the machine ends.
//
// Functions on paths; they block on the disk. Thread-safe as long as no two threads write the same
// file. Errors name the path and the reason: RESOURCE_EXHAUSTED when the disk, a quota or a limit
// is full, NOT_FOUND, else UNAVAILABLE.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir {

// The error for `errno`, "PATH: cannot be WHAT: reason".
absl::Status FileError(std::string_view path, std::string_view what, int error);

// The name under which a file is written before it is renamed into place, beside it.
std::string TemporaryName(std::string_view file_name);
bool IsTemporaryName(std::string_view file_name);

// Creates the directory (mode 0700) durably unless it exists. Its parent must exist.
absl::Status MakePrivateDirectory(const std::string& path);

// Replaces or creates DIRECTORY/NAME (mode 0600): temporary file, fsync, rename, fsync of the
// directory. On an error the old file is as it was; except DATA_LOSS: the new one is in place, but
// the directory could not be synchronised.
absl::Status WriteFileDurably(const std::string& directory, std::string_view name,
                              std::string_view contents);

// The same, unless the file is another one than `expected` (null: there is none) by then: ABORTED,
// and it stays as whoever saved it left it, also one who writes into it and has not finished. With
// a crash in between, the moment of a comparison, either of both may be there.
//
// It exchanges the two files and looks at what came out (renameat2). A file system that cannot do
// that is looked at right before the renaming: what is saved in the instant between them is lost.
absl::Status ReplaceFileDurably(const std::string& directory, std::string_view name,
                                const std::string* expected, std::string_view contents);

// Removes the file durably; one that does not exist is no error.
absl::Status RemoveFileDurably(const std::string& directory, std::string_view name);

// What becomes of a symbolic link: for a file that is replaced by renaming, which would lose the
// link, it is no regular file; one that is only read may be behind links.
enum class SymbolicLinks { kRefuse, kFollow };

// The file's contents. FAILED_PRECONDITION when it is no regular file or longer than `max_bytes`.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path, size_t max_bytes,
                                          SymbolicLinks links = SymbolicLinks::kRefuse);

// The names in a directory, sorted; without "." and "..".
absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path);

}  // namespace weir
