// The table of what each POSIX call does, cell by cell, as root.
#include <dirent.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <set>

#include "tests/fusefs/mounted_store.h"

namespace vitrine::fusefs {
namespace {

class PosixTableTest : public BothModes {};

TEST_P(PosixTableTest, CreateFailsWhereTheNameIsTaken) {
  Put("sealed", "x");
  ASSERT_TRUE(WriteFile(Unsealed("open"), "x"));
  const int exclusive = O_WRONLY | O_CREAT | O_EXCL;
  EXPECT_EQ(ErrnoOf(::open(Unsealed("open").c_str(), exclusive, 0644)), EEXIST);
  EXPECT_EQ(ErrnoOf(::open(Unsealed("sealed").c_str(), exclusive, 0644)),
            EEXIST);
  EXPECT_EQ(
      ErrnoOf(::open(Unsealed("sealed").c_str(), O_WRONLY | O_CREAT, 0644)),
      EEXIST);
}

TEST_P(PosixTableTest, CreateElsewhereIsNotPermitted) {
  for (const char* dir :
       {"/sealed/", "/wait/", "/direct/", "/.vitrine/", "/"}) {
    const std::string path = Root() + dir + "new";
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
    // wait/ has every name there is.
    const int expected = std::string(dir) == "/wait/" ? EEXIST : EPERM;
    EXPECT_EQ(ErrnoOf(fd), expected) << path;
  }
}

TEST_P(PosixTableTest, SealedObjectsCannotBeChangedByRoot) {
  Put("a", "unchanged");
  const std::string path = Sealed("a");
  EXPECT_EQ(ErrnoOf(::open(path.c_str(), O_WRONLY)), EPERM);
  EXPECT_EQ(ErrnoOf(::open(path.c_str(), O_RDWR)), EPERM);
  EXPECT_EQ(ErrnoOf(::open(path.c_str(), O_WRONLY | O_APPEND)), EPERM);
  EXPECT_EQ(ErrnoOf(::open(path.c_str(), O_WRONLY | O_TRUNC)), EPERM);
  EXPECT_EQ(ErrnoOf(::open(path.c_str(), O_RDONLY | O_TRUNC)), EPERM);
  EXPECT_EQ(ErrnoOf(::truncate(path.c_str(), 1)), EPERM);
  EXPECT_EQ(ErrnoOf(::chmod(path.c_str(), 0600)), EPERM);
  EXPECT_EQ(ErrnoOf(::chown(path.c_str(), 1, 1)), EPERM);
  EXPECT_EQ(ErrnoOf(::utimensat(AT_FDCWD, path.c_str(), nullptr, 0)), EPERM);
  EXPECT_EQ(ErrnoOf(::setxattr(path.c_str(), "user.a", "1", 1, 0)), EPERM);
  EXPECT_EQ(ErrnoOf(::removexattr(path.c_str(), "user.a")), EPERM);
  EXPECT_EQ(ReadFile(path), "unchanged");
}

TEST_P(PosixTableTest,
       ReadOnlyDescriptorOfASealedObjectCannotBeMappedWritable) {
  Put("a", std::string(4096, 'x'));
  EXPECT_TRUE(InChild([this] {
    const int fd = ::open(Sealed("a").c_str(), O_RDONLY);
    CHILD_EXPECT(fd >= 0);
    void* data =
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHILD_EXPECT(data == MAP_FAILED && errno == EACCES);
    data = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHILD_EXPECT(data != MAP_FAILED);
    CHILD_EXPECT(::mprotect(data, 4096, PROT_READ | PROT_WRITE) != 0);
    CHILD_EXPECT(::ftruncate(fd, 0) != 0);
    CHILD_EXPECT(::fallocate(fd, 0, 0, 8192) != 0);
  }));
}

TEST_P(PosixTableTest, RenameMovesSealsAndRefuses) {
  Put("taken", "old");
  ASSERT_TRUE(WriteFile(Unsealed("a"), "new"));
  const auto rename = [](const std::string& from, const std::string& to) {
    return ErrnoOf(::rename(from.c_str(), to.c_str()));
  };
  EXPECT_EQ(rename(Unsealed("a"), Sealed("taken")), EEXIST);
  EXPECT_EQ(ReadFile(Sealed("taken")), "old");
  EXPECT_EQ(rename(Sealed("taken"), Sealed("b")), EPERM);
  EXPECT_EQ(rename(Sealed("taken"), Unsealed("b")), EPERM);
  EXPECT_EQ(rename(Unsealed("a"), Waiting("b")), EPERM);
  EXPECT_EQ(rename(Unsealed("a"), Direct("b")), EPERM);
  EXPECT_EQ(rename(Unsealed("a"), Root() + "/b"), EPERM);
  EXPECT_EQ(rename(Unsealed("a"), Unsealed("b")), 0);
  EXPECT_EQ(rename(Unsealed("a"), Sealed("a")), ENOENT);
  EXPECT_EQ(rename(Unsealed("b"), Sealed("b")), 0);
  EXPECT_EQ(ReadFile(Sealed("b")), "new");
  EXPECT_EQ(::access(Unsealed("b").c_str(), F_OK), -1);
}

TEST_P(PosixTableTest, RenameFlagsAreRespected) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "a"));
  ASSERT_TRUE(WriteFile(Unsealed("b"), "b"));
  const auto rename = [](const std::string& from, const std::string& to,
                         unsigned int flags) {
    return ErrnoOf(
        ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags));
  };
  EXPECT_EQ(rename(Unsealed("a"), Unsealed("b"), RENAME_EXCHANGE), EINVAL);
  EXPECT_EQ(rename(Unsealed("a"), Unsealed("b"), RENAME_NOREPLACE), EEXIST);
  EXPECT_EQ(rename(Unsealed("a"), Unsealed("b"), 0), 0);
  EXPECT_EQ(ReadFile(Unsealed("b")), "a");
  EXPECT_EQ(rename(Unsealed("b"), Sealed("b"), RENAME_NOREPLACE), 0);
}

