// weirctl against an admin service that answers as each test says, over a Unix socket.
#include "controlplane/ctl/weirctl.h"

#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "proto/google/rpc/error_details.pb.h"
#include "proto/google/rpc/status.pb.h"
#include "proto/weir/v1/admin.grpc.pb.h"
#include "proxy/base/strings.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Answers every change with `plan` or `answer`, and remembers what was asked.
class FakeAdmin : public v1::AdminService::Service {
 public:
  std::map<std::string, v1::Pool> pools;
  v1::ChangeResponse plan;
  v1::ChangeResponse answer;
  std::vector<grpc::Status> failures;      // of the next changes, first to last
  std::vector<v1::ChangeOptions> changes;  // without the plans
  std::vector<std::string> calls;          // "AddShard alpha"
  std::string authorization;               // of the last GetPool

  grpc::Status GetPool(grpc::ServerContext* context, const v1::GetPoolRequest* request,
                       v1::Pool* response) override {
    const auto header = context->client_metadata().find("authorization");
    if (header != context->client_metadata().end()) {
      authorization.assign(header->second.begin(), header->second.end());
    }
    const auto found = pools.find(request->name());
    if (found == pools.end()) {
      return {grpc::StatusCode::NOT_FOUND, StrCat("no pool '", request->name(), "'")};
    }
    *response = found->second;
    return grpc::Status::OK;
  }
  grpc::Status ListPools(grpc::ServerContext*, const v1::ListPoolsRequest* request,
                         v1::ListPoolsResponse* response) override {
    // One pool on each page.
    for (const auto& [name, pool] : pools) {
      if (name <= request->page_token()) continue;
      *response->add_pools() = pool;
      if (name != pools.rbegin()->first) response->set_next_page_token(name);
      break;
    }
    return grpc::Status::OK;
  }
  grpc::Status ListProxies(grpc::ServerContext*, const v1::ListProxiesRequest*,
                           v1::ListProxiesResponse*) override {
    return grpc::Status::OK;  // none is connected
  }
  grpc::Status ListVersions(grpc::ServerContext*, const v1::ListVersionsRequest* request,
                            v1::ListVersionsResponse* response) override {
    // Two pages of one version.
    const bool is_first = request->page_token().empty();
    response->add_versions()->set_generation(is_first ? 2 : 1);
    if (is_first) response->set_next_page_token("2");
    return grpc::Status::OK;
  }
  grpc::Status AddShard(grpc::ServerContext*, const v1::AddShardRequest* request,
                        v1::ChangeResponse* response) override {
    return Change("AddShard", request->pool(), request->options(), response);
  }
  grpc::Status DeletePool(grpc::ServerContext*, const v1::DeletePoolRequest* request,
                          v1::ChangeResponse* response) override {
    return Change("DeletePool", request->name(), request->options(), response);
  }
  grpc::Status CreatePool(grpc::ServerContext*, const v1::CreatePoolRequest* request,
                          v1::ChangeResponse* response) override {
    return Change("CreatePool", request->name(), request->options(), response);
  }
  grpc::Status UpdatePool(grpc::ServerContext*, const v1::UpdatePoolRequest* request,
                          v1::ChangeResponse* response) override {
    return Change("UpdatePool", request->name(), request->options(), response);
  }

 private:
  grpc::Status Change(const std::string& call, const std::string& pool,
                      const v1::ChangeOptions& options, v1::ChangeResponse* response) {
    if (options.validate_only()) {
      *response = plan;
      return grpc::Status::OK;
    }
    calls.push_back(StrCat(call, " ", pool));
    changes.push_back(options);
    if (!failures.empty()) {
      const grpc::Status failure = failures.front();
      failures.erase(failures.begin());
      return failure;
    }
    *response = answer;
    return grpc::Status::OK;
  }
};

