#include "controlplane/ctl/admin_client.h"

#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "controlplane/ctl/input_file.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "proxy/base/strings.h"

namespace weir {
namespace {

constexpr std::array kPauses = {absl::Milliseconds(200), absl::Milliseconds(500),
                                absl::Milliseconds(1000)};
constexpr int kLargestMessage = 64 << 20;  // bytes

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(
    const Connection& connection) {
  if (!connection.uses_tls()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  const std::pair<const std::string&, std::string&> files[] = {
      {connection.ca, options.pem_root_certs},
      {connection.cert, options.pem_cert_chain},
      {connection.key, options.pem_private_key}};
  for (const auto& [path, content] : files) {
    if (path.empty()) continue;
    absl::StatusOr<std::string> read = ReadInputFile(path);
    if (!read.ok()) return read.status();
    content = *std::move(read);
  }
  return grpc::SslCredentials(options);
}

std::string TargetOf(const std::string& server) {
  return server.starts_with('/') ? StrCat("unix:", server) : server;
}

// The answers to `request` and to those for the pages after it, as one.
template <typename Request, typename Response>
absl::StatusOr<Response> AllPages(const AdminClient& client,
                                  AdminClient::Method<Request, Response> method, Request request) {
  Response all;
  while (true) {
    absl::StatusOr<Response> page = client.Call(method, request);
    if (!page.ok()) return page.status();
    request.set_page_token(page->next_page_token());
    page->clear_next_page_token();
    all.MergeFrom(*page);
    if (request.page_token().empty()) return all;
  }
}

}  // namespace

absl::Status AdminClient::WithRetries(const std::function<grpc::Status(grpc::ClientContext&)>& call,
                                      absl::Duration timeout) const {
  for (size_t tried = 0;; ++tried) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    AddCredentials(context);
    const grpc::Status status = call(context);
    if (status.ok()) return absl::OkStatus();
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || tried == kPauses.size()) {
      return CallError(status, settings_.server);
    }
    settings_.sleep(kPauses[tried]);
  }
}

absl::Status AdminClient::Watch(
    const v1::WatchPoolsRequest& request,
    const std::function<bool(const v1::WatchPoolsResponse&)>& take) const {
  grpc::ClientContext context;
  AddCredentials(context);
  const auto reader = stub_->WatchPools(&context, request);
  v1::WatchPoolsResponse response;
  while (reader->Read(&response)) {
    if (take(response)) continue;
    context.TryCancel();
    reader->Finish();
    return absl::OkStatus();
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return CallError(status, settings_.server);
  return Unavailable("weir-control at ", settings_.server, " has ended the watch");
}

void AdminClient::AddCredentials(grpc::ClientContext& context) const {
  if (!settings_.token.empty()) {
    context.AddMetadata("authorization", StrCat("Bearer ", settings_.token));
  }
}

absl::StatusOr<std::unique_ptr<AdminClient>> ConnectAdmin(const Connection& connection) {
  const auto credentials = CredentialsOf(connection);
  if (!credentials.ok()) return credentials.status();
  std::string token;
  if (!connection.token_file.empty()) {
    const absl::StatusOr<std::string> read = ReadInputFile(connection.token_file);
    if (!read.ok()) return read.status();
    token = FromAbsl(absl::StripAsciiWhitespace(*read));
    if (token.empty() || token.find_first_of("\r\n \t") != token.npos) {
      return InvalidArgument(connection.token_file, ": expected one token");
    }
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kLargestMessage);
  // Below the pauses between two tries, so that each of them connects anew.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  // A watch, or a change that waits for proxies, would not notice that the server has gone.
  const auto keepalive = static_cast<int>(absl::ToInt64Milliseconds(connection.keepalive));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, keepalive);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, keepalive);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // a watch sends nothing
  const auto channel =
      grpc::CreateCustomChannel(TargetOf(connection.server), *credentials, arguments);
  return std::make_unique<AdminClient>(v1::AdminService::NewStub(channel),
                                       ClientSettings{.server = connection.server,
                                                      .token = token,
                                                      .timeout = connection.timeout,
                                                      .sleep = absl::SleepFor});
}

absl::StatusOr<v1::ListPoolsResponse> ListAllPools(const AdminClient& client,
                                                   const std::string& fleet) {
  v1::ListPoolsRequest request;
  request.set_fleet(fleet);
  return AllPages(client, &AdminClient::Stub::ListPools, std::move(request));
}

absl::StatusOr<v1::ListProxiesResponse> ListAllProxies(const AdminClient& client,
                                                       const std::string& fleet,
                                                       const std::string& pool) {
  v1::ListProxiesRequest request;
  request.set_fleet(fleet);
  request.set_pool(pool);
  return AllPages(client, &AdminClient::Stub::ListProxies, std::move(request));
}

absl::StatusOr<v1::ListVersionsResponse> ListAllVersions(const AdminClient& client,
                                                         const std::string& pool) {
  v1::ListVersionsRequest request;
  request.set_pool(pool);
  return AllPages(client, &AdminClient::Stub::ListVersions, std::move(request));
}

absl::StatusOr<v1::Pool> GetPool(const AdminClient& client, const std::string& name) {
  v1::GetPoolRequest request;
  request.set_name(name);
  return client.Call(&AdminClient::Stub::GetPool, request);
}

}  // namespace weir
