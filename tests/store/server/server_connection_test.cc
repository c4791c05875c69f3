#include "store/server/server_connection.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <utility>
#include <vector>

#include "store/server/server_messages.h"

namespace vitrine::store::server {
namespace {

// Peers that do not read must not take the store's descriptors.
TEST(ConnectionTest, AnAnswerWithDescriptorsIsNotQueued) {
  const auto loop = *EventLoop::Create();
  std::array<int, 2> ends;
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         0, ends.data()),
            0);
  const UniqueFd peer(ends[1]);
  const auto connection = *Connection::Create(1, UniqueFd(ends[0]), {},
                                              loop.get(), [](uint32_t) {});
  // The peer reads nothing.
  while (connection->idle()) ASSERT_TRUE(connection->Send(PutMessage()));
  EXPECT_TRUE(connection->Send(PutMessage()));
  EXPECT_EQ(connection->queued(), 2U);
  std::vector<UniqueFd> fds;
  fds.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(connection->Send(PutMessage(), std::move(fds)));
  EXPECT_TRUE(connection->ending());
  EXPECT_EQ(connection->queued(), 0U);
}

}  // namespace
}  // namespace vitrine::store::server
