#include "tests/conformance/real_redis.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "proxy/base/check.h"
#include "proxy/codec/resp_encoder.h"
#include "proxy/codec/resp_frame_scanner.h"

namespace weir {
namespace {

constexpr char kSocketPath[] = "redis.sock";

// Reads what the server prints until it says that it listens.
void AwaitReady(int output) {
  std::string log;
  char piece[4096];
  while (log.find("eady to accept connections") == std::string::npos) {
    const ssize_t size = read(output, piece, sizeof(piece));
    CHECK(size > 0);
    log.append(piece, static_cast<size_t>(size));
  }
}

}  // namespace

RealRedis::RealRedis() {
  const char* directory = std::getenv("TEST_TMPDIR");
  CHECK(directory != nullptr && chdir(directory) == 0);
  Start();
  Connect();
}

RealRedis::~RealRedis() {
  close(socket_);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  unlink(kSocketPath);
}

void RealRedis::Start() {
  int output[2];
  CHECK(pipe(output) == 0);
  pid_ = fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output[1], STDOUT_FILENO);
    close(output[0]);
    close(output[1]);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", kSocketPath, "--save", "",
           "--appendonly", "no", "--loglevel", "notice", "--logfile", "", nullptr);
    _exit(127);
  }
  close(output[1]);
  AwaitReady(output[0]);
  // Left open: a server that cannot write its log would end.
}

void RealRedis::Connect() {
  socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(socket_ >= 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, kSocketPath, sizeof(kSocketPath));
  CHECK(connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
}

std::string RealRedis::Ask(std::span<const std::string_view> args) {
  std::string request;
  AppendCommand(request, args);
  CHECK(send(socket_, request.data(), request.size(), MSG_NOSIGNAL) ==
        static_cast<ssize_t>(request.size()));
  RespFrameScanner scanner;
  std::string reply;
  char piece[64 << 10];
  while (true) {
    const ssize_t size = recv(socket_, piece, sizeof(piece), 0);
    CHECK(size > 0);
    const auto result = scanner.Scan({piece, static_cast<size_t>(size)});
    CHECK(result.status != ParseStatus::kError);
    reply.append(piece, static_cast<size_t>(size));
    if (result.status == ParseStatus::kFrame) return reply;
  }
}

}  // namespace weir
