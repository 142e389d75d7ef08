#include "controlplane/ctl/input_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "proxy/base/strings.h"

namespace weir {
namespace {

absl::Status CannotRead(const std::string& path) {
  return InvalidArgument("cannot read '", path, "': ", strerror(errno));
}

}  // namespace

absl::StatusOr<std::string> ReadInputFile(const std::string& path) {
  const bool is_stdin = path == "-";
  FILE* const file = is_stdin ? stdin : std::fopen(path.c_str(), "re");
  if (file == nullptr) return CannotRead(path);
  std::string content;
  char chunk[1 << 14];
  size_t count = 0;
  while ((count = std::fread(chunk, 1, sizeof(chunk), file)) > 0) content.append(chunk, count);
  absl::Status status = std::ferror(file) != 0 ? CannotRead(path) : absl::OkStatus();
  if (!is_stdin) std::fclose(file);
  if (!status.ok()) return status;
  return content;
}

}  // namespace weir
