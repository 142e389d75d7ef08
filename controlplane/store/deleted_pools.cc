#include "controlplane/store/deleted_pools.h"

#include <algorithm>

#include "controlplane/model/change.h"
#include "controlplane/store/pool_file.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/time_util.h"
#include "proxy/base/durable_file.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr std::string_view kSuffix = ".json";

std::string FileName(const std::string& uid) { return StrCat(uid, kSuffix); }

bool IsNewer(const v1::PoolRecord& a, const v1::PoolRecord& b) { return a.changed() > b.changed(); }

}  // namespace

absl::Status DeletedPools::Read(const std::set<std::string>& existing) {
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(directory_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    absl::Status status;
    if (IsTemporaryName(name)) status = RemoveFileDurably(directory_, name);
    if (name.ends_with(kSuffix)) status = ReadFile(name, existing);
    if (!status.ok()) return status;
  }
  ForgetOldest();
  return absl::OkStatus();
}

void DeletedPools::ForgetOldest() {
  while (const std::optional<size_t> oldest = FindSurplus(records_, keep_)) {
    const std::string uid = records_[*oldest].uid();
    Withdraw(uid);
  }
}

absl::Status DeletedPools::ReadFile(const std::string& name,
                                    const std::set<std::string>& existing) {
  if (existing.contains(name.substr(0, name.size() - kSuffix.size()))) {
    return RemoveFileDurably(directory_, name);
  }
  const std::string path = StrCat(directory_, "/", name);
  const absl::StatusOr<std::string> text = ReadWholeFile(path, max_bytes_);
  if (!text.ok()) return text.status();
  v1::PoolRecord record;
  const auto status = google::protobuf::util::JsonStringToMessage(*text, &record);
  if (!status.ok() || FileName(record.uid()) != name) {
    return absl::DataLossError(
        StrCat(path,
               ": expected the record of a deleted pool; without the file its deletion is "
               "forgotten: ",
               status.ToString()));
  }
  Insert(std::move(record));
  return absl::OkStatus();
}

void DeletedPools::Insert(v1::PoolRecord record) {
  const auto place = std::ranges::upper_bound(records_, record, IsNewer);
  records_.insert(place, std::move(record));
}

absl::Status DeletedPools::Add(const v1::PoolRecord& record) {
  const std::string name = FileName(record.uid());
  const std::string text = StrCat(FormatJson(record, 0), "\n");
  if (text.size() > max_bytes_) return TooLong(StrCat(directory_, "/", name), max_bytes_);
  const absl::Status status = WriteFileDurably(directory_, name, text);
  if (!status.ok() && !absl::IsDataLoss(status)) return status;
  std::erase_if(records_, [&record](const auto& other) { return other.uid() == record.uid(); });
  Insert(record);
  ForgetOldest();
  return status;
}

void DeletedPools::Withdraw(const std::string& uid) {
  std::erase_if(records_, [&uid](const v1::PoolRecord& record) { return record.uid() == uid; });
  // A file that stays is found on opening: of a pool that exists, or beyond what is kept.
  RemoveFileDurably(directory_, FileName(uid)).IgnoreError();
}

}  // namespace weir
