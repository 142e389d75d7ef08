#include "controlplane/server/secret_directory.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "controlplane/model/canonical.h"
#include "proxy/base/durable_file.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr size_t kMaxBytes = 64 * 1024;

// When the file came to be as it is: never goes back, whatever time its writer gave it.
int64_t ChangeNanos(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return 0;
  return int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec;
}

v1::Resource MakeSecret(const std::string& name, std::string value, int64_t generation) {
  if (value.ends_with('\n')) value.pop_back();
  v1::Resource resource;
  resource.mutable_key()->set_type(v1::RESOURCE_SECRET);
  resource.mutable_key()->set_name(name);
  resource.set_uid(StrCat("secret-", name));
  resource.set_generation(static_cast<uint64_t>(generation));
  resource.mutable_secret()->set_value(std::move(value));
  resource.set_version(ContentVersion(resource.secret()));
  return resource;
}

}  // namespace

SecretDirectory::SecretDirectory(std::string directory, ResourceCache& cache)
    : directory_(std::move(directory)), cache_(cache) {}

absl::StatusOr<std::unique_ptr<SecretDirectory>> SecretDirectory::Open(std::string directory,
                                                                       ResourceCache& cache) {
  std::unique_ptr<SecretDirectory> secrets(new SecretDirectory(std::move(directory), cache));
  absl::Status status = secrets->ReadAll();
  if (!status.ok()) return status;
  auto watcher = DirectoryWatcher::Start(
      {.directory = secrets->directory_},
      [secrets = secrets.get()](const DirectoryWatcher::Changes& changes) {
        // Where the files are links, as in a volume of Kubernetes, it is a link named `..data` that
        // changes, and with it all of them.
        const auto is_hidden = [](const std::string& name) { return name.starts_with('.'); };
        if (changes.everything || std::ranges::any_of(changes.names, is_hidden)) {
          const absl::Status read = secrets->ReadAll();
          if (!read.ok()) {
            LOG_EVENT(LogLevel::kError, "secrets_not_read", {"error", FromAbsl(read.message())});
          }
        }
        for (const std::string& name : changes.names) secrets->Read(name);
        return DirectoryWatcher::Again();
      });
  if (!watcher.ok()) return watcher.status();
  secrets->watcher_ = *std::move(watcher);
  return secrets;
}

absl::Status SecretDirectory::ReadAll() {
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(directory_);
  if (!names.ok()) return names.status();
  const std::set<std::string> before = known_;
  for (const std::string& name : before) {
    if (!std::ranges::binary_search(*names, name)) Forget(name);
  }
  for (const std::string& name : *names) Read(name);
  return absl::OkStatus();
}

void SecretDirectory::Read(const std::string& name) {
  if (name.starts_with('.')) return;
  const std::string path = StrCat(directory_, "/", name);
  const int64_t generation = ChangeNanos(path);
  absl::StatusOr<std::string> value = ReadWholeFile(path, kMaxBytes, SymbolicLinks::kFollow);
  if (absl::IsNotFound(value.status())) return Forget(name);
  if (!value.ok()) {  // the secret stays what it was
    LOG_EVENT(LogLevel::kError, "secret_not_read", {"error", FromAbsl(value.status().message())});
    return;
  }
  known_.insert(name);
  cache_.SetSecret(MakeSecret(name, *std::move(value), generation));
}

void SecretDirectory::Forget(const std::string& name) {
  if (known_.erase(name) > 0) cache_.RemoveSecret(name);
}

}  // namespace weir
