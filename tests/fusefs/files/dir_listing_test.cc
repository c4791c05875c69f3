// 100,000 objects: listed, looked up and gone again.
#include <dirent.h>

#include "tests/fusefs/mounted_store.h"
#include "tests/store/store_calls.h"

namespace vitrine::fusefs {
namespace {

constexpr int kObjects = 100'000;

class DirListingTest : public MountedStore {
 protected:
  int Count(const std::string& path, bool with_stat) {
    DIR* dir = ::opendir(path.c_str());
    if (dir == nullptr) return -1;
    int count = 0;
    while (const dirent* entry = ::readdir(dir)) {
      if (entry->d_name[0] == '.') continue;
      struct stat info;
      if (with_stat && ::fstatat(::dirfd(dir), entry->d_name, &info,
                                 AT_SYMLINK_NOFOLLOW) != 0) {
        count = -1;
        break;
      }
      ++count;
    }
    ::closedir(dir);
    return count;
  }
};

TEST_F(DirListingTest, ListingsShowThemAll) {
  if (!StartMounted(Switch::kAuto, uint64_t{1} << 30)) GTEST_SKIP() << skip_;
  for (int i = 0; i < kObjects; ++i) {
    const ObjectId id = *ObjectId::FromText("object-" + std::to_string(i));
    const auto object = store_->unsealed().Create(id, NewObject{});
    ASSERT_TRUE(object) << object.error().ToString();
    ASSERT_TRUE(SealNow(store_.get(), *object, id));
  }
  EXPECT_EQ(Count(Root() + "/sealed", false), kObjects);
  EXPECT_EQ(Count(Root() + "/sealed", true), kObjects);
  EXPECT_EQ(Count(Root() + "/direct", false), kObjects);
  EXPECT_EQ(Count(Root() + "/unsealed", false), 0);
  // What the listing looked up is known, and goes when the objects go.
  const auto known = MountStatus()["known_nodes"].get<int>();
  EXPECT_LE(known, kObjects);
  for (const ObjectRef& object : store_->objects().List(ObjectState::kSealed)) {
    ASSERT_TRUE(store_->sealed().Delete(object, Credentials{}));
  }
  EXPECT_TRUE(Eventually([this] { return MountStatus()["known_nodes"] == 0; }));
  EXPECT_EQ(Count(Root() + "/sealed", true), 0);
}

}  // namespace
}  // namespace vitrine::fusefs
