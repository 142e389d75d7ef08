#include "proxy/codec/command_table.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "proxy/base/check.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

// Partial loads below put the bytes of a short name in place by shifting.
static_assert(std::endian::native == std::endian::little);

template <typename Word>
Word Load(std::string_view text, size_t offset) {
  Word word;
  std::memcpy(&word, text.data() + offset, sizeof(word));
  return word;
}

// A text of 1 to 8 bytes, zero-padded, without reading beyond it.
uint64_t LoadShort(std::string_view text) {
  const size_t size = text.size();
  if (size == 8) return Load<uint64_t>(text, 0);
  if (size >= 4) {
    return Load<uint32_t>(text, 0) | uint64_t{Load<uint32_t>(text, size - 4)} << (8 * (size - 4));
  }
  const auto byte = [text](size_t i) { return uint64_t{static_cast<unsigned char>(text[i])}; };
  const size_t middle = size / 2;
  return byte(0) | byte(middle) << (8 * middle) | byte(size - 1) << (8 * (size - 1));
}

// ASCII upper case to lower case in all 8 bytes at once, every other byte untouched: in each byte
// the top bit of `from_a` says >= 'A' and that of `after_z` says > 'Z', judged on the low 7 bits.
uint64_t LowerCase(uint64_t word) {
  constexpr uint64_t kEach = 0x0101010101010101;
  const uint64_t low = word & (0x7f * kEach);
  const uint64_t from_a = low + (0x80 - 'A') * kEach;
  const uint64_t after_z = low + (0x7f - 'Z') * kEach;
  const uint64_t upper = (from_a ^ after_z) & ~word & (0x80 * kEach);
  return word | upper >> 2;
}

char LowerCase(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool EqualsIgnoringCase(std::string_view lower, std::string_view any) {
  return std::ranges::equal(lower, any, {}, {}, [](char c) { return LowerCase(c); });
}

// What an entry of `commands:` must look like, or what is wrong with it.
std::optional<std::string> FindFault(const ExtraCommand& extra) {
  if (extra.name.empty()) return "the name is empty";
  if (extra.name.size() > CommandTable::kMaxNameSize) {
    return StrCat("the name is longer than ", CommandTable::kMaxNameSize, " bytes");
  }
  const auto printable = [](char c) { return c > ' ' && c < '\x7f' && c != '|'; };
  if (!std::ranges::all_of(extra.name, printable)) {
    return "the name may hold printable ASCII characters without spaces and '|' only";
  }
  constexpr int kMaxPosition = 1000;
  const auto in_range = [](int position) { return std::abs(position) <= kMaxPosition; };
  if (!in_range(extra.first_key) || !in_range(extra.last_key) || !in_range(extra.step)) {
    return StrCat("positions beyond ", kMaxPosition);
  }
  if (extra.first_key == 0) return std::nullopt;
  if (extra.first_key < 0) return "first_key is negative; the first argument is 1";
  if (extra.last_key >= 0 && extra.last_key < extra.first_key) {
    return "last_key is before first_key (a negative one counts from the end)";
  }
  if (extra.step < 1) return "step is less than 1";
  return std::nullopt;
}

// Fixed positions and nothing else to know about it: the only kind that an extra may restate.
bool HasFixedPositions(const CommandSpec& spec) {
  return spec.command_class == CommandClass::kByKey && spec.key_finder == nullptr &&
         spec.argument_check == nullptr;
}

// Why an extra cannot stand beside the built-in command of its name, if so.
std::optional<std::string> FindConflict(const CommandSpec& known, const CommandSpec& added) {
  if (!HasFixedPositions(known)) {
    return StrCat("cannot be redefined: the proxy ",
                  known.reason.empty() ? "handles it itself or reads its arguments"
                                       : "refuses it or restricts it");
  }
  // Other positions would send it to a shard that has not all of its keys.
  if (known.keys == added.keys) return std::nullopt;
  return StrCat("has first_key ", known.keys.first, ", last_key ", known.keys.last, ", step ",
                known.keys.step, ", expected the same");
}

CommandSpec SpecOfExtra(const ExtraCommand& extra, std::string_view name) {
  CommandSpec spec{.name = name, .arity = -1, .flags = CommandFlag::kExtra};
  if (extra.first_key == 0) {
    spec.command_class = CommandClass::kOneShard;
    spec.reason = "it is configured as a command without keys, so no shard can be chosen for it";
    return spec;
  }
  const int last = std::max(extra.first_key, extra.last_key);
  spec.arity = static_cast<int16_t>(-(last + 1));
  spec.keys = {.first = static_cast<int16_t>(extra.first_key),
               .last = static_cast<int16_t>(extra.last_key),
               .step = static_cast<int16_t>(extra.step)};
  return spec;
}

}  // namespace

void KeyPositions::Clear() {
  constexpr size_t kCapacityKept = 4096;
  if (positions_.capacity() > kCapacityKept) {
    std::vector<uint32_t>().swap(positions_);
  } else {
    positions_.clear();
  }
}

KeyError FindKeys(const CommandSpec& spec, CommandArgs args, KeyPositions* out) {
  DCHECK(ArityMatches(spec, args.size()));
  out->Clear();
  if (spec.key_finder != nullptr) {
    const KeyError error = spec.key_finder->find(spec, args, out);
    if (!error.ok()) out->Clear();
    return error;
  }
  if (spec.keys.first == 0) return {};
  const int64_t count = static_cast<int64_t>(args.size());
  // A last position that the arity does not guarantee is cut to the arguments that there are.
  const int64_t last =
      spec.keys.last < 0 ? count + spec.keys.last : std::min<int64_t>(spec.keys.last, count - 1);
  for (int64_t i = spec.keys.first; i <= last; i += spec.keys.step) {
    out->Add(static_cast<uint32_t>(i));
  }
  return {};
}

