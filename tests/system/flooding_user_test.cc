// One user floods a store; another one is not held up.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/system/child_process.h"
#include "tests/system/files.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uid_t kFlooder = 54321;
constexpr uid_t kOther = 54322;
constexpr size_t kMiB = 1 << 20;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

class QuotaSystemTest : public testing::Test {
 protected:
  void SetUp() override { VITRINE_REQUIRE(WhyNotRoot()); }
  bool PutAsOther(StoreProcess* store, const std::string& id, Timeout timeout) {
    return As(kOther, [&] {
      const std::vector<std::byte> bytes(100);
      return store->Connect("other")
          .Put(Id(id), bytes, {.timeout = timeout})
          .has_value();
    });
  }
};

TEST_F(QuotaSystemTest, AQuotaKeepsAFloodOfUnsealedFilesFromOthers) {
  VITRINE_REQUIRE(WhyNoMount());
  StoreProcess store({.more = {"--quota", "user:*:unsealed=1000"}});
  const Status started = store.Start();
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_TRUE(As(kFlooder, [&store] {
    const std::string data(100, 'x');
    for (int i = 0; i < 65'481; ++i) {
      const UniqueFd fd(::open(store.unsealed("f" + std::to_string(i)).c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
      if (!fd.valid()) return i == 1000 && errno == EDQUOT;
      if (::write(fd.get(), data.data(), data.size()) != 100) return false;
    }
    return false;
  }));
  // It does not even wait.
  EXPECT_TRUE(PutAsOther(&store, "small", kPoll));
  const std::string told = store.Run({"quota"});
  EXPECT_NE(told.find("unsealed"), std::string::npos) << told;
  EXPECT_NE(told.find("1000"), std::string::npos) << told;
}

// The flood takes all the memory by objects that cannot be evicted.  When some
// of it comes back, it goes to the other, although the flood asked before.
TEST_F(QuotaSystemTest, WhoHasLessIsServedBeforeAFlood) {
  StoreProcess store({.capacity = "16M", .mount = false});
  const Status started = store.Start();
  ASSERT_TRUE(started) << started.error().ToString();
  ChildProcess flooder([&store](const ChildProcess::Parent& parent) {
    if (!Become(kFlooder)) return false;
    Client client = store.Connect("flooder");
    // No four of about one size, for which there would be blanks.
    std::vector<Writer> writers;
    for (const size_t kib :
         std::vector<size_t>{8192, 4096, 2048, 1024, 512, 256}) {
      auto writer = client.Create(Id("flood-" + std::to_string(kib)), kib << 10,
                                  {.timeout = kPoll});
      if (!writer) return false;
      writers.push_back(*std::move(writer));
    }
    parent.Say();
    parent.Await();
    writers.erase(writers.begin() + 2);
    parent.Say();
    parent.Await();
    return true;
  });
  ASSERT_TRUE(flooder.AwaitWord());
  // The flood asks for more, and waits.
  ChildProcess waiting([&store](const ChildProcess::Parent& parent) {
    if (!Become(kFlooder)) return false;
    Client client = store.Connect("flooder");
    const bool created =
        client.Create(Id("more"), 12 * kMiB, {.timeout = kNever}).has_value();
    parent.Say();
    return created;
  });
  const auto waiters = [&store] {
    return store.GetStatus()["memory"].value("waiters", uint64_t{0});
  };
  ASSERT_TRUE(Eventually([&] { return waiters() == 1; }));
  ChildProcess other([&store](const auto&) {
    if (!Become(kOther)) return false;
    const std::vector<std::byte> bytes(kMiB);
    Client client = store.Connect("other");
    return client.Put(Id("other"), bytes, {.timeout = kNever}).has_value();
  });
  ASSERT_TRUE(Eventually([&] { return waiters() == 2; }));
  flooder.Tell();
  ASSERT_TRUE(flooder.AwaitWord());
  EXPECT_TRUE(other.Succeeded());
  EXPECT_EQ(waiters(), 1U);  // The flood's.
  flooder.Tell();
  EXPECT_TRUE(flooder.Succeeded());  // What it has goes with it.
  EXPECT_TRUE(waiting.AwaitWord());
  EXPECT_TRUE(waiting.Succeeded());
}

TEST_F(QuotaSystemTest, TheCommandShowsAndSetsQuotas) {
  StoreProcess store({.capacity = "64M", .mount = false});
  ASSERT_TRUE(store.Start());
  int exited = -1;
  const std::string answer =
      store.Run({"quota", "set", "user:54322:objects=1"}, &exited);
  EXPECT_EQ(exited, 0) << answer;
  EXPECT_NE(answer.find("configuration file"), std::string::npos) << answer;
  EXPECT_TRUE(PutAsOther(&store, "a", kNever));
  // Small puts are answered in the ring, larger ones by message.
  EXPECT_TRUE(As(kOther, [&store] {
    const std::vector<std::byte> bytes(kMiB);
    Client client = store.Connect("other");
    const Status small = client.Put(Id("b"), std::span(bytes).first(100));
    const Status large = client.Put(Id("b"), bytes);
    return !small && small.error().code == Code::kOverQuota && !large &&
           large.error().code == Code::kOverQuota;
  }));
  const auto accounts =
      nlohmann::json::parse(store.Run({"quota", "--json"}), nullptr, false);
  ASSERT_TRUE(accounts.is_array());
  bool found = false;
  for (const auto& account : accounts) {
    if (account.value("id", 0U) != kOther || account["kind"] != "user") {
      continue;
    }
    found = true;
    EXPECT_EQ(account["objects"]["used"], 1);
    EXPECT_EQ(account["objects"]["limit"], 1);
    EXPECT_TRUE(account["memory"]["limit"].is_null());
  }
  EXPECT_TRUE(found);
  store.Run({"quota", "set", "user:54322:colour=1"}, &exited);
  EXPECT_EQ(exited, 1);
  store.Run({"quota", "set", "54322=1"}, &exited);
  EXPECT_EQ(exited, 2);
  store.Run({"quota", "set", "user:no such user:holds=1"}, &exited);
  EXPECT_EQ(exited, 2);
  // Another user may look, but not set.
  EXPECT_TRUE(As(kOther, [&store] {
    Client client = store.Connect("other");
    const Status set =
        client.SetQuota(Account::Kind::kUser, kOther, "objects=none");
    return client.GetAccounts().has_value() && !set &&
           set.error().code == Code::kPermissionDenied;
  }));
}

}  // namespace
}  // namespace vitrine
