// Who may talk to a weir-control with TLS, and what they get.
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>

#include "controlplane/server/control_process.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "gtest/gtest.h"
#include "httplib.h"
#include "proxy/base/check.h"
#include "proxy/base/strings.h"
#include "tests/integration/control_client.h"
#include "tests/support/sockets.h"
#include "tests/support/temp_directory.h"
#include "tests/support/test_authority.h"

// c-ares, which gRPC resolves names with, keeps a few bytes for each name to the end.
extern "C" const char* __lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() { return "leak:libcares"; }  // NOLINT

namespace weir {
namespace {

using ::testing::HasSubstr;

// Hashes: printf %s TOKEN | sha256sum, of "test", "reader" and "proxy".
constexpr std::string_view kTokens =
    "alice write sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n"
    "rita read sha256:READER\n"
    "fleet discovery sha256:PROXY\n"
    "carl write cn:carl\n";

class ControlSecurityTest : public ::testing::Test {
 protected:
  ControlSecurityTest() {
    authority_.Issue("server", "localhost");
    authority_.Issue("carl", "carl");
    Write("tokens", Tokens());
    Shell("mkdir secrets");
    Write("secrets/alpha", "hunter2\n");
    ControlOptions options;
    options.data_dir = Path("data");
    options.secrets_dir = Path("secrets");
    options.listen_discovery = TcpEndpoint("127.0.0.1", 0);
    options.listen_admin = TcpEndpoint("127.0.0.1", 0);
    options.http = TcpEndpoint("127.0.0.1", 0);
    options.tls_cert = Path("server.pem");
    options.tls_key = Path("server.key");
    options.tls_client_ca = Path("ca.pem");
    options.tokens = Path("tokens");
    auto process = ControlProcess::Start(options);
    CHECK(process.ok());
    process_ = *std::move(process);
  }

  std::string Path(std::string_view name) const { return StrCat(directory_.path(), "/", name); }

  void Write(std::string_view name, std::string_view text) const {
    std::ofstream(Path(name)) << text;
  }

  std::string Read(std::string_view name) const {
    std::stringstream text;
    text << std::ifstream(Path(name)).rdbuf();
    return text.str();
  }

  void Shell(std::string_view command) const {
    CHECK(std::system(
              StrCat("cd ", directory_.path(), " && (", command, ") >/dev/null 2>&1").c_str()) ==
          0);
  }

  std::string HashOf(std::string_view token) const {
    Shell(StrCat("printf %s ", token, " | sha256sum > hash"));
    return Read("hash").substr(0, 64);
  }

  std::string Tokens() const {
    std::string text(kTokens);
    text.replace(text.find("READER"), 6, HashOf("reader"));
    text.replace(text.find("PROXY"), 5, HashOf("proxy"));
    return text;
  }

  // A connection of its own, over TLS, to a server that `authority` vouches for; with a client
  // certificate when `certificate` names one.
  std::shared_ptr<grpc::Channel> Connect(std::string_view certificate = "",
                                         std::string_view authority = "ca.pem") const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = Read(authority);
    if (!certificate.empty()) {
      options.pem_cert_chain = Read(StrCat(certificate, ".pem"));
      options.pem_private_key = Read(StrCat(certificate, ".key"));
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(StrCat("localhost:", process_->admin_port()),
                                     grpc::SslCredentials(options), arguments);
  }

  static grpc::StatusCode Creates(const std::shared_ptr<grpc::Channel>& channel,
                                  const std::string& token, const std::string& pool = "alpha",
                                  bool validate_only = false) {
    v1::CreatePoolRequest request;
    request.set_name(pool);
    request.mutable_options()->set_validate_only(validate_only);
    request.mutable_spec()->mutable_policy()->set_listen("127.0.0.1:22121");
    request.mutable_spec()->mutable_policy()->set_redis(true);
    request.mutable_spec()->mutable_policy()->set_redis_auth_secret("alpha");
    v1::ShardSpec& shard = *request.mutable_spec()->add_servers();
    shard.set_name("a");
    shard.set_endpoint("127.0.0.1:6379");
    grpc::ClientContext context;
    if (!token.empty()) context.AddMetadata("authorization", StrCat("Bearer ", token));
    v1::ChangeResponse response;
    const auto status =
        v1::AdminService::NewStub(channel)->CreatePool(&context, request, &response);
    EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
                status.error_code() == grpc::StatusCode::PERMISSION_DENIED)
        << status.error_message();
    return status.error_code();
  }

  static grpc::StatusCode Lists(const std::shared_ptr<grpc::Channel>& channel,
                                const std::string& token = "") {
    grpc::ClientContext context;
    if (!token.empty()) context.AddMetadata("authorization", StrCat("Bearer ", token));
    v1::ListPoolsResponse response;
    return v1::AdminService::NewStub(channel)
        ->ListPools(&context, v1::ListPoolsRequest(), &response)
        .error_code();
  }