TEST_P(PosixTableTest, RenameOntoASealedNameWithinUnsealedFails) {
  Put("taken", "x");
  ASSERT_TRUE(WriteFile(Unsealed("a"), "a"));
  EXPECT_EQ(ErrnoOf(::rename(Unsealed("a").c_str(), Unsealed("taken").c_str())),
            EEXIST);
}

TEST_P(PosixTableTest, OtherKindsOfFilesAreNotPermitted) {
  Put("a", "x");
  for (const char* dir : {"/unsealed/", "/sealed/"}) {
    const std::string path = Root() + dir + "new";
    EXPECT_EQ(ErrnoOf(::mkdir(path.c_str(), 0755)), EPERM);
    EXPECT_EQ(ErrnoOf(::symlink("x", path.c_str())), EPERM);
    EXPECT_EQ(ErrnoOf(::link(Sealed("a").c_str(), path.c_str())), EPERM);
    EXPECT_EQ(ErrnoOf(::mknod(path.c_str(), S_IFIFO | 0644, 0)), EPERM);
    EXPECT_EQ(ErrnoOf(::mknod(path.c_str(), S_IFREG | 0644, 0)), EPERM);
  }
  EXPECT_EQ(ErrnoOf(::rmdir((Root() + "/sealed").c_str())), EPERM);
}

TEST_P(PosixTableTest, UnlinkAbortsOrDeletes) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "a"));
  EXPECT_EQ(::unlink(Unsealed("a").c_str()), 0);
  EXPECT_FALSE(FindUnsealed("a"));
  Put("b", "b");
  EXPECT_EQ(ErrnoOf(::unlink(Direct("b").c_str())), EPERM);
  EXPECT_EQ(ErrnoOf(::unlink(Waiting("b").c_str())), EPERM);
  EXPECT_EQ(::unlink(Sealed("b").c_str()), 0);
  EXPECT_EQ(ErrnoOf(::unlink(Sealed("b").c_str())), ENOENT);
  EXPECT_EQ(ErrnoOf(::open(Sealed("b").c_str(), O_RDONLY)), ENOENT);
  EXPECT_FALSE(FindSealed("b"));
}

