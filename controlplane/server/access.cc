#include "controlplane/server/access.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "proxy/base/log.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr absl::Duration kLookInterval = absl::Seconds(1);
constexpr std::string_view kBearer = "Bearer ";

absl::Status Refuse(const Credentials& credentials, Role needed, absl::Status status) {
  LOG_EVENT_LIMITED(LogLevel::kWarn, "access_refused", {"peer", credentials.peer},
                    {"needed", RoleName(needed)}, {"reason", FromAbsl(status.message())});
  return status;
}

}  // namespace

absl::StatusOr<Access::FileState> Access::Stat(const std::string& file) {
  struct stat found{};
  if (stat(file.c_str(), &found) != 0) {
    return InvalidArgument(file, ": ", std::strerror(errno));
  }
  if (S_ISDIR(found.st_mode)) return InvalidArgument(file, ": ", std::strerror(EISDIR));
  return FileState{
      .modified_nanos = int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec,
      .size = found.st_size,
      .inode = found.st_ino};
}

absl::StatusOr<std::unique_ptr<Access>> Access::FromFile(std::string file) {
  auto access = std::make_unique<Access>();
  access->file_ = std::move(file);
  absl::Status status = access->Load();
  if (!status.ok()) return status;
  access->LogLoaded();
  return access;
}

absl::Status Access::Load() {
  const absl::StatusOr<FileState> state = Stat(file_);
  loaded_ = state.value_or(FileState());  // a bad file is not read again until it changes
  if (!state.ok()) return state.status();
  std::ifstream stream(file_);
  if (!stream) return InvalidArgument(file_, ": ", std::strerror(errno));
  std::stringstream text;
  text << stream.rdbuf();
  absl::StatusOr<AccessTable> table = AccessTable::Parse(text.str(), file_);
  if (!table.ok()) return table.status();
  table_ = std::make_shared<const AccessTable>(*std::move(table));
  ++number_;
  return absl::OkStatus();
}

void Access::LogLoaded() const {
  if (table_->size() > 0) {
    LOG_EVENT(LogLevel::kNotice, "access_file_loaded", {"file", file_}, {"lines", table_->size()});
  } else {
    LOG_EVENT(LogLevel::kWarn, "access_file_loaded", {"file", file_}, {"lines", 0},
              {"reason", "the file lets nobody in"});
  }
}

std::shared_ptr<const AccessTable> Access::CurrentTable(absl::Time now) {
  const std::lock_guard lock(mutex_);
  if (now < next_look_) return table_;
  next_look_ = now + kLookInterval;
  if (Stat(file_).value_or(FileState()) == loaded_) return table_;
  const absl::Status status = Load();
  if (status.ok()) {
    LogLoaded();
  } else {
    LOG_EVENT(LogLevel::kError, "access_file_refused", {"error", FromAbsl(status.message())},
              {"lines_in_force", table_->size()});
  }
  return table_;
}

absl::StatusOr<Admission> Access::Check(const Credentials& credentials, Role needed,
                                        absl::Time now) {
  if (file_.empty()) return Admission{.name = "anonymous", .credential = {}};
  const std::shared_ptr<const AccessTable> table = CurrentTable(now);
  std::string credential;
  if (absl::StartsWithIgnoreCase(ToAbsl(credentials.authorization), ToAbsl(kBearer))) {
    credential = AccessTable::CredentialOfToken(credentials.authorization.substr(kBearer.size()));
  } else if (!credentials.common_name.empty()) {
    credential = AccessTable::CredentialOfCommonName(credentials.common_name);
  }
  const AccessTable::Entry* const entry = table->Find(credential);
  if (entry == nullptr) {
    const bool shows_any = !credentials.authorization.empty() || !credentials.common_name.empty();
    return Refuse(credentials, needed,
                  absl::UnauthenticatedError(
                      shows_any ? "the credential is not known here"
                                : "expected a bearer token in the metadata 'authorization', "
                                  "or a client certificate"));
  }
  if (!Permits(entry->role, needed)) {
    return Refuse(credentials, needed,
                  absl::PermissionDeniedError(StrCat("'", entry->name, "' has the role ",
                                                     RoleName(entry->role), ", the call needs ",
                                                     RoleName(needed))));
  }
  return Admission{.name = entry->name, .credential = std::move(credential)};
}

absl::Status Access::Recheck(const Admission& admission, Role needed) {
  if (file_.empty()) return absl::OkStatus();
  std::shared_ptr<const AccessTable> table;
  {
    const std::lock_guard lock(mutex_);
    table = table_;
  }
  const AccessTable::Entry* const entry = table->Find(admission.credential);
  if (entry == nullptr) return absl::UnauthenticatedError("the credential was withdrawn");
  if (Permits(entry->role, needed)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      StrCat("'", entry->name, "' has the role ", RoleName(entry->role), " by now"));
}

uint64_t Access::TableNumber(absl::Time now) {
  if (file_.empty()) return 0;
  (void)CurrentTable(now);
  const std::lock_guard lock(mutex_);
  return number_;
}

}  // namespace weir
