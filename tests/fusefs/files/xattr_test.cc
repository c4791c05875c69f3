#include "fusefs/files/xattr.h"

#include <sys/xattr.h>

#include "tests/fusefs/mounted_store.h"

namespace vitrine::fusefs {
namespace {

class XattrTest : public BothModes {
 protected:
  static int Set(const std::string& path, const std::string& name,
                 const std::string& value, int flags = 0) {
    return ErrnoOf(::setxattr(path.c_str(), name.c_str(), value.data(),
                              value.size(), flags));
  }
  static std::string Get(const std::string& path, const std::string& name) {
    char value[65536];
    const ssize_t size =
        ::getxattr(path.c_str(), name.c_str(), value, sizeof(value));
    if (size < 0) return std::string("<") + std::strerror(errno) + ">";
    return std::string(value, static_cast<size_t>(size));
  }
  static std::string List(const std::string& path) {
    char names[65536];
    const ssize_t size = ::listxattr(path.c_str(), names, sizeof(names));
    if (size < 0) return std::string("<") + std::strerror(errno) + ">";
    std::string text(names, static_cast<size_t>(size));
    for (char& c : text) {
      if (c == '\0') c = ' ';
    }
    return text;
  }
};

TEST_P(XattrTest, BadNamesValuesAndFlagsAreRefused) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "x"));
  const std::string path = Unsealed("a");
  EXPECT_EQ(Set(path, "trusted.a", "1"), EOPNOTSUPP);
  EXPECT_EQ(Set(path, "user.a", "1", XATTR_REPLACE), ENODATA);
  EXPECT_EQ(Set(path, "user.a", "1"), 0);
  EXPECT_EQ(Set(path, "user.a", "2", XATTR_CREATE), EEXIST);
  EXPECT_EQ(Set(path, "user.big", std::string(40'000, 'x')), E2BIG);
  EXPECT_EQ(Set(path, "user.vitrine.size", "1"), EPERM);
  EXPECT_EQ(Set(path, "user.vitrine.none", "1"), EPERM);
  EXPECT_EQ(Set(path, "user.vitrine.hold", "yes"), EINVAL);
  EXPECT_EQ(ErrnoOf(::removexattr(path.c_str(), "user.none")), ENODATA);
  EXPECT_EQ(ErrnoOf(::removexattr(path.c_str(), "user.vitrine.size")), EPERM);
  EXPECT_EQ(Get(path, "user.a"), "1");
  EXPECT_EQ(Get(path, "user.none"), "<No data available>");
}

TEST_P(XattrTest, SizesAreProbedAsElsewhere) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "x"));
  const std::string path = Unsealed("a");
  ASSERT_EQ(Set(path, "user.a", "12345"), 0);
  char value[5];
  EXPECT_EQ(::getxattr(path.c_str(), "user.a", nullptr, 0), 5);
  EXPECT_EQ(ErrnoOf(::getxattr(path.c_str(), "user.a", value, 4)), ERANGE);
  EXPECT_EQ(::getxattr(path.c_str(), "user.a", value, 5), 5);
  EXPECT_GT(::listxattr(path.c_str(), nullptr, 0), 5);
  EXPECT_EQ(ErrnoOf(::listxattr(path.c_str(), value, 5)), ERANGE);
}

TEST_P(XattrTest, MetadataIsKeptByTheSealAndThenImmutable) {
  const std::string odd("\0\xff\n", 3);
  ASSERT_TRUE(WriteFile(Unsealed("a"), "x"));
  ASSERT_EQ(Set(Unsealed("a"), "user.kind", odd), 0);
  ASSERT_EQ(Set(Unsealed("a"), "user.empty", ""), 0);
  ASSERT_EQ(Set(Unsealed("a"), "user.gone", "1"), 0);
  ASSERT_EQ(::removexattr(Unsealed("a").c_str(), "user.gone"), 0);
  ASSERT_EQ(::rename(Unsealed("a").c_str(), Sealed("a").c_str()), 0);
  EXPECT_EQ(Get(Sealed("a"), "user.kind"), odd);
  EXPECT_EQ(Get(Sealed("a"), "user.empty"), "");
  EXPECT_EQ(Set(Sealed("a"), "user.kind", "2"), EPERM);
  EXPECT_EQ(ErrnoOf(::removexattr(Sealed("a").c_str(), "user.kind")), EPERM);
  EXPECT_EQ(store_->objects().GetMetadata(FindSealed("a"))->at("kind"), odd);
  EXPECT_NE(List(Sealed("a")).find("user.kind "), std::string::npos);
}

TEST_P(XattrTest, ComputedAttributesTellOfTheObject) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "12345"));
  EXPECT_EQ(Get(Unsealed("a"), "user.vitrine.state"), "unsealed");
  EXPECT_EQ(Get(Unsealed("a"), "user.vitrine.size"), "5");
  ASSERT_EQ(::rename(Unsealed("a").c_str(), Sealed("a").c_str()), 0);
  EXPECT_EQ(Get(Sealed("a"), "user.vitrine.state"), "sealed");
  EXPECT_EQ(Get(Sealed("a"), "user.vitrine.tier"), "memory");
  EXPECT_EQ(Get(Sealed("a"), "user.vitrine.digest"), "<No data available>");
  EXPECT_EQ(Get(Sealed("a"), "user.vitrine.creator"),
            std::to_string(::getpid()));
  EXPECT_EQ(List(Sealed("a")).find("digest"), std::string::npos);
  {
    const UniqueFd fd(::open(Sealed("a").c_str(), O_RDONLY));
    EXPECT_EQ(Get(Sealed("a"), "user.vitrine.in-use"), "1");
  }
  EXPECT_TRUE(Eventually(
      [this] { return Get(Sealed("a"), "user.vitrine.in-use") == "0"; }));
}

TEST_P(XattrTest, HoldIsSetAndDroppedOnSealedObjects) {
  Put("a", "x");
  EXPECT_EQ(Get(Sealed("a"), "user.vitrine.hold"), "0");
  EXPECT_EQ(Set(Sealed("a"), "user.vitrine.hold", "1"), 0);
  EXPECT_TRUE(store_->objects().Info(FindSealed("a")).hold);
  EXPECT_EQ(Get(Sealed("a"), "user.vitrine.hold"), "1");
  EXPECT_EQ(::removexattr(Sealed("a").c_str(), "user.vitrine.hold"), 0);
  EXPECT_FALSE(store_->objects().Info(FindSealed("a")).hold);
}

TEST_P(XattrTest, DirectoriesHaveNone) {
  EXPECT_EQ(List(Root() + "/sealed"), "");
  EXPECT_EQ(Set(Root() + "/sealed", "user.a", "1"), EOPNOTSUPP);
  EXPECT_NE(Get(Root() + "/sealed", "user.a"), "");
}

INSTANTIATE_BOTH_MODES(XattrTest);

}  // namespace
}  // namespace vitrine::fusefs
