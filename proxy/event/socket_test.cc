#include "proxy/event/socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "proxy/base/socket_address.h"
#include "tests/support/temp_directory.h"

namespace weir {
namespace {

sockaddr_in Loopback() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

TEST(SocketTest, KnowsASocketThatIsConnectedToItself) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = Loopback();
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  ASSERT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_TRUE(ConnectedToItself(fd.get()));
}

TEST(SocketTest, AListenerTakesThePlaceOfAStaleSocketAndOfNoOtherFile) {
  const TempDirectory directory;
  const std::string path = directory.path() + "/listen";
  const ResolvedAddress address = *LiteralAddress(path, 0);
  ASSERT_TRUE(ListenOn(address, ListenOptions()).ok());  // closed again, the socket is left
  EXPECT_TRUE(ListenOn(address, ListenOptions()).ok());
  ASSERT_EQ(unlink(path.c_str()), 0);
  std::ofstream(path) << "precious";
  EXPECT_FALSE(ListenOn(address, ListenOptions()).ok());
  EXPECT_TRUE(std::ifstream(path).good());
}

TEST(SocketTest, TwoEndsOfAConnectionAreNotOne) {
  UniqueFd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = Loopback();
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_FALSE(ConnectedToItself(fd.get()));
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  UniqueFd a(pair[0]), b(pair[1]);
  EXPECT_FALSE(ConnectedToItself(a.get())) << "Unix sockets without a name look alike";
}

}  // namespace
}  // namespace weir
