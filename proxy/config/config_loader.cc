#include "proxy/config/config_loader.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "proxy/base/strings.h"
#include "proxy/config/config_errors.h"
#include "proxy/config/pool_reader.h"
#include "proxy/config/yaml_tree.h"
#include "proxy/hashing/ring_shard.h"

namespace weir {
namespace {

bool IsPoolName(const YamlNode& key) {
  return key.kind == YamlKind::kScalar && !key.text.empty() &&
         std::ranges::none_of(key.text, absl::ascii_iscntrl);
}

// Every pool of the file, those with mistakes included.
std::vector<PoolFromFile> ReadPools(const YamlNode& file, ConfigErrors& errors) {
  std::vector<PoolFromFile> pools;
  std::map<std::string_view, int> lines;
  for (const YamlEntry& entry : file.entries) {
    if (!IsPoolName(entry.key)) {
      errors.Add(entry.key.line, StrCat("found ", DescribeFound(entry.key),
                                        ", expected the name of a pool, of printable characters"));
      continue;
    }
    const auto [seen, is_new] = lines.emplace(entry.key.text, entry.key.line);
    if (!is_new) {
      errors.Add(entry.key.line, Printable(entry.key.text),
                 StrCat("found a second time, expected once (first on line ", seen->second, ")"));
    }
    PoolFromFile pool = ReadPool(entry, PoolOrigin::kFile, errors);
    if (is_new) pools.push_back(std::move(pool));
  }
  return pools;
}

// Two pools cannot listen on one address.
void CheckListens(const std::vector<PoolFromFile>& pools, ConfigErrors& errors) {
  std::map<std::string, const PoolFromFile*> by_address;
  for (const PoolFromFile& pool : pools) {
    if (pool.listen_line == 0) continue;
    const std::string address = FormatEndpoint(pool.pool.listen.endpoint);
    const auto [seen, is_new] = by_address.emplace(address, &pool);
    if (is_new) continue;
    const PoolFromFile& other = *seen->second;
    errors.Add(pool.listen_line, Printable(pool.pool.name), "listen",
               StrCat("found '", Printable(address), "', expected an address of its own: pool '",
                      Printable(other.pool.name), "' has it on line ", other.listen_line));
  }
}

// Whether the path names something that can be read to its end; a directory, for one, can not.
absl::Status CheckReadable(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) {
    return InvalidArgument(path, ": cannot be read: ", std::strerror(errno));
  }
  if (S_ISDIR(status.st_mode)) return InvalidArgument(path, ": found a directory, expected a file");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Config> LoadConfig(std::string_view text, std::string_view file_name,
                                  NoPools no_pools) {
  absl::StatusOr<YamlNode> file = ParseYaml(text, file_name);
  if (!file.ok()) return file.status();
  ConfigErrors errors(file_name);
  const bool is_empty =
      file->kind == YamlKind::kNull || (file->kind == YamlKind::kMap && file->entries.empty());
  if (is_empty && no_pools == NoPools::kAllowed) return Config();
  if (is_empty || file->kind != YamlKind::kMap) {
    errors.Add(
        is_empty ? 1 : file->line,
        StrCat("found ", is_empty ? "nothing" : DescribeFound(*file),
               ", expected at least one pool, as a map `name: {listen: ..., servers: ...}`"));
    return errors.ToStatus();
  }
  std::vector<PoolFromFile> pools = ReadPools(*file, errors);
  CheckListens(pools, errors);
  if (!errors.empty()) return errors.ToStatus();

  Config config = {.pools = {}, .warnings = errors.Warnings()};
  for (PoolFromFile& pool : pools) config.pools.push_back(std::move(pool.pool));
  std::ranges::sort(config.pools, SortsBefore, &PoolConfig::name);
  return config;
}

absl::StatusOr<Config> LoadConfigFile(const std::string& path, NoPools no_pools) {
  if (absl::Status status = CheckReadable(path); !status.ok()) return status;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return InvalidArgument(path, ": cannot be read: ", std::strerror(errno));
  // In pieces: a buffer of the size that is allowed would be most of a small proxy's memory.
  std::string text;
  char piece[64 * 1024];
  while (stream && text.size() <= kMaxYamlBytes) {
    stream.read(piece, sizeof(piece));
    text.append(piece, static_cast<size_t>(stream.gcount()));
  }
  if (stream.bad()) return InvalidArgument(path, ": cannot be read: ", std::strerror(errno));
  return LoadConfig(text, path, no_pools);
}

}  // namespace weir