template <typename Message>
Message Read(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

class WeirctlTest : public ::testing::Test {
 protected:
  WeirctlTest() : socket_(StrCat(directory_.path(), "/admin.sock")) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(StrCat("unix:", socket_), grpc::InsecureServerCredentials());
    builder.RegisterService(&admin_);
    server_ = builder.BuildAndStart();
    admin_.pools["alpha"] = Read<v1::Pool>(
        "name: 'alpha' etag: 'e1' spec { policy { listen: '127.0.0.1:1' redis: true } "
        "servers { name: 'a' endpoint: '127.0.0.1:2' weight: 1 } } "
        "shard_map { generation: 1 slots { name: 'a' weight: 1 state: SLOT_ACTIVE } }");
    admin_.plan = Read<v1::ChangeResponse>("plan { id: 'p' pool: 'alpha' moved_fraction: 0.04 }");
    admin_.answer = Read<v1::ChangeResponse>(
        "plan { id: 'p' pool: 'alpha' moved_fraction: 0.04 changes: \"shard 'c': added\" } "
        "pool { name: 'alpha' shard_map { generation: 2 } } "
        "proxies { node_id: 'p1' outcome: PROXY_ACKED }");
  }
  ~WeirctlTest() override { server_->Shutdown(); }

  ExitCode Run(std::vector<std::string> words, const std::string& answers = "",
               bool can_ask = false) {
    words.insert(words.begin(), "weirctl");
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    std::istringstream in(answers);
    out_.str("");
    err_.str("");
    Console console{.out = out_, .err = err_, .in = in, .can_ask = can_ask};
    const auto environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      if (found == environment_.end()) return std::nullopt;
      return found->second;
    };
    return RunWeirctl(argv, environment, console);
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  std::string WriteFile(const std::string& name, std::string_view text) {
    const std::string path = StrCat(directory_.path(), "/", name);
    std::ofstream(path) << text;
    return path;
  }

  TempDirectory directory_;
  const std::string socket_;
  FakeAdmin admin_;
  std::unique_ptr<grpc::Server> server_;
  std::map<std::string, std::string> environment_ = {{"WEIRCTL_SERVER", socket_}};
  std::ostringstream out_;
  std::ostringstream err_;
};

const std::vector<std::string> kAddShard = {"add-shard", "alpha", "c", "127.0.0.1:3"};

TEST_F(WeirctlTest, MakesASmallChangeUnderTheEtagAsReadAndReportsIt) {
  EXPECT_EQ(Run(kAddShard), ExitCode::kDone) << err();
  EXPECT_EQ(out(),
            "pool 'alpha': generation 2, 4.00 % of the keys move\n"
            "  shard 'c': added\n"
            "1 of 1 proxies have acknowledged\n");
  ASSERT_EQ(admin_.changes.size(), 1u);
  EXPECT_EQ(admin_.changes[0].etag(), "e1");
  EXPECT_FALSE(admin_.changes[0].force());
  EXPECT_EQ(admin_.changes[0].request_id().size(), 36u);
  EXPECT_EQ(admin_.changes[0].wait(), v1::WAIT_ALL_CONNECTED);
}

TEST_F(WeirctlTest, AsksBeforeMoreThanFivePercentOfKeysMove) {
  admin_.plan.mutable_plan()->set_moved_fraction(0.051);
  EXPECT_EQ(Run(kAddShard, "n\n", true), ExitCode::kNotConfirmed);
  EXPECT_THAT(err(), HasSubstr("keys that move: 5.10 %"));
  EXPECT_THAT(admin_.calls, IsEmpty());
  EXPECT_EQ(Run(kAddShard, "y\n", true), ExitCode::kDone);
  EXPECT_THAT(admin_.calls, ElementsAre("AddShard alpha"));
}

TEST_F(WeirctlTest, ChangesNothingWhenNobodyCanBeAsked) {
  admin_.plan.mutable_plan()->set_moved_fraction(0.3);
  EXPECT_EQ(Run(kAddShard), ExitCode::kNotConfirmed);
  EXPECT_THAT(err(), HasSubstr("--yes"));
  EXPECT_THAT(admin_.calls, IsEmpty());
  std::vector<std::string> with_yes = kAddShard;
  with_yes.push_back("--yes");
  EXPECT_EQ(Run(with_yes), ExitCode::kDone);
}

TEST_F(WeirctlTest, PlansWithoutChanging) {
  EXPECT_EQ(Run({"plan", "add-shard", "alpha", "c", "127.0.0.1:3"}), ExitCode::kDone);
  EXPECT_THAT(out(), HasSubstr("plan p of pool 'alpha'"));
  admin_.plan.set_held(true);
  EXPECT_EQ(Run({"plan", "add-shard", "alpha", "c", "127.0.0.1:3"}), ExitCode::kHeld);
  EXPECT_THAT(admin_.calls, IsEmpty());
}

TEST_F(WeirctlTest, EndsWithThreeWhenTheGuardHoldsTheChange) {
  admin_.answer.set_held(true);
  EXPECT_EQ(Run(kAddShard), ExitCode::kHeld);
  EXPECT_THAT(out(), HasSubstr("To make it all the same: weirctl approve alpha p\n"));
}