TEST_P(PosixTableTest, DeletedObjectsStayReadableWhereOpenOrMapped) {
  const std::string bytes = Pattern(3 << 20);
  Put("a", bytes);
  int ready[2];
  int go[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(go, O_CLOEXEC), 0);
  const pid_t child = StartChild([&] {
    const int fd = ::open(Sealed("a").c_str(), O_RDONLY);
    CHILD_EXPECT(fd >= 0);
    const int other = ::open(Sealed("a").c_str(), O_RDONLY);
    void* data = ::mmap(nullptr, bytes.size(), PROT_READ, MAP_SHARED, other, 0);
    CHILD_EXPECT(data != MAP_FAILED);
    ::close(other);
    char byte = 0;
    CHILD_EXPECT(::write(ready[1], "r", 1) == 1);
    CHILD_EXPECT(::read(go[0], &byte, 1) == 1);
    CHILD_EXPECT(std::memcmp(data, bytes.data(), bytes.size()) == 0);
    struct stat info;
    CHILD_EXPECT(::fstat(fd, &info) == 0);
    CHILD_EXPECT(info.st_nlink == 0);
    CHILD_EXPECT(info.st_size == static_cast<off_t>(bytes.size()));
    std::string got(bytes.size(), '\0');
    CHILD_EXPECT(::pread(fd, got.data(), got.size(), 0) ==
                 static_cast<ssize_t>(got.size()));
    CHILD_EXPECT(got == bytes);
  });
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(::unlink(Sealed("a").c_str()), 0);
  Put("a", Pattern(3 << 20, 2));  // The name is free again.
  ASSERT_EQ(::write(go[1], "g", 1), 1);
  EXPECT_TRUE(ChildSucceeded(child));
  for (const int fd : {ready[0], ready[1], go[0], go[1]}) ::close(fd);
}

TEST_P(PosixTableTest, NamesHaveUpTo255Bytes) {
  const std::string longest(255, 'n');
  Put(longest, "x");
  EXPECT_EQ(ReadFile(Sealed(longest)), "x");
  const std::string longer(256, 'n');
  EXPECT_EQ(ErrnoOf(::open(Unsealed(longer).c_str(), O_WRONLY | O_CREAT, 0644)),
            ENAMETOOLONG);
  EXPECT_EQ(ErrnoOf(::open(Sealed(longer).c_str(), O_RDONLY)), ENAMETOOLONG);
  Put("\xff\xfe odd\nname", "y");
  EXPECT_EQ(ReadFile(Sealed("\xff\xfe odd\nname")), "y");
}

TEST_P(PosixTableTest, EveryWayOfReadingGivesTheBytes) {
  const std::string bytes = Pattern(2'500'000);
  Put("a", bytes);
  EXPECT_TRUE(HasBytes(Sealed("a"), bytes));
  const UniqueFd fd(::open(Sealed("a").c_str(), O_RDONLY));
  ASSERT_TRUE(fd.valid());
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_END), 2'500'000);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_DATA), 0);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_HOLE), 2'500'000);
  std::string part(1000, '\0');
  EXPECT_EQ(::pread(fd.get(), part.data(), 1000, 2'499'500), 500);
  EXPECT_EQ(part.substr(0, 500), bytes.substr(2'499'500));
  EXPECT_EQ(::pread(fd.get(), part.data(), 1000, 3'000'000), 0);
  const UniqueFd copy(::open("/tmp", O_TMPFILE | O_RDWR, 0600));
  off_t offset = 0;
  while (offset < 2'500'000) {
    ASSERT_GT(::sendfile(copy.get(), fd.get(), &offset, 1 << 20), 0);
  }
  std::string sent(bytes.size(), '\0');
  ASSERT_EQ(::pread(copy.get(), sent.data(), sent.size(), 0), 2'500'000);
  EXPECT_EQ(sent, bytes);
}

TEST_P(PosixTableTest, CopyFileRangeGoesFromSealedToUnsealed) {
  const std::string bytes = Pattern(1'500'000);
  Put("a", bytes);
  const UniqueFd from(::open(Sealed("a").c_str(), O_RDONLY));
  {
    const UniqueFd to(::open(Unsealed("b").c_str(), O_RDWR | O_CREAT, 0644));
    ASSERT_TRUE(from.valid() && to.valid());
    size_t left = bytes.size();
    while (left > 0) {
      const ssize_t size =
          ::copy_file_range(from.get(), nullptr, to.get(), nullptr, left, 0);
      ASSERT_GT(size, 0) << std::strerror(errno);
      left -= static_cast<size_t>(size);
    }
  }
  EXPECT_TRUE(HasBytes(Unsealed("b"), bytes));
}

