#include "controlplane/server/caller.h"

#include <string_view>
#include <vector>

#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "grpcpp/security/auth_context.h"

namespace weir {
namespace {

std::string_view View(const grpc::string_ref& text) { return {text.data(), text.size()}; }

// The common name of a client certificate that the transport has verified; empty: none.
std::string CommonName(const grpc::CallbackServerContext& context) {
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return "";
  const std::vector<grpc::string_ref> names = auth->FindPropertyValues("x509_common_name");
  return names.size() == 1 ? std::string(View(names[0])) : "";
}

}  // namespace

absl::StatusOr<Admission> CheckCaller(const grpc::CallbackServerContext& context, Role needed,
                                      Access& access, ControlMetrics& metrics) {
  const std::string peer = PeerAddress(context);
  const std::string common_name = CommonName(context);
  const auto& metadata = context.client_metadata();
  const auto authorization = metadata.find("authorization");
  absl::StatusOr<Admission> admission = access.Check(
      {.peer = peer,
       .authorization = authorization == metadata.end() ? "" : View(authorization->second),
       .common_name = common_name},
      needed, absl::Now());
  if (!admission.ok()) metrics.CountRefusal(RoleName(needed));
  return admission;
}

std::string PeerAddress(const grpc::CallbackServerContext& context) {
  // "ipv4:127.0.0.1:40312", "ipv6:%5B::1%5D:40312", "unix:".
  std::string peer = context.peer();
  if (peer.starts_with("unix")) return "unix";
  const size_t colon = peer.find(':');
  if (colon == peer.npos) return peer;
  return absl::StrReplaceAll(peer.substr(colon + 1), {{"%5B", "["}, {"%5D", "]"}});
}

std::string PeerHost(const grpc::CallbackServerContext& context) {
  const std::string address = PeerAddress(context);
  return address.substr(0, address.rfind(':'));
}

}  // namespace weir
