// Quotas as clients of several users see them.
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "store/accounts/accounts.h"
#include "tests/store/server/server_peer_fixture.h"

namespace vitrine::store {
namespace {

constexpr uid_t kAlice = 54321;

class ServerAccountsTest : public ServerFixture {
 protected:
  // Small objects go into slabs.
  ServerAccountsTest() : ServerFixture(/*strict=*/false) {}
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to become others";
    ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  }

  // Runs `body` on a thread that belongs to another user, and no other does:
  // glibc's wrappers would change them all.
  static void As(uid_t uid, const std::function<void()>& body) {
    std::thread thread([&] {
      ASSERT_EQ(::syscall(SYS_setresgid, uid, uid, uid), 0);
      ASSERT_EQ(::syscall(SYS_setresuid, uid, uid, uid), 0);
      body();
    });
    thread.join();
  }

  static protocol::SetQuotaT LimitRequest(uid_t uid,
                                          const std::string& limits) {
    protocol::SetQuotaT request;
    request.id = uid;
    request.limits = limits;
    return request;
  }
  void Limit(const std::string& limits) {
    EXPECT_TRUE(
        Connect()->call.Ask<protocol::DoneT>(LimitRequest(kAlice, limits)));
  }
  // What the store says of `uid`; null: nothing.
  std::unique_ptr<protocol::AccountT> Find(uid_t uid) {
    auto reply =
        Connect()->call.Ask<protocol::AccountsReplyT>(protocol::GetAccountsT{});
    if (!reply) return nullptr;
    EXPECT_EQ(reply->resources.size(), kResources);
    for (auto& account : reply->accounts) {
      if (!account->group && !account->each && account->id == uid) {
        return std::move(account);
      }
    }
    return nullptr;
  }
};

TEST_F(ServerAccountsTest, OnlyRootAndTheStoresUserSetQuotas) {
  As(kAlice, [this] {
    const auto peers = Connect();
    EXPECT_EQ(peers->call.AskForFailure(LimitRequest(kAlice, "objects=none")),
              Code::kPermissionDenied);
    // But everybody sees them.
    EXPECT_TRUE(
        peers->call.Ask<protocol::AccountsReplyT>(protocol::GetAccountsT{}));
  });
  Limit("objects=7,memory=1M");
  const auto account = Find(kAlice);
  ASSERT_NE(account, nullptr);
  EXPECT_EQ(account->limits.at(0), 1U << 20);
  EXPECT_EQ(account->limits.at(1), 7U);
}

TEST_F(ServerAccountsTest, LimitsWithoutSenseAreRefused) {
  const auto peers = Connect();
  for (const char* limits : {"", "objects", "objects=-1", "colours=3",
                             "memory=much", "objects=1,"}) {
    EXPECT_EQ(peers->call.AskForFailure(LimitRequest(kAlice, limits)),
              Code::kInvalidArgument)
        << limits;
  }
  EXPECT_EQ(peers->call.AskForFailure(LimitRequest(UINT32_MAX, "objects=1")),
            Code::kNotFound);
  EXPECT_EQ(Find(kAlice), nullptr);
}

TEST_F(ServerAccountsTest, AClientHearsThatItIsOverItsQuota) {
  Limit("objects=1,memory=1M");
  As(kAlice, [this] {
    const auto peers = Connect();
    EXPECT_TRUE(peers->call.Ask<protocol::PutReplyT>(PutRequest("a", "data")));
    EXPECT_EQ(peers->call.AskForFailure(PutRequest("b", "data")),
              Code::kOverQuota);
    EXPECT_EQ(peers->call.AskForFailure(CreateRequest("c", 100)),
              Code::kOverQuota);
  });
  // Others are not.
  EXPECT_TRUE(
      Connect()->call.Ask<protocol::PutReplyT>(PutRequest("b", "data")));
  const auto account = Find(kAlice);
  ASSERT_NE(account, nullptr);
  EXPECT_EQ(account->used.at(1), 1U);
}

// More than one message holds.
TEST_F(ServerAccountsTest, ManyAccountsComeInSeveralReplies) {
  constexpr uint32_t kUsers = 1000;
  for (uint32_t uid = 1; uid <= kUsers; ++uid) {
    store_->facts().accounts().ForceCharge({.uid = uid, .gid = 5},
                                           Resource::kWaiters, uid);
  }
  const auto peers = Connect();
  uint64_t from = 0;
  uint64_t users = 0;
  size_t replies = 0;
  do {
    protocol::GetAccountsT request;
    request.from = from;
    auto reply = peers->call.Ask<protocol::AccountsReplyT>(std::move(request));
    ASSERT_TRUE(reply);
    for (const auto& account : reply->accounts) {
      if (account->group || account->each || account->id == 0) continue;
      EXPECT_EQ(account->used.at(3), account->id);
      ++users;
    }
    from = reply->next;
    ++replies;
  } while (from != 0);
  EXPECT_EQ(users, kUsers);
  EXPECT_GT(replies, 1U);
}

}  // namespace
}  // namespace vitrine::store
