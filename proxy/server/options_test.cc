#include "proxy/server/options.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/strings.h"
#include "proxy/server/usable_resources.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::StatusOr<Options> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "weir-proxy");
  return ParseOptions(words);
}

std::string ErrorOf(std::vector<const char*> words) {
  const absl::StatusOr<Options> options = Parse(std::move(words));
  return options.ok() ? "no error" : std::string(FromAbsl(options.status().message()));
}

TEST(OptionsTest, DefaultsAreTwemproxys) {
  const Options options = *Parse({});
  EXPECT_FALSE(options.show_help || options.show_version || options.describe_stats ||
               options.test_conf || options.daemonize);
  EXPECT_EQ(options.verbose, 5);
  EXPECT_EQ(options.output, "");
  EXPECT_EQ(options.conf_file, "conf/nutcracker.yml");
  EXPECT_EQ(options.stats_port, 22222);
  EXPECT_EQ(options.stats_addr, "0.0.0.0");
  EXPECT_EQ(options.stats_interval, absl::Seconds(30));
  EXPECT_EQ(options.pid_file, "");
  EXPECT_EQ(options.mbuf_size, 16384u);
  EXPECT_EQ(options.threads, UsableCores());
  EXPECT_EQ(options.drain_timeout, absl::Seconds(30));
  EXPECT_EQ(options.drain_delay, absl::ZeroDuration());
  EXPECT_EQ(options.memory_limit, UsableMemory() / 4 * 3);
}

