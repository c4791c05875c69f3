// Permissions, as an ordinary user sees them.
#include <sys/xattr.h>

#include "tests/fusefs/mounted_store.h"

namespace vitrine::fusefs {
namespace {

class OrdinaryUserTest : public OtherUsers {
 protected:
  bool PutAs(uid_t uid, const std::string& id, mode_t mode) {
    return As(uid, [&] {
      ::umask(0);
      CHILD_EXPECT(WriteFile(Unsealed(id), "bytes", O_WRONLY | O_CREAT, mode));
      CHILD_EXPECT(::rename(Unsealed(id).c_str(), Sealed(id).c_str()) == 0);
    });
  }
};

TEST_P(OrdinaryUserTest, OwnerModeAndUmaskAreTheCreators) {
  ASSERT_TRUE(As(kUser, [this] {
    ::umask(026);
    CHILD_EXPECT(WriteFile(Unsealed("a"), "x", O_WRONLY | O_CREAT, 0666));
  }));
  struct stat info;
  ASSERT_EQ(::stat(Unsealed("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kUser);
  EXPECT_EQ(info.st_gid, kUser);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
}

TEST_P(OrdinaryUserTest, PrivateObjectsAreReadByOwnerAndRootOnly) {
  ASSERT_TRUE(PutAs(kUser, "a", 0600));
  EXPECT_TRUE(As(kOther, [this] {
    CHILD_EXPECT(ErrnoOf(::open(Sealed("a").c_str(), O_RDONLY)) == EACCES);
    CHILD_EXPECT(ErrnoOf(::open(Waiting("a").c_str(), O_RDONLY)) == EACCES);
    CHILD_EXPECT(ErrnoOf(::open(Direct("a").c_str(), O_RDONLY)) == EACCES);
  }));
  EXPECT_TRUE(As(kUser, [this] {
    CHILD_EXPECT(ReadFile(Sealed("a")) == "bytes");
    CHILD_EXPECT(ReadFile(Waiting("a")) == "bytes");
  }));
  EXPECT_EQ(ReadFile(Sealed("a")), "bytes");
}

TEST_P(OrdinaryUserTest, OthersCannotChangeSealOrDelete) {
  ASSERT_TRUE(PutAs(kUser, "a", 0644));
  ASSERT_TRUE(As(kUser, [this] {
    CHILD_EXPECT(WriteFile(Unsealed("b"), "x", O_WRONLY | O_CREAT, 0644));
  }));
  EXPECT_TRUE(As(kOther, [this] {
    CHILD_EXPECT(ReadFile(Sealed("a")) == "bytes");
    CHILD_EXPECT(ErrnoOf(::unlink(Sealed("a").c_str())) == EPERM);
    CHILD_EXPECT(ErrnoOf(::unlink(Unsealed("b").c_str())) == EPERM);
    CHILD_EXPECT(
        ErrnoOf(::rename(Unsealed("b").c_str(), Sealed("b").c_str())) == EPERM);
    CHILD_EXPECT(ErrnoOf(::open(Unsealed("b").c_str(), O_WRONLY)) == EACCES);
    CHILD_EXPECT(ErrnoOf(::chmod(Unsealed("b").c_str(), 0666)) == EPERM);
    CHILD_EXPECT(ErrnoOf(::setxattr(Sealed("a").c_str(), "user.vitrine.hold",
                                    "1", 1, 0)) != 0);
  }));
}

TEST_P(OrdinaryUserTest, OwnerIsRefusedAsRootIsOnceItIsSealed) {
  ASSERT_TRUE(PutAs(kUser, "a", 0644));
  EXPECT_TRUE(As(kUser, [this] {
    CHILD_EXPECT(ErrnoOf(::open(Sealed("a").c_str(), O_WRONLY)) == EPERM);
    CHILD_EXPECT(ErrnoOf(::open(Sealed("a").c_str(), O_RDWR)) == EPERM);
    CHILD_EXPECT(ErrnoOf(::truncate(Sealed("a").c_str(), 0)) == EPERM);
    CHILD_EXPECT(ErrnoOf(::chmod(Sealed("a").c_str(), 0600)) == EPERM);
    CHILD_EXPECT(ErrnoOf(::utimensat(AT_FDCWD, Sealed("a").c_str(), nullptr,
                                     0)) == EPERM);
    CHILD_EXPECT(
        ErrnoOf(::setxattr(Sealed("a").c_str(), "user.a", "1", 1, 0)) == EPERM);
    CHILD_EXPECT(ErrnoOf(::rename(Sealed("a").c_str(), Sealed("b").c_str())) ==
                 EPERM);
    CHILD_EXPECT(
        ::setxattr(Sealed("a").c_str(), "user.vitrine.hold", "1", 1, 0) == 0);
    CHILD_EXPECT(::unlink(Sealed("a").c_str()) == 0);
  }));
  EXPECT_FALSE(FindSealed("a"));
}

TEST_P(OrdinaryUserTest, ReadableObjectsAreReachedDirectly) {
  ASSERT_EQ(::chmod(memory_dir_.path().c_str(), 0755), 0);
  ASSERT_TRUE(PutAs(kUser, "a", 0644));
  struct stat info;
  ASSERT_EQ(::stat(Direct("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, ::getuid());  // Never the creator's.
  EXPECT_EQ(info.st_mode & 0777, 0444u);
}

INSTANTIATE_BOTH_MODES(OrdinaryUserTest);

}  // namespace
}  // namespace vitrine::fusefs
