// The half of ControlPlane that changes nothing.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "controlplane/server/control_plane.h"
#include "controlplane/server/error_details.h"
#include "controlplane/server/explain.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr int kDefaultPage = 100;
constexpr int kMaxPage = 1000;
// Clients take 4 MiB by default; a page ends when it is this large.
constexpr size_t kMaxPageBytes = 2 << 20;
// Above every generation.
constexpr uint64_t kNoGeneration = std::numeric_limits<uint64_t>::max();

struct Page {
  size_t size;
  std::string after;  // the key of the last item of the page before; empty: the first page
};

absl::StatusOr<Page> ReadPage(int size, const std::string& token) {
  if (size < 0) return InvalidField("page_size", "expected 0 to 1000");
  Page page{.size = static_cast<size_t>(size == 0 ? kDefaultPage : std::min(size, kMaxPage)),
            .after = {}};
  if (!token.empty() && (!absl::WebSafeBase64Unescape(token, &page.after) || page.after.empty())) {
    return InvalidField("page_token", "expected the next_page_token of a page before");
  }
  return page;
}

std::string TokenAfter(const std::string& key) { return absl::WebSafeBase64Escape(key); }

absl::Status NoSuchPool(const std::string& name) {
  return absl::NotFoundError(StrCat("there is no pool '", name, "'"));
}

// How many lines of errors a status has.
constexpr int kMaxFileErrors = 20;

// Proxies by fleet, then node id, then address: none has a character below the space, which
// DiscoveryStream sees to.
std::string ProxyKey(const ProxyState& proxy) {
  return StrCat(proxy.fleet(), "\n", proxy.node_id(), "\n", proxy.address());
}

}  // namespace

absl::StatusOr<v1::ListPoolsResponse> ControlPlane::ListPools(
    const v1::ListPoolsRequest& request) const {
  const absl::StatusOr<Page> page = ReadPage(request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  std::vector<PoolPtr> pools;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = pools_.upper_bound(page->after); it != pools_.end(); ++it) {
      if (!request.fleet().empty() && it->second->fleet() != request.fleet()) continue;
      pools.push_back(it->second);
      if (pools.size() > page->size) break;  // one more: there is a next page
    }
  }
  v1::ListPoolsResponse response;
  size_t bytes = 0;
  for (const PoolPtr& pool : pools) {
    const auto count = static_cast<size_t>(response.pools_size());
    if (count == page->size || (count > 0 && bytes > kMaxPageBytes)) {
      response.set_next_page_token(TokenAfter(response.pools().rbegin()->name()));
      break;
    }
    *response.add_pools() = ViewWithProxies(*pool);
    bytes += response.pools().rbegin()->ByteSizeLong();
  }
  return response;
}

absl::StatusOr<v1::Pool> ControlPlane::GetPool(const v1::GetPoolRequest& request) const {
  const PoolPtr pool = Find(request.name());
  if (pool == nullptr) return NoSuchPool(request.name());
  return ViewWithProxies(*pool);
}

v1::Pool ControlPlane::ViewOf(const PoolState& pool) const {
  v1::Pool view = PoolView(pool.record(), pool.resources, KnowledgeNow());
  const std::lock_guard lock(mutex_);
  const auto errors = file_errors_.find(view.name());
  if (errors == file_errors_.end()) return view;
  for (const absl::string_view line : absl::StrSplit(errors->second, '\n')) {
    if (view.status().file_errors_size() == kMaxFileErrors) break;
    view.mutable_status()->add_file_errors(std::string(FromAbsl(line)));
  }
  return view;
}

v1::Pool ControlPlane::ViewWithProxies(const PoolState& pool) const {
  v1::Pool view = ViewOf(pool);
  if (pool.IsOnRing()) *view.mutable_status()->mutable_proxies() = ProxiesOf(pool);
  return view;
}

v1::PoolProxies ControlPlane::ProxiesOf(const PoolState& pool) const {
  const std::array targets = {AckTargetOf(pool.resources.pool),
                              AckTargetOf(pool.resources.endpoints)};
  v1::PoolProxies proxies;
  for (const ProxyPtr& proxy : parts_.proxies.Connected(pool.fleet(), pool.record().name())) {
    proxies.set_connected(proxies.connected() + 1);
    const std::optional<v1::ProxyResult> result = proxy->OutcomeOf(targets);
    if (!result.has_value()) continue;
    if (result->outcome() == v1::PROXY_ACKED) proxies.set_up_to_date(proxies.up_to_date() + 1);
    if (result->outcome() == v1::PROXY_NACKED) proxies.set_refusing(proxies.refusing() + 1);
  }
  return proxies;
}

absl::StatusOr<v1::ListVersionsResponse> ControlPlane::ListVersions(
    const v1::ListVersionsRequest& request) const {
  const absl::StatusOr<Page> page = ReadPage(request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  const std::optional<uint64_t> before =
      page->after.empty() ? std::optional(kNoGeneration) : ParseInt<uint64_t>(page->after);
  if (!before) return InvalidField("page_token", "expected the next_page_token of a page before");
  if (Find(request.pool()) == nullptr) return NoSuchPool(request.pool());
  absl::StatusOr<std::vector<v1::Version>> versions = parts_.store.ListVersions(request.pool());
  if (!versions.ok()) return StoreFailed(request.pool(), versions.status());
  v1::ListVersionsResponse response;
  size_t bytes = 0;
  for (v1::Version& version : *versions) {
    if (version.generation() >= *before) continue;
    if (!version.error().empty()) {
      StoreFailed(request.pool(), absl::DataLossError(version.error())).IgnoreError();
    }
    const auto count = static_cast<size_t>(response.versions_size());
    bytes += version.ByteSizeLong();
    if (count == page->size || (count > 0 && bytes > kMaxPageBytes)) {
      response.set_next_page_token(TokenAfter(StrCat(response.versions().rbegin()->generation())));
      break;
    }
    *response.add_versions() = std::move(version);
  }
  return response;
}

absl::StatusOr<v1::ListProxiesResponse> ControlPlane::ListProxies(
    const v1::ListProxiesRequest& request) const {
  const absl::StatusOr<Page> page = ReadPage(request.page_size(), request.page_token());
  if (!page.ok()) return page.status();
  v1::ListProxiesResponse response;
  std::string fleet = request.fleet();
  if (!request.pool().empty()) {
    const PoolPtr pool = Find(request.pool());
    if (pool == nullptr) return NoSuchPool(request.pool());
    if (!fleet.empty() && fleet != pool->fleet()) return response;
    fleet = pool->fleet();
  }
  std::string last;
  size_t bytes = 0;
  for (const ProxyPtr& proxy : parts_.proxies.Connected(fleet, request.pool())) {
    std::string key = ProxyKey(*proxy);
    if (key <= page->after) continue;
    const auto count = static_cast<size_t>(response.proxies_size());
    v1::Proxy described = proxy->Describe(*parts_.cache.View(proxy->fleet()), request.pool());
    bytes += described.ByteSizeLong();
    if (count == page->size || (count > 0 && bytes > kMaxPageBytes)) {
      response.set_next_page_token(TokenAfter(last));
      break;
    }
    *response.add_proxies() = std::move(described);
    last = std::move(key);
  }
  return response;
}

absl::StatusOr<v1::ExplainKeyResponse> ControlPlane::ExplainKey(
    const v1::ExplainKeyRequest& request) const {
  const PoolPtr pool = Find(request.pool());
  if (pool == nullptr) return NoSuchPool(request.pool());
  return weir::ExplainKey(*pool, request);
}

}  // namespace weir