TEST_F(WeirctlTest, EndsWithFourWhenAProxyRefuses) {
  *admin_.answer.add_proxies() =
      Read<v1::ProxyResult>("node_id: 'p2' outcome: PROXY_NACKED reason: 'policy.listen: in use'");
  EXPECT_EQ(Run(kAddShard), ExitCode::kNotAcked);
  EXPECT_THAT(out(), HasSubstr("policy.listen: in use"));
}

TEST_F(WeirctlTest, RepeatsAChangeWithoutAnAnswerUnderTheSameRequestId) {
  admin_.failures = {{grpc::StatusCode::UNAVAILABLE, "going away"}};
  EXPECT_EQ(Run(kAddShard), ExitCode::kDone) << err();
  ASSERT_EQ(admin_.changes.size(), 2u);
  EXPECT_EQ(admin_.changes[0].request_id(), admin_.changes[1].request_id());
  EXPECT_EQ(Run(kAddShard), ExitCode::kDone);
  EXPECT_NE(admin_.changes[1].request_id(), admin_.changes[2].request_id());
}

TEST_F(WeirctlTest, SaysHowToFindOutWhatBecameOfAChangeWithoutAnAnswer) {
  admin_.failures = {{grpc::StatusCode::DEADLINE_EXCEEDED, "late"}};
  EXPECT_EQ(Run(kAddShard), ExitCode::kUnreachable);
  ASSERT_EQ(admin_.changes.size(), 1u);
  const std::string id = admin_.changes[0].request_id();
  EXPECT_THAT(err(), HasSubstr(StrCat("--yes --etag e1 --request-id ", id)));
  std::vector<std::string> again = kAddShard;
  again.insert(again.end(), {"--yes", "--etag", "e1", "--request-id", id});
  EXPECT_EQ(Run(again), ExitCode::kDone);
  EXPECT_EQ(admin_.changes[1].SerializeAsString(), admin_.changes[0].SerializeAsString());
}

TEST_F(WeirctlTest, TellsALostRaceFromOtherErrors) {
  admin_.failures = {{grpc::StatusCode::ABORTED, "pool 'alpha' has changed"},
                     {grpc::StatusCode::PERMISSION_DENIED, "no"},
                     {grpc::StatusCode::FAILED_PRECONDITION, "not now"}};
  EXPECT_EQ(Run(kAddShard), ExitCode::kConflict);
  EXPECT_THAT(err(), HasSubstr("--force"));
  EXPECT_EQ(Run(kAddShard), ExitCode::kNotAllowed);
  EXPECT_EQ(Run(kAddShard), ExitCode::kError);
  EXPECT_EQ(err(), "weirctl: not now\n");
}

TEST_F(WeirctlTest, ListsWhatIsWrongWithARequestFieldByField) {
  google::rpc::BadRequest bad_request;
  for (const char* field : {"shard.name", "shard.endpoint"}) {
    auto& violation = *bad_request.add_field_violations();
    violation.set_field(field);
    violation.set_description("found '', expected more");
  }
  google::rpc::Status details;
  details.add_details()->PackFrom(bad_request);
  admin_.failures = {{grpc::StatusCode::INVALID_ARGUMENT, "bad", details.SerializeAsString()}};
  EXPECT_EQ(Run(kAddShard), ExitCode::kError);
  EXPECT_EQ(err(),
            "weirctl: the request has mistakes:\n"
            "  shard.name: found '', expected more\n"
            "  shard.endpoint: found '', expected more\n");
}

TEST_F(WeirctlTest, NamesTheAddressThatDoesNotAnswer) {
  const std::string nowhere = StrCat(directory_.path(), "/nobody.sock");
  EXPECT_EQ(Run({"get", "pools", "--server", nowhere}), ExitCode::kUnreachable);
  EXPECT_THAT(err(), HasSubstr(StrCat("no answer from weir-control at ", nowhere)));
  EXPECT_THAT(err(), HasSubstr("--server or WEIRCTL_SERVER"));
}

TEST_F(WeirctlTest, ReadsAllPagesOfPools) {
  admin_.pools["beta"] = admin_.pools["alpha"];
  admin_.pools["beta"].set_name("beta");
  EXPECT_EQ(Run({"get", "pools"}), ExitCode::kDone);
  EXPECT_THAT(out(), HasSubstr("alpha"));
  EXPECT_THAT(out(), HasSubstr("beta"));
  EXPECT_EQ(Run({"get", "pools", "-o", "json"}), ExitCode::kDone);
  EXPECT_THAT(out(), HasSubstr("\"name\": \"beta\""));
}

