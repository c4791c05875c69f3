#include "fusefs/files/dir_listing.h"

#include <dirent.h>

#include <vector>

#include "fusefs/files/node_id.h"
#include "tests/fusefs/mounted_store.h"
#include "tests/store/store_calls.h"

namespace vitrine::fusefs {
namespace {

constexpr int kObjects = 100'000;

// Open directories of one user, without a mount.
class DirReadingTest : public MountedStore {
 protected:
  void SetUp() override { ASSERT_TRUE(StartStore(uint64_t{64} << 20)); }

  DirListing OpenDir(uint64_t dir = kSealedDir) {
    return DirListing(store_.get(), dir, snapshots_.Of(1));
  }
  void Make(const std::string& name) {
    const ObjectId id = *ObjectId::FromText(name);
    const auto object = store_->unsealed().Create(id, NewObject{});
    ASSERT_TRUE(object) << object.error().ToString();
    ASSERT_TRUE(SealNow(store_.get(), *object, id));
  }
  void Delete(const std::string& name) {
    ASSERT_TRUE(store_->sealed().Delete(FindSealed(name), Credentials{}));
  }
  // At most `most` names from `*offset` on, which it moves behind them.
  using Names = std::vector<std::string>;
  static Names Read(const DirListing& dir, uint64_t* offset,
                    size_t most = SIZE_MAX) {
    Names names;
    dir.Read(*offset, [&](const DirListing::Entry& entry) {
      if (names.size() == most) return false;
      EXPECT_GT(entry.next, *offset);
      names.push_back(entry.name);
      *offset = entry.next;
      return true;
    });
    return names;
  }
  static Names ReadAll(const DirListing& dir) {
    uint64_t offset = 0;
    return Read(dir, &offset);
  }

  ListingSnapshots snapshots_{
      [this](ObjectState state) { return store_->objects().List(state); }};
};

TEST_F(DirReadingTest, TellsAllInTheOrderInWhichTheyWereMade) {
  for (const char* name : {"b", "c", "a"}) Make(name);
  const Names all = {".", "..", "b", "c", "a"};
  EXPECT_EQ(ReadAll(OpenDir()), all);
  const DirListing dir = OpenDir();
  uint64_t offset = 0;
  Names one_by_one;
  for (Names some; !(some = Read(dir, &offset, 1)).empty();) {
    one_by_one.push_back(some[0]);
  }
  EXPECT_EQ(one_by_one, all);
}

TEST_F(DirReadingTest, ARereadFromTheStartSeesWhatIsNew) {
  const DirListing dir = OpenDir();
  uint64_t offset = 0;
  Read(dir, &offset, 2);
  Make("a");
  EXPECT_EQ(ReadAll(dir), Names({".", "..", "a"}));
}

// Another directory of the user takes a snapshot at any point.
TEST_F(DirReadingTest, GoesOnInANewSnapshotWhereItWas) {
  for (int i = 0; i < 20; ++i) Make("o" + std::to_string(i));
  const DirListing dir = OpenDir();
  uint64_t offset = 0;
  EXPECT_EQ(Read(dir, &offset, 6), Names({".", "..", "o0", "o1", "o2", "o3"}));
  for (const char* gone : {"o1", "o3", "o4", "o7"}) Delete(gone);
  Make("new");
  ReadAll(OpenDir());
  EXPECT_EQ(Read(dir, &offset, 3), Names({"o5", "o6", "o8"}));
  Delete("o8");
  ReadAll(OpenDir());
  const Names rest = Read(dir, &offset);
  EXPECT_EQ(rest.size(), 12u);
  EXPECT_EQ(rest.front(), "o9");
  EXPECT_EQ(rest.back(), "new");
}

// As after a long pause, or with an offset of another open.
TEST_F(DirReadingTest, AnyOffsetIsAPlaceInTheOrder) {
  for (const char* name : {"a", "b"}) Make(name);
  uint64_t offset = 0;
  Read(OpenDir(), &offset, 3);
  EXPECT_EQ(Read(OpenDir(), &offset), Names({"b"}));
  offset = UINT64_MAX;
  EXPECT_TRUE(Read(OpenDir(), &offset).empty());
  offset = 1;
  EXPECT_EQ(Read(OpenDir(), &offset), Names({"..", "a", "b"}));
}

TEST_F(DirReadingTest, DirectoriesWithoutObjectsHaveTheirOwn) {
  Make("a");
  EXPECT_EQ(ReadAll(OpenDir(kInfoDir)), Names({".", "..", "status"}));
  EXPECT_EQ(ReadAll(OpenDir(kUnsealedDir)), Names({".", ".."}));
  EXPECT_EQ(ReadAll(OpenDir(kRootNode)).size(), 7u);
}

// 100,000 objects: listed, looked up and gone again.
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