  TempDirectory directory_;
  TestAuthority authority_{directory_.path()};
  std::unique_ptr<ControlProcess> process_;
};

TEST_F(ControlSecurityTest, EachCredentialMayDoWhatItsRoleSays) {
  const auto channel = Connect();
  EXPECT_EQ(Creates(channel, ""), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Creates(channel, "wrong"), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Creates(channel, "reader"), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Creates(channel, "proxy"), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Creates(channel, "test"), grpc::StatusCode::OK);
  EXPECT_EQ(Lists(channel, "reader"), grpc::StatusCode::OK);
  EXPECT_EQ(Lists(channel, "proxy"), grpc::StatusCode::PERMISSION_DENIED);

  httplib::Client http("127.0.0.1", process_->http_port());
  EXPECT_THAT(http.Get("/metrics")->body,
              HasSubstr("weir_control_access_refusals_total{role=\"write\"} 4"));
}

TEST_F(ControlSecurityTest, ToValidateAChangeTakesTheRightToMakeIt) {
  const auto channel = Connect();
  EXPECT_EQ(Creates(channel, "reader", "beta", true), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Creates(channel, "test", "beta", true), grpc::StatusCode::OK);
}

TEST_F(ControlSecurityTest, ACertificateIsKnownByItsCommonName) {
  EXPECT_EQ(Creates(Connect("carl"), ""), grpc::StatusCode::OK);
  EXPECT_EQ(Creates(Connect("server"), "", "beta"), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(ControlSecurityTest, AnOperatorCannotPoseAsAProxy) {
  const auto channel = Connect();
  for (const char* token : {"test", "reader"}) {
    StreamClient stream(channel, token);
    EXPECT_EQ(stream.Ends().error_code(), grpc::StatusCode::PERMISSION_DENIED) << token;
  }
  StreamClient nobody(channel);
  EXPECT_EQ(nobody.Ends().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(ControlSecurityTest, AWithdrawnCredentialEndsTheCallsThatItHasOpen) {
  const auto channel = Connect();
  StreamClient proxy(channel, "proxy");
  proxy.Opens("p1");
  EXPECT_FALSE(proxy.Takes().nonce().empty());
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer reader");
  const auto watch =
      v1::AdminService::NewStub(channel)->WatchPools(&context, v1::WatchPoolsRequest());
  v1::WatchPoolsResponse news;
  ASSERT_TRUE(watch->Read(&news));
  Write("tokens", kTokens.substr(0, kTokens.find("rita")));
  EXPECT_EQ(proxy.Ends().error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_FALSE(watch->Read(&news));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Lists(channel, "test"), grpc::StatusCode::OK);
}

TEST_F(ControlSecurityTest, AProxyGetsTheSecretsOfItsPools) {
  const auto channel = Connect();
  ASSERT_EQ(Creates(channel, "test"), grpc::StatusCode::OK);
  StreamClient proxy(channel, "proxy");
  proxy.Opens("p1");
  std::string secret;
  // The first response may have nothing: the pool is published a moment after it was made.
  for (int i = 0; i < 3 && secret.empty(); ++i) {
    const v1::DiscoveryResponse response = proxy.Takes();
    for (const v1::Resource& resource : response.changed()) secret += resource.secret().value();
  }
  EXPECT_EQ(secret, "hunter2");
}

TEST_F(ControlSecurityTest, AServerCertificateThatChangesOnDiskIsShownToNewConnections) {
  const auto open = Connect();
  EXPECT_EQ(Lists(open, "reader"), grpc::StatusCode::OK);
  Shell("mkdir next");
  const TestAuthority next(Path("next"));
  next.Issue("server", "localhost");
  EXPECT_EQ(Lists(Connect("", "next/ca.pem"), "reader"), grpc::StatusCode::UNAVAILABLE);

  Shell("cp next/server.key server.key && cp next/server.pem server.pem");
  EXPECT_TRUE(Eventually(
      [&] { return Lists(Connect("", "next/ca.pem"), "reader") == grpc::StatusCode::OK; }));
  EXPECT_EQ(Lists(Connect(), "reader"), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Lists(open, "reader"), grpc::StatusCode::OK);
}

TEST_F(ControlSecurityTest, AClientAuthorityThatChangesOnDiskDecidesWhoseCertificatesAreTaken) {
  const auto open = Connect("carl");
  EXPECT_EQ(Lists(open), grpc::StatusCode::OK);
  Shell("mkdir next && cp ca.pem servers-ca.pem");
  const TestAuthority next(Path("next"));
  next.Issue("carl", "carl");
  EXPECT_EQ(Lists(Connect("next/carl")), grpc::StatusCode::UNAVAILABLE);

  Shell("cp next/ca.pem ca.pem");
  EXPECT_TRUE(Eventually(
      [&] { return Lists(Connect("next/carl", "servers-ca.pem")) == grpc::StatusCode::OK; }));
  EXPECT_EQ(Lists(Connect("carl", "servers-ca.pem")), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Lists(open), grpc::StatusCode::OK);
}

TEST_F(ControlSecurityTest, PlainTextIsRefused) {
  const auto channel = grpc::CreateChannel(StrCat("localhost:", process_->admin_port()),
                                           grpc::InsecureChannelCredentials());
  EXPECT_EQ(Lists(channel, "reader"), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace weir