TEST_F(WeirctlTest, ReadsAllPagesOfVersions) {
  EXPECT_EQ(Run({"get", "versions", "alpha"}), ExitCode::kDone) << err();
  EXPECT_THAT(out(), AllOf(HasSubstr("\n2 "), HasSubstr("\n1 ")));
}

TEST_F(WeirctlTest, AppliesWhatItExportsWithoutAnyChange) {
  ASSERT_EQ(Run({"export"}), ExitCode::kDone);
  const std::string path = WriteFile("pools.yml", out());
  EXPECT_EQ(Run({"apply", "-f", path}), ExitCode::kDone) << err();
  EXPECT_EQ(err(), "pool 'alpha': unchanged\n");
  EXPECT_THAT(admin_.calls, IsEmpty());
}

TEST_F(WeirctlTest, AppliesByCreatingOrUpdating) {
  const std::string path =
      WriteFile("pools.yml",
                "alpha: {listen: \"h:1\", redis: true, servers: [\"h:2:1 a\"]}\n"
                "beta: {listen: \"h:2\", redis: true, servers: [\"h:3:1 a\"]}\n");
  EXPECT_EQ(Run({"apply", "-f", path}), ExitCode::kDone) << err();
  EXPECT_THAT(admin_.calls, ElementsAre("UpdatePool alpha", "CreatePool beta"));
  EXPECT_EQ(admin_.changes[0].etag(), "e1");
  EXPECT_EQ(admin_.changes[1].etag(), "");
}

TEST_F(WeirctlTest, ReportsAllMistakesOfAFileAndSendsNothing) {
  const std::string path = WriteFile("pools.yml", "alpha: {listen: \"h:1\", hash: md6}\nbeta: 3\n");
  EXPECT_EQ(Run({"apply", "-f", path}), ExitCode::kError);
  EXPECT_THAT(err(), HasSubstr("pools.yml:1: pool 'alpha', key 'hash'"));
  EXPECT_THAT(err(), HasSubstr("pools.yml:2: pool 'beta'"));
  EXPECT_THAT(admin_.calls, IsEmpty());
}

TEST_F(WeirctlTest, ImportsATwemproxyFileWithoutItsPassword) {
  const std::string path = WriteFile(
      "n.yml", "old: {listen: \"h:1\", redis: true, redis_auth: hunter2, servers: [\"h:2:1\"]}\n");
  EXPECT_EQ(Run({"import", path, "--print", "--fleet", "eu-1"}), ExitCode::kDone) << err();
  EXPECT_THAT(out(), HasSubstr("redis_auth_secret: old\n"));
  EXPECT_THAT(out(), HasSubstr("fleet: eu-1\n"));
  for (const char* flag : {"--secrets-dir", "--tls-cert", "--tls-key", "--tokens", "--control-ca",
                           "--control-token-file"}) {
    EXPECT_THAT(err(), HasSubstr(flag));
  }
  EXPECT_THAT(StrCat(out(), err()), Not(HasSubstr("hunter2")));
  EXPECT_THAT(admin_.calls, IsEmpty());
  EXPECT_EQ(Run({"import", path}), ExitCode::kDone);
  EXPECT_THAT(admin_.calls, ElementsAre("CreatePool old"));
}

TEST_F(WeirctlTest, AsksBeforeEveryDeletion) {
  EXPECT_EQ(Run({"delete", "alpha"}), ExitCode::kNotConfirmed);
  EXPECT_EQ(Run({"delete", "nobody", "--yes"}), ExitCode::kError);
  EXPECT_EQ(Run({"delete", "nobody", "--yes", "--allow-missing"}), ExitCode::kDone);
  EXPECT_EQ(Run({"delete", "alpha", "--yes"}), ExitCode::kDone);
  EXPECT_THAT(admin_.calls, ElementsAre("DeletePool alpha"));
}

TEST_F(WeirctlTest, ShowsTheTokenOfTheFile) {
  const std::string path = WriteFile("token", "s3cret\n");
  EXPECT_EQ(Run({"get", "shards", "alpha", "--token-file", path}), ExitCode::kDone) << err();
  EXPECT_EQ(admin_.authorization, "Bearer s3cret");
}

TEST_F(WeirctlTest, ReadsItsSettingsFromAFile) {
  environment_ = {{"WEIRCTL_CONFIG", WriteFile("weirctl.yml", StrCat("server: ", socket_))}};
  EXPECT_EQ(Run({"get", "pools"}), ExitCode::kDone) << err();
}

}  // namespace
}  // namespace weir
