#include "controlplane/store/pool_edit.h"

#include <algorithm>

#include "controlplane/model/change.h"
#include "controlplane/model/pool_spec.h"
#include "proxy/base/strings.h"
#include "proxy/config/pool_yaml.h"

namespace weir {
namespace {

// Whether the API declares something with `record` that is to be held, and was not before.
bool HoldsAnotherSpec(const v1::PoolRecord& record, const v1::PoolRecord& before) {
  if (!record.has_held() || record.held().origin() == kOriginFile) return false;
  const v1::PoolSpec& held = record.held_content().spec();
  return !IsSameSpec(held, record.spec()) &&
         !(before.has_held() && IsSameSpec(held, before.held_content().spec()));
}

// Whether there is nothing but comments.
bool IsBlank(std::string_view declared) {
  while (!declared.empty()) {
    const std::string_view line = declared.substr(0, declared.find('\n'));
    const size_t text = line.find_first_not_of(" \t\r");
    if (text != line.npos && line[text] != '#') return false;
    declared.remove_prefix(std::min(line.size() + 1, declared.size()));
  }
  return true;
}

}  // namespace

bool HoldsAnEdit(const v1::PoolRecord& record) {
  return record.has_held() && record.held().origin() == kOriginFile &&
         !IsSameSpec(record.held_content().spec(), record.spec());
}

FoundFile LookAtFile(const std::optional<std::string>& text, const InForce& in_force,
                     std::string_view remembered, std::string_view path) {
  FoundFile found{.declared = std::string(remembered), .is_whole = false};
  if (!text) {
    found.error = StrCat(path,
                         ":1: found no file, expected it to stay (it is put back); delete the pool "
                         "with `weirctl delete`");
    return found;
  }
  const PoolFileParts parts = SplitPoolFile(*text);
  if (IsBlank(parts.declared)) {
    found.error = StrCat(path,
                         ":1: found nothing declared, expected `declared` (it is put back as it "
                         "was); delete the pool with `weirctl delete`");
    return found;
  }
  found.declared = parts.declared;
  found.is_whole = parts.in_force == in_force.text;
  if (found.is_whole) return found;

  const std::string place = StrCat(path, ":", std::max(parts.in_force_line, 1));
  const absl::StatusOr<InForce> theirs = ParseInForce(parts.in_force, path, parts.in_force_line);
  const bool is_ours = theirs.ok() && theirs->record.uid() == in_force.record.uid();
  // With live changes alone in between, the edit is made on the declaration as it is.
  if (is_ours && IsSameSpec(theirs->record.spec(), in_force.record.spec())) return found;
  found.is_refused = parts.declared != remembered;
  if (is_ours) {
    found.error = StrCat(place,
                         ": the pool was declared anew while the file was edited; compare "
                         "`declared` with `weirctl export`, and change it once more to apply it");
    return found;
  }
  found.error = StrCat(place, ": found ", parts.in_force.empty() ? "no" : "another",
                       " in_force, expected what weir-control wrote; it is put back");
  if (found.is_refused) {
    found.error +=
        ", and `declared` not looked at until it is changed once more (a comment will do)";
  }
  return found;
}

absl::StatusOr<std::string> DeclaredFor(const v1::PoolRecord& record, const v1::PoolRecord* current,
                                        std::string_view declared, std::string_view path) {
  const std::string& pool = record.name();
  const absl::StatusOr<v1::PoolSpec> on_disk = ParseDeclaredPool(declared, path, pool);
  if (on_disk.ok() && IsSameSpec(*on_disk, record.spec())) return std::string(declared);
  // An edit that is held was undone, which nobody has been told of yet: its approval comes too
  // late.
  const bool is_withdrawn = current != nullptr && HoldsAnEdit(*current) &&
                            IsSameSpec(record.spec(), current->held_content().spec());
  if (is_withdrawn) {
    return absl::FailedPreconditionError(
        StrCat("pool '", pool, "': ", path, " does not declare any more what is held"));
  }
  if (current != nullptr && on_disk.ok() && IsSameSpec(*on_disk, current->spec())) {
    return FormatDeclaredPart(record.spec(), pool, declared);
  }
  const bool is_same_spec = current != nullptr && IsSameSpec(record.spec(), current->spec());
  // What is held anew must be what the file says, or nobody could approve it.
  const bool is_approvable =
      is_same_spec && (!HoldsAnotherSpec(record, *current) ||
                       (on_disk.ok() && IsSameSpec(*on_disk, record.held_content().spec())));
  if (is_approvable) return std::string(declared);
  return absl::FailedPreconditionError(
      StrCat("pool '", pool, "': ", path,
             " was edited and is not applied; apply, correct or undo that first"));
}

}  // namespace weir