TEST(OptionsTest, ReadsEveryShortOption) {
  const absl::StatusOr<Options> options =
      Parse({"-d", "-t", "-v", "7", "-o", "/tmp/log", "-c", "a.yml", "-s", "1234", "-a",
             "127.0.0.1", "-i", "5", "-p", "/tmp/pid", "-m", "512"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_TRUE(options->daemonize);
  EXPECT_TRUE(options->test_conf);
  EXPECT_EQ(options->verbose, 7);
  EXPECT_EQ(options->output, "/tmp/log");
  EXPECT_EQ(options->conf_file, "a.yml");
  EXPECT_EQ(options->stats_port, 1234);
  EXPECT_EQ(options->stats_addr, "127.0.0.1");
  EXPECT_EQ(options->stats_interval, absl::Milliseconds(5));
  EXPECT_EQ(options->pid_file, "/tmp/pid");
  EXPECT_EQ(options->mbuf_size, 512u);
}

TEST(OptionsTest, ReadsEveryLongOption) {
  const absl::StatusOr<Options> options =
      Parse({"--help", "--version", "--test-conf", "--daemonize", "--describe-stats",
             "--verbose=11", "--output=o", "--conf-file", "c", "--stats-port=1", "--stats-addr=::1",
             "--stats-interval=0", "--pid-file=p", "--mbuf-size=16777216", "--threads=3",
             "--drain-timeout=10", "--drain-delay=20", "--memory-limit=2G"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_TRUE(options->show_help && options->show_version && options->describe_stats);
  EXPECT_TRUE(options->test_conf && options->daemonize);
  EXPECT_EQ(options->verbose, 11);
  EXPECT_EQ(options->conf_file, "c");
  EXPECT_EQ(options->stats_addr, "::1");
  EXPECT_EQ(options->threads, 3u);
  EXPECT_EQ(options->drain_timeout, absl::Milliseconds(10));
  EXPECT_EQ(options->drain_delay, absl::Milliseconds(20));
  EXPECT_EQ(options->memory_limit, uint64_t{2} << 30);
}

TEST(OptionsTest, BundlesAndAbbreviatesAsGetoptDoes) {
  const absl::StatusOr<Options> options =
      Parse({"-dtv3", "-s22", "--conf", "x.yml", "--mem=5000k"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_TRUE(options->daemonize && options->test_conf);
  EXPECT_EQ(options->verbose, 3);
  EXPECT_EQ(options->stats_port, 22);
  EXPECT_EQ(options->conf_file, "x.yml");
  EXPECT_EQ(options->memory_limit, 5120000u);
  EXPECT_TRUE(Parse({"-?"})->show_help);
  EXPECT_EQ(Parse({"-v", "99"})->verbose, 11);
}

TEST(OptionsTest, ReadsMemoryLimits) {
  EXPECT_EQ(Parse({"--memory-limit", "0"})->memory_limit, 0u);
  EXPECT_EQ(Parse({"--memory-limit", "1048576"})->memory_limit, 1u << 20);
  EXPECT_EQ(Parse({"--memory-limit", "3M"})->memory_limit, 3u << 20);
  EXPECT_EQ(Parse({"--memory-limit", "1g"})->memory_limit, 1u << 30);
}

TEST(OptionsTest, ReadsTheFlagsOfTheControlPlane) {
  const absl::StatusOr<Options> options =
      Parse({"--control=control-1:18000,[::1]:18000", "--node-id=n", "--fleet=blue", "--pools=a,b",
             "--zone=z", "--control-ca=ca", "--control-cert=cert", "--control-key=key",
             "--control-token-file=token", "--state-dir=/state", "--state-secrets"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_THAT(options->controls, ElementsAre("control-1:18000", "[::1]:18000"));
  EXPECT_EQ(options->node_id, "n");
  EXPECT_EQ(options->fleet, "blue");
  EXPECT_THAT(options->pools, ElementsAre("a", "b"));
  EXPECT_EQ(options->zone, "z");
  EXPECT_EQ(options->control_ca, "ca");
  EXPECT_EQ(options->control_cert, "cert");
  EXPECT_EQ(options->control_key, "key");
  EXPECT_EQ(options->control_token_file, "token");
  EXPECT_EQ(options->state_dir, "/state");
  EXPECT_TRUE(options->state_secrets);
}

TEST(OptionsTest, WithAControlPlaneTheFileIsThereOnlyWhenItIsNamed) {
  EXPECT_EQ(Parse({"--control=localhost:1"})->conf_file, "");
  EXPECT_EQ(Parse({"--control=localhost:1", "-c", "a.yml"})->conf_file, "a.yml");
}

TEST(OptionsTest, TheNodeIsNamedAfterHostAndStatsPort) {
  EXPECT_THAT(Parse({"-s", "1234"})->node_id, EndsWith(":1234"));
}

// The control plane ended every stream of such a proxy.
TEST(OptionsTest, AZoneThatTheControlPlaneWouldRefuseIsRefused) {
  const std::string longest = StrCat("--zone=", std::string(253, 'z'));
  EXPECT_EQ(Parse({longest.c_str()})->zone.size(), 253u);
  for (const std::string& zone : {std::string(254, 'z'), std::string("a b"), std::string("\xff")}) {
    const std::string flag = StrCat("--zone=", zone);
    EXPECT_THAT(ErrorOf({flag.c_str()}),
                HasSubstr("expected 1 to 253 printable characters without spaces"));
  }
}

TEST(OptionsTest, PlainTextToOtherHostsNeedsAFlag) {
  EXPECT_TRUE(Parse({"--control=127.0.0.1:1,localhost:1,[::1]:1"}).ok());
  EXPECT_TRUE(Parse({"--control=control-1:1", "--control-insecure"}).ok());
  EXPECT_TRUE(Parse({"--control=control-1:1", "--control-ca=ca"}).ok());
  EXPECT_EQ(ErrorOf({"--control=localhost:1,control-1:1"}),
            "option --control: plain text to 'control-1:1' would be open to the network; expected "
            "--control-ca, or a loopback address, or --control-insecure");
}

TEST(OptionsTest, SaysWhatIsWrongAndWhatWasExpected) {
  struct {
    std::vector<const char*> words;
    const char* error;
  } cases[] = {
      {{"-v", "x"}, "option -v (--verbose): found 'x', expected a number from 0 to 11"},
      {{"-v", "-1"}, "option -v (--verbose): found '-1', expected a number from 0 to 11"},
      {{"-s", "0"}, "option -s (--stats-port): found '0', expected a port from 1 to 65535"},
      {{"-a", ""}, "option -a (--stats-addr): found '', expected a host name or address"},
      {{"-i", "1s"},
       "option -i (--stats-interval): found '1s', expected milliseconds from 0 to 2147483647"},
      {{"-m", "100"}, "option -m (--mbuf-size): found '100', expected bytes from 512 to 16777216"},
      {{"-c", ""}, "option -c (--conf-file): found '', expected a file name"},
      {{"-c"}, "option -c (--conf-file): found nothing, expected an argument: FILE"},
      {{"--conf-file"}, "option -c (--conf-file): found nothing, expected an argument: FILE"},
      {{"--threads=0"}, "option --threads: found '0', expected a number from 1 to 256"},
      {{"--threads"}, "option --threads: found nothing, expected an argument: N"},
      {{"--drain-delay=-1"},
       "option --drain-delay: found '-1', expected milliseconds from 0 to 2147483647"},
      {{"--memory-limit=1T"},
       "option --memory-limit: found '1T', expected a number of bytes >= 1M, such as 1073741824, "
       "1024M or 1G; 0 for none"},
      {{"--memory-limit=1048575"},
       "option --memory-limit: found '1048575', expected a number of bytes >= 1M, such as "
       "1073741824, 1024M or 1G; 0 for none"},
      {{"--memory-limit=64"},
       "option --memory-limit: found '64', expected a number of bytes >= 1M, such as 1073741824, "
       "1024M or 1G; 0 for none"},
      {{"--memory-limit=99999999999999G"},
       "option --memory-limit: found '99999999999999G', expected a number of bytes >= 1M, such "
       "as 1073741824, 1024M or 1G; 0 for none"},
      {{"--control=a:1,"},
       "option --control: found 'a:1,', expected host:port, or several with ',' between them"},
      {{"--pools=a,,b"},
       "option --pools: found 'a,,b', expected names with ',' between them, each 1 to 63 of a-z, "
       "0-9, '-', '_', '.', beginning and ending with a letter or digit"},
      {{"--control=a:1", "--control-ca=c", "--control-cert=c"},
       "found one of --control-cert and --control-key, expected both or none"},
      {{"-Z"}, "unknown option '-Z'; -h lists them all"},
      {{"-dZ"}, "unknown option '-Z'; -h lists them all"},
      {{"--thread-count"}, "unknown option '--thread-count'; -h lists them all"},
      {{"--treads"}, "unknown option '--treads'; did you mean '--threads'?"},
      {{"--stats"}, "ambiguous option '--stats'; -h lists them all"},
      {{"--help=5"}, "option -h (--help): found '--help=5', expected no argument"},
      {{"foo"}, "found 'foo', expected options only; -h lists them"},
  };
  for (const auto& c : cases) EXPECT_EQ(ErrorOf(c.words), c.error);
}

TEST(OptionsTest, UsageNamesEveryFlagWithItsDefault) {
  const std::string usage = UsageText();
  for (const FlagSpec& flag : Flags()) {
    EXPECT_THAT(usage, HasSubstr(StrCat("--", flag.long_name))) << flag.long_name;
  }
  EXPECT_THAT(usage, HasSubstr("  -c, --conf-file=FILE       Configuration file. (default: "
                               "conf/nutcracker.yml)\n"));
  EXPECT_THAT(usage, HasSubstr("      --threads=N            Worker threads"));
}

TEST(OptionsTest, DescribesVersionAndStats) {
  EXPECT_EQ(VersionText(), "This is weir-proxy-0.1.0\n");
  EXPECT_THAT(DescribeStatsText(), StartsWith("process stats:\n"));
  EXPECT_THAT(DescribeStatsText(), HasSubstr("  client_eof "));
  EXPECT_THAT(DescribeStatsText(), HasSubstr("  out_queue_bytes "));
  EXPECT_THAT(DescribeStatsText(), HasSubstr("last ejection, or 0 (microseconds since the epoch)"));
  // What the statistics port does not show is not described.
  EXPECT_THAT(DescribeStatsText(), Not(HasSubstr("sessions_total")));
}

}  // namespace
}  // namespace weir
