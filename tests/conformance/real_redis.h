// A real redis-server of one test, without data and without files, on a Unix socket below
// TEST_TMPDIR. Asks one request at a time and waits for its reply.
//
// Starts in the constructor, ends in the destructor (or with the test, however that ends). Changes
// the working directory to TEST_TMPDIR, because a socket's path must be short. Failures to start or
// to talk are CHECKs: there is no test without the server. One thread.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>

namespace weir {

class RealRedis {
 public:
  RealRedis();
  ~RealRedis();
  RealRedis(const RealRedis&) = delete;
  RealRedis& operator=(const RealRedis&) = delete;

  // The whole reply frame.
  std::string Ask(std::span<const std::string_view> args);

 private:
  void Start();
  void Connect();

  pid_t pid_ = -1;
  int socket_ = -1;
};

}  // namespace weir
