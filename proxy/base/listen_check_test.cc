#include "proxy/base/listen_check.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/unique_fd.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

UniqueFd Listen(const ResolvedAddress& address, bool reuse_port = false) {
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (reuse_port) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
  EXPECT_EQ(bind(fd.get(), address.get(), address.length), 0);
  EXPECT_EQ(listen(fd.get(), 8), 0);
  return fd;
}

ResolvedAddress AddressOf(const UniqueFd& fd) {
  ResolvedAddress address;
  address.length = sizeof(address.storage);
  EXPECT_EQ(getsockname(fd.get(), address.get(), &address.length), 0);
  return address;
}

TEST(ListenCheckTest, APortIsTakenWhileSomebodyListensThereOrWhereItOverlaps) {
  UniqueFd other = Listen(*LiteralAddress("127.0.0.1", 0));
  const ResolvedAddress address = AddressOf(other);
  const ResolvedAddress everywhere = *LiteralAddress("0.0.0.0", address.port());
  EXPECT_EQ(ErrorOfListening(address), EADDRINUSE);
  EXPECT_EQ(ErrorOfListening(everywhere), EADDRINUSE);
  EXPECT_EQ(ErrorOfListening(*LiteralAddress("127.0.0.2", address.port())), 0);
  other.Close();
  EXPECT_EQ(ErrorOfListening(address), 0);
  EXPECT_EQ(ErrorOfListening(everywhere), 0);
}

TEST(ListenCheckTest, APortMayBeSharedByTwoThatBothWantTo) {
  const UniqueFd other = Listen(*LiteralAddress("127.0.0.1", 0), /*reuse_port=*/true);
  EXPECT_EQ(ErrorOfListening(AddressOf(other)), EADDRINUSE);
  EXPECT_EQ(ErrorOfListening(AddressOf(other), {.reuse_port = true}), 0);
}

TEST(ListenCheckTest, AnAddressOfAnotherMachineCannotBeHad) {
  EXPECT_EQ(ErrorOfListening(*LiteralAddress("192.0.2.1", 1)), EADDRNOTAVAIL);
}

TEST(ListenCheckTest, AUnixSocketIsTakenWhileItIsServed) {
  const TempDirectory directory;
  const std::string path = directory.path() + "/socket";
  const ResolvedAddress address = *LiteralAddress(path, 0);
  EXPECT_EQ(ErrorOfListening(address), 0);
  struct stat found;
  EXPECT_NE(lstat(path.c_str(), &found), 0) << "the check has left something behind";
  UniqueFd other = Listen(address);
  EXPECT_EQ(ErrorOfListening(address), EADDRINUSE);
  other.Close();
  EXPECT_EQ(ErrorOfListening(address), 0);
}

TEST(ListenCheckTest, AFileInTheWayOfAUnixSocketIsLeftAlone) {
  const TempDirectory directory;
  const std::string path = directory.path() + "/file";
  std::ofstream(path) << "precious";
  EXPECT_EQ(ErrorOfListening(*LiteralAddress(path, 0)), EEXIST);
  EXPECT_TRUE(std::ifstream(path).good());
  EXPECT_EQ(ErrorOfListening(*LiteralAddress(directory.path() + "/no/socket", 0)), ENOENT);
}

}  // namespace
}  // namespace weir
