#include "controlplane/server/listen_check.h"

#include <sys/socket.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proxy/base/socket_address.h"
#include "proxy/base/strings.h"
#include "proxy/base/unique_fd.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

UniqueFd Listen(const Endpoint& endpoint) {
  const ResolvedAddress address = *LiteralAddress(endpoint);
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(bind(fd.get(), address.get(), address.length), 0);
  EXPECT_EQ(listen(fd.get(), 8), 0);
  return fd;
}

uint16_t PortOf(const UniqueFd& fd) {
  ResolvedAddress address;
  address.length = sizeof(address.storage);
  EXPECT_EQ(getsockname(fd.get(), address.get(), &address.length), 0);
  return address.port();
}

TEST(ListenCheckTest, APortIsFreeUntilSomebodyListensThere) {
  UniqueFd other = Listen(TcpEndpoint("127.0.0.1", 0));
  const Endpoint port = TcpEndpoint("127.0.0.1", PortOf(other));
  EXPECT_EQ(CheckListenable(port).message(),
            StrCat("cannot listen at 127.0.0.1:", port.port, ": Address already in use"));
  EXPECT_THAT(CheckListenable(TcpEndpoint("localhost", port.port)).ToString(),
              HasSubstr("already in use"));
  EXPECT_THAT(CheckListenable(TcpEndpoint("0.0.0.0", port.port)).ToString(),
              HasSubstr("already in use"));
  other.Close();
  EXPECT_TRUE(CheckListenable(port).ok());
  EXPECT_TRUE(CheckListenable(TcpEndpoint("127.0.0.1", 0)).ok());
}

TEST(ListenCheckTest, AnAddressOfAnotherMachineIsRefusedWithTheReason) {
  EXPECT_EQ(CheckListenable(TcpEndpoint("192.0.2.1", 1)).message(),
            "cannot listen at 192.0.2.1:1: Cannot assign requested address");
  EXPECT_THAT(CheckListenable(TcpEndpoint("name.invalid", 1)).ToString(),
              HasSubstr("cannot listen at name.invalid:1: cannot resolve name.invalid"));
}

TEST(ListenCheckTest, AUnixSocketIsTakenWhileItIsServed) {
  const TempDirectory directory;
  const Endpoint socket = UnixEndpoint(StrCat(directory.path(), "/socket"));
  EXPECT_TRUE(CheckListenable(socket).ok());
  const UniqueFd other = Listen(socket);
  EXPECT_EQ(CheckListenable(socket).message(),
            StrCat("cannot listen at ", socket.path, ": Address already in use"));
}

}  // namespace
}  // namespace weir