TEST_P(PosixTableTest, WritingExtendsAppendsAndLeavesHoles) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "0123456789"));
  ASSERT_TRUE(WriteFile(Unsealed("a"), "ab", O_WRONLY | O_APPEND));
  ASSERT_TRUE(WriteFile(Unsealed("a"), "X", O_WRONLY));
  EXPECT_EQ(ReadFile(Unsealed("a")), "X123456789ab");
  {
    const UniqueFd fd(::open(Unsealed("a").c_str(), O_RDWR));
    ASSERT_EQ(::pwrite(fd.get(), "end", 3, 100'000), 3);
    struct stat info;
    ASSERT_EQ(::fstat(fd.get(), &info), 0);
    EXPECT_EQ(info.st_size, 100'003);
  }
  const std::string bytes = ReadFile(Unsealed("a"));
  ASSERT_EQ(bytes.size(), 100'003u);
  EXPECT_EQ(bytes.substr(0, 13), std::string("X123456789ab\0", 13));
  EXPECT_EQ(bytes.substr(100'000), "end");
  ASSERT_TRUE(WriteFile(Unsealed("a"), "new"));  // O_TRUNC
  EXPECT_EQ(ReadFile(Unsealed("a")), "new");
}

TEST_P(PosixTableTest, TruncateAndFallocateSetTheSize) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "0123456789"));
  ASSERT_EQ(::truncate(Unsealed("a").c_str(), 4), 0);
  EXPECT_EQ(ReadFile(Unsealed("a")), "0123");
  ASSERT_EQ(::truncate(Unsealed("a").c_str(), 8), 0);
  EXPECT_EQ(ReadFile(Unsealed("a")), std::string("0123\0\0\0\0", 8));
  {
    const UniqueFd fd(::open(Unsealed("a").c_str(), O_RDWR));
    EXPECT_EQ(::fallocate(fd.get(), 0, 0, 20'000), 0);
    struct stat info;
    ASSERT_EQ(::fstat(fd.get(), &info), 0);
    EXPECT_EQ(info.st_size, 20'000);
    EXPECT_EQ(::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, 1 << 20), 0);
    ASSERT_EQ(::fstat(fd.get(), &info), 0);
    EXPECT_EQ(info.st_size, 20'000);
    EXPECT_EQ(ErrnoOf(::fallocate(
                  fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10)),
              EOPNOTSUPP);
    EXPECT_EQ(::posix_fallocate(fd.get(), 0, 30'000), 0);
    ASSERT_EQ(::ftruncate(fd.get(), 3), 0);
  }
  EXPECT_EQ(ReadFile(Unsealed("a")), "012");
  EXPECT_EQ(ErrnoOf(::truncate(Unsealed("a").c_str(), 1LL << 50)), ENOSPC);
}

TEST_P(PosixTableTest, SharedWritableMappingsReachTheObject) {
  const std::string bytes = Pattern(5 << 20);
  EXPECT_TRUE(InChild([&] {
    const int fd = ::open(Unsealed("a").c_str(), O_RDWR | O_CREAT, 0644);
    CHILD_EXPECT(fd >= 0);
    CHILD_EXPECT(::ftruncate(fd, 5 << 20) == 0);
    void* data = ::mmap(nullptr, bytes.size(), PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, 0);
    CHILD_EXPECT(data != MAP_FAILED);
    ::close(fd);
    std::memcpy(data, bytes.data(), bytes.size());
    CHILD_EXPECT(::munmap(data, bytes.size()) == 0);
    CHILD_EXPECT(::rename(Unsealed("a").c_str(), Sealed("a").c_str()) == 0);
  }));
  EXPECT_TRUE(HasBytes(Sealed("a"), bytes));
  EXPECT_TRUE(HasBytes(Direct("a"), bytes));
}

TEST_P(PosixTableTest, ModesOwnersAndTimesOfUnsealedObjectsCanBeSet) {
  const mode_t before = ::umask(027);
  ASSERT_TRUE(WriteFile(Unsealed("a"), "x", O_WRONLY | O_CREAT, 0666));
  ::umask(before);
  struct stat info;
  ASSERT_EQ(::stat(Unsealed("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode, static_cast<mode_t>(S_IFREG | 0640));
  EXPECT_EQ(info.st_uid, ::getuid());
  ASSERT_EQ(::chmod(Unsealed("a").c_str(), 0604), 0);
  ASSERT_EQ(::chown(Unsealed("a").c_str(), 12, 34), 0);
  const timespec times[2] = {{1, 2}, {1'000'000'000, 5}};
  ASSERT_EQ(::utimensat(AT_FDCWD, Unsealed("a").c_str(), times, 0), 0);
  for (const std::string& path : {Unsealed("a"), Sealed("a")}) {
    ::rename(Unsealed("a").c_str(), path.c_str());
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode, static_cast<mode_t>(S_IFREG | 0604));
    EXPECT_EQ(info.st_uid, 12u);
    EXPECT_EQ(info.st_gid, 34u);
    EXPECT_EQ(info.st_mtim.tv_sec, 1'000'000'000);
    EXPECT_EQ(info.st_mtim.tv_nsec, 5);
    EXPECT_EQ(info.st_size, 1);
  }
}

TEST_P(PosixTableTest, TheSealKeepsTheInode) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "x"));
  struct stat before;
  struct stat after;
  ASSERT_EQ(::stat(Unsealed("a").c_str(), &before), 0);
  ASSERT_EQ(::rename(Unsealed("a").c_str(), Sealed("a").c_str()), 0);
  ASSERT_EQ(::stat(Sealed("a").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_P(PosixTableTest, StatfsTellsCapacityAndUse) {
  struct statvfs before;
  ASSERT_EQ(::statvfs(Root().c_str(), &before), 0);
  EXPECT_EQ(before.f_blocks * before.f_frsize, uint64_t{512} << 20);
  EXPECT_EQ(before.f_namemax, 255u);
  Put("a", std::string(8 << 20, 'x'));
  EXPECT_TRUE(Eventually([&] {
    struct statvfs after;
    return ::statvfs(Root().c_str(), &after) == 0 &&
           (before.f_bfree - after.f_bfree) * after.f_frsize >= 8 << 20;
  }));
}

TEST_P(PosixTableTest, LocksAndSyncWorkAsAnywhere) {
  Put("a", "x");
  const UniqueFd one(::open(Sealed("a").c_str(), O_RDONLY));
  const UniqueFd two(::open(Sealed("a").c_str(), O_RDONLY));
  EXPECT_EQ(::flock(one.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(ErrnoOf(::flock(two.get(), LOCK_EX | LOCK_NB)), EWOULDBLOCK);
  EXPECT_EQ(::flock(one.get(), LOCK_UN), 0);
  EXPECT_EQ(::flock(two.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(::fsync(one.get()), 0);
  EXPECT_EQ(::fdatasync(one.get()), 0);
  const UniqueFd dir(::open(Root().c_str(), O_RDONLY | O_DIRECTORY));
  EXPECT_EQ(::fsync(dir.get()), 0);
}

TEST_P(PosixTableTest, RootHasItsDirectories) {
  std::set<std::string> names;
  DIR* dir = ::opendir(Root().c_str());
  ASSERT_NE(dir, nullptr);
  while (const dirent* entry = ::readdir(dir)) names.insert(entry->d_name);
  ::closedir(dir);
  EXPECT_EQ(names, (std::set<std::string>{".", "..", ".vitrine", "direct",
                                          "sealed", "unsealed", "wait"}));
  struct stat info;
  ASSERT_EQ(::stat((Root() + "/unsealed").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode, static_cast<mode_t>(S_IFDIR | 01777));
}

TEST_P(PosixTableTest, StatusIsJson) {
  Put("a", "x");
  const auto status =
      nlohmann::json::parse(ReadFile(Root() + "/.vitrine/status"));
  EXPECT_TRUE(status.is_object());
  EXPECT_FALSE(status.empty());
  EXPECT_EQ(ErrnoOf(::open((Root() + "/.vitrine/status").c_str(), O_WRONLY)),
            EPERM);
}

TEST_P(PosixTableTest, DirectLinksLeadToTheMemory) {
  const std::string bytes = Pattern(100'000);
  Put("a", bytes);
  char target[4096];
  const ssize_t size = ::readlink(Direct("a").c_str(), target, sizeof(target));
  ASSERT_GT(size, 0);
  EXPECT_TRUE(std::string(target, static_cast<size_t>(size))
                  .starts_with(memory_dir_.path()));
  EXPECT_TRUE(HasBytes(Direct("a"), bytes));
  EXPECT_EQ(ErrnoOf(::readlink(Direct("none").c_str(), target, 10)), ENOENT);
}

INSTANTIATE_BOTH_MODES(PosixTableTest);

}  // namespace
}  // namespace vitrine::fusefs
