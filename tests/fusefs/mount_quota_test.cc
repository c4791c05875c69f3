// Quotas, as users of the mount see them.
#include <sys/xattr.h>

#include "store/accounts/accounts.h"
#include "tests/fusefs/mounted_store.h"

namespace vitrine::fusefs {
namespace {

class QuotaTest : public OtherUsers {
 protected:
  void Limit(const std::string& quota) {
    store_->facts().accounts().SetQuota(*store::ParseQuota(quota));
  }
  int TryCreate(const std::string& id) const {
    const UniqueFd fd(
        ::open(Unsealed(id).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644));
    return fd.valid() ? 0 : errno;
  }
};

TEST_P(QuotaTest, OneFileTooManyIsNotCreated) {
  Limit("user:12345:unsealed=2");
  EXPECT_TRUE(As(kUser, [this] {
    CHILD_EXPECT(TryCreate("a") == 0);
    CHILD_EXPECT(TryCreate("b") == 0);
    CHILD_EXPECT(TryCreate("c") == EDQUOT);
    CHILD_EXPECT(
        ErrnoOf(::rename(Unsealed("a").c_str(), Sealed("a").c_str())) == 0);
    CHILD_EXPECT(TryCreate("c") == 0);
  }));
  EXPECT_TRUE(As(kOther, [this] { CHILD_EXPECT(TryCreate("d") == 0); }));
}

// A small quota leaves no runway for a writer that is not seen.
TEST_P(QuotaTest, WritingBeyondTheQuotaIsRefused) {
  Limit("user:12345:memory=1M");
  EXPECT_TRUE(As(kUser, [this] {
    const UniqueFd fd(
        ::open(Unsealed("a").c_str(), O_RDWR | O_CREAT | O_EXCL, 0644));
    CHILD_EXPECT(fd.valid());
    const std::string data(64 << 10, 'x');
    for (int i = 0; i < 16; ++i) {
      CHILD_EXPECT(::write(fd.get(), data.data(), data.size()) ==
                   static_cast<ssize_t>(data.size()));
    }
    CHILD_EXPECT(ErrnoOf(::write(fd.get(), data.data(), data.size())) ==
                 EDQUOT);
    CHILD_EXPECT(ErrnoOf(::fallocate(fd.get(), 0, 0, 2 << 20)) == EDQUOT);
    CHILD_EXPECT(ErrnoOf(::ftruncate(fd.get(), 2 << 20)) == EDQUOT);
    // What is there stays, and may be written again.
    CHILD_EXPECT(::pwrite(fd.get(), data.data(), data.size(), 0) ==
                 static_cast<ssize_t>(data.size()));
  }));
  EXPECT_TRUE(As(kOther, [this] {
    CHILD_EXPECT(WriteFile(Unsealed("b"), std::string(4 << 20, 'x')));
  }));
}

TEST_P(QuotaTest, AHoldTooManyIsRefused) {
  Limit("user:12345:holds=1");
  EXPECT_TRUE(As(kUser, [this] {
    for (const std::string id : {"a", "b"}) {
      CHILD_EXPECT(WriteFile(Unsealed(id), "x"));
      CHILD_EXPECT(
          ErrnoOf(::rename(Unsealed(id).c_str(), Sealed(id).c_str())) == 0);
    }
    const auto hold = [this](const char* id) {
      return ErrnoOf(
          ::setxattr(Sealed(id).c_str(), "user.vitrine.hold", "1", 1, 0));
    };
    CHILD_EXPECT(hold("a") == 0);
    CHILD_EXPECT(hold("b") == EDQUOT);
  }));
}

TEST_P(QuotaTest, RootDoesNotGiveAwayMoreThanOneMayHave) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), std::string(1 << 20, 'x')));
  Limit("user:12345:memory=64K");
  EXPECT_EQ(ErrnoOf(::chown(Unsealed("a").c_str(), kUser, kUser)), EDQUOT);
  EXPECT_EQ(ErrnoOf(::chown(Unsealed("a").c_str(), kOther, kOther)), 0);
}

INSTANTIATE_BOTH_MODES(QuotaTest);

}  // namespace
}  // namespace vitrine::fusefs
