#include "tests/support/proxy_under_test.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "proxy/base/strings.h"
#include "tests/support/sockets.h"

namespace weir {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::vector<ProxyProgram> ProxyPrograms() {
  const char* nutcracker = std::getenv("NUTCRACKER");
  std::vector<ProxyProgram> programs = {
      {.name = "twemproxy", .path = nutcracker != nullptr ? nutcracker : "/usr/sbin/nutcracker"}};
  const char* weir = std::getenv("WEIR_PROXY");
  if (weir != nullptr) programs.push_back({.name = "weir", .path = weir});
  return programs;
}

RunningProxy::RunningProxy(const ProxyProgram& program, const std::string& configuration)
    : stats_port_(FreePort()),
      process_(Command(program, configuration), directory_.path() + "/output") {}

std::vector<std::string> RunningProxy::Command(const ProxyProgram& program,
                                               const std::string& configuration) {
  const std::string& directory = directory_.path();
  std::ofstream(directory + "/proxy.yml") << configuration;
  return {program.path,
          "-c",
          directory + "/proxy.yml",
          "-p",
          directory + "/pid",
          "-o",
          directory + "/log",
          "-s",
          std::to_string(stats_port_),
          "-a",
          "127.0.0.1",
          "-v",
          "2"};
}

std::string RunningProxy::Log() const {
  return StrCat(ReadFile(directory_.path() + "/output"), ReadFile(directory_.path() + "/log"));
}

}  // namespace weir