CommandTable::CommandTable(std::span<const CommandSpec> specs)
    : specs_(specs.begin(), specs.end()) {
  CHECK(std::ranges::is_sorted(specs_, std::ranges::less_equal{}, &CommandSpec::name));
  LinkSubcommands();
  BuildSlots();
}

// Subcommands of one container share a prefix, so they are neighbours in the order of names.
void CommandTable::LinkSubcommands() {
  for (CommandSpec& spec : specs_) spec.first_subcommand = spec.subcommand_count = 0;
  for (size_t i = 0; i < specs_.size(); ++i) {
    const size_t bar = specs_[i].name.find('|');
    if (bar == std::string_view::npos) continue;
    const auto container =
        std::ranges::lower_bound(specs_, specs_[i].name.substr(0, bar), {}, &CommandSpec::name);
    CHECK(container->name == specs_[i].name.substr(0, bar));
    if (container->subcommand_count++ == 0) container->first_subcommand = static_cast<uint16_t>(i);
  }
}

void CommandTable::BuildSlots() {
  slots_.assign(std::bit_ceil(specs_.size() * 4 + 1), Slot{});
  slot_mask_ = static_cast<uint32_t>(slots_.size() - 1);
  for (uint32_t i = 0; i < specs_.size(); ++i) {
    const std::string_view name = specs_[i].name;
    CHECK(!name.empty() && name.size() <= kMaxNameSize);
    if (name.find('|') != std::string_view::npos) continue;
    const FoldedName folded = Fold(name);
    uint32_t slot = Hash(folded) & slot_mask_;
    while (slots_[slot].name.size != 0) slot = (slot + 1) & slot_mask_;
    slots_[slot] = {folded, i};
  }
}

inline CommandTable::FoldedName CommandTable::Fold(std::string_view name) {
  const size_t size = name.size();
  FoldedName folded{.size = static_cast<uint32_t>(size)};
  if (size <= 8) {
    folded.head = LowerCase(LoadShort(name));
    return folded;
  }
  folded.head = LowerCase(Load<uint64_t>(name, 0));
  folded.tail = LowerCase(Load<uint64_t>(name, size - 8));
  return folded;
}

// Multiplicative hashing (Knuth, TAOCP 3, 6.4): odd constants, the well-mixed upper half.
inline uint32_t CommandTable::Hash(const FoldedName& name) {
  const uint64_t mixed =
      name.head * 0x9e3779b97f4a7c15 ^ name.tail * 0xc2b2ae3d27d4eb4f ^ name.size;
  return static_cast<uint32_t>(mixed >> 32);
}

const CommandSpec* CommandTable::Find(std::string_view name) const {
  if (name.empty() || name.size() > kMaxNameSize) [[unlikely]]
    return nullptr;
  const FoldedName folded = Fold(name);
  for (uint32_t i = Hash(folded) & slot_mask_;; i = (i + 1) & slot_mask_) {
    const Slot& slot = slots_[i];
    if (slot.name == folded) {
      const CommandSpec& spec = specs_[slot.spec];
      // Up to 16 bytes, head and tail are the whole name.
      if (name.size() <= 16 || EqualsIgnoringCase(spec.name, name)) return &spec;
    }
    if (slot.name.size == 0) return nullptr;
  }
}

const CommandSpec* CommandTable::FindSubcommand(const CommandSpec& container,
                                                std::string_view argument) const {
  const size_t prefix = container.name.size() + 1;
  const auto subcommands = specs().subspan(container.first_subcommand, container.subcommand_count);
  for (const CommandSpec& spec : subcommands) {
    if (EqualsIgnoringCase(spec.name.substr(prefix), argument)) return &spec;
  }
  return nullptr;
}

const CommandSpec* CommandTable::FindFullName(std::string_view name) const {
  const auto found = std::ranges::lower_bound(specs_, name, {}, &CommandSpec::name);
  return found != specs_.end() && found->name == name ? &*found : nullptr;
}

absl::StatusOr<CommandTable> CommandTable::WithExtra(std::span<const ExtraCommand> extras) const {
  CHECK(extra_names_.empty());
  std::vector<CommandSpec> specs = specs_;
  std::vector<std::string> names;
  names.reserve(extras.size());  // specs point into the strings: they must not move
  for (const ExtraCommand& extra : extras) {
    if (const auto fault = FindFault(extra)) {
      return InvalidArgument("command \"", extra.name, "\": ", *fault);
    }
    std::string& name = names.emplace_back(extra.name);
    std::ranges::transform(name, name.begin(), [](char c) { return LowerCase(c); });
    const CommandSpec added = SpecOfExtra(extra, name);
    const auto known = std::ranges::find(specs, name, &CommandSpec::name);
    if (known == specs.end()) {
      specs.push_back(added);
    } else if (known->Has(CommandFlag::kExtra)) {
      return InvalidArgument("command \"", extra.name, "\" is given twice");
    } else if (const auto conflict = FindConflict(*known, added)) {
      return InvalidArgument("command \"", extra.name, "\" is built in and ", *conflict);
    }
  }
  std::ranges::sort(specs, {}, &CommandSpec::name);
  CommandTable table(specs);
  table.extra_names_ = std::move(names);
  return table;
}

}  // namespace weir
