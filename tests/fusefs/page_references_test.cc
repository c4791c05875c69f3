// What pipes and sockets have of an object stays its bytes, whatever becomes of
// its memory: references to pages are invisible to leases.
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "store/segments/segment_calls.h"
#include "tests/fusefs/mounted_store.h"
#include "tests/store/store_calls.h"

namespace vitrine::fusefs {
namespace {

constexpr size_t kBytes = 4 << 20;
constexpr size_t kSentBytes = 32 << 10;  // A pipe holds twice as much.

class PageReferencesTest : public BothModes {
 protected:
  // As native clients do.
  void PutNatively(const std::string& id, char byte, size_t size = kBytes) {
    store::Answer<ObjectRef> created;
    store_->memory().CreateSized(*ObjectId::FromText(id), size, {.mode = 0644},
                                 {}, created.callback());
    const auto object = created.Get();
    ASSERT_TRUE(object) << object.error().ToString();
    {
      const auto fd = store_->unsealed().OpenForWriting(*object, kStoreItself);
      ASSERT_TRUE(fd) << fd.error().ToString();
      const std::string bytes(size, byte);
      ASSERT_EQ(::pwrite(fd->get(), bytes.data(), size, 0),
                static_cast<ssize_t>(size));
    }
    ASSERT_TRUE(SealNow(store_.get(), *object, *ObjectId::FromText(id)));
  }

  // Deletes `id`, and waits until its memory is there for others.
  void Delete(const std::string& id) {
    const ObjectRef object = FindSealed(id);
    ASSERT_TRUE(object);
    ASSERT_TRUE(store_->sealed().Delete(object, {}));
    ASSERT_TRUE(Eventually(
        [this] { return store_->facts().GetUsage().used_bytes == 0; }));
  }

  uint64_t Reused() { return store_->facts().StatusJson()["pool"]["reused"]; }

  static std::string Receive(int fd) {
    std::string bytes(kSentBytes, '\0');
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t size = ::read(fd, &bytes[done], bytes.size() - done);
      if (size <= 0) break;
      done += static_cast<size_t>(size);
    }
    bytes.resize(done);
    return bytes;
  }
};

TEST_P(PageReferencesTest, WhatWasSplicedStaysAfterTheObjectIsGone) {
  PutNatively("a", 'A');
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  {
    const UniqueFd file(::open(Sealed("a").c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(file.valid());
    ASSERT_EQ(::splice(file.get(), nullptr, in.get(), nullptr, kSentBytes, 0),
              static_cast<ssize_t>(kSentBytes));
  }
  Delete("a");
  PutNatively("b", 'B');
  EXPECT_EQ(Reused(), 0u);
  EXPECT_EQ(Receive(out.get()), std::string(kSentBytes, 'A'));
}

TEST_P(PageReferencesTest, WhatWasSentStaysAfterTheObjectIsGone) {
  PutNatively("a", 'A');
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  {
    const UniqueFd file(::open(Sealed("a").c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(file.valid());
    ASSERT_EQ(::sendfile(in.get(), file.get(), nullptr, kSentBytes),
              static_cast<ssize_t>(kSentBytes));
  }
  Delete("a");
  PutNatively("b", 'B');
  EXPECT_EQ(Receive(out.get()), std::string(kSentBytes, 'A'));
}

TEST_P(PageReferencesTest, AWritersPagesAreNotRecycledEither) {
  Put("a", std::string(kBytes, 'A'));
  Delete("a");
  PutNatively("b", 'B');
  EXPECT_EQ(Reused(), 0u);
}

// The kernel has only copies of bytes in a slab.
TEST_P(PageReferencesTest, SlabsAreReadByCopy) {
  const std::string bytes(kSentBytes, 'A');
  const SmallObject object{*ObjectId::FromText("a"), 0644,
                           std::as_bytes(std::span(bytes))};
  store::Answer<void> room;
  store_->small().AddRoom({}, room.callback());
  ASSERT_TRUE(room.Get());
  std::vector<Status> results;
  store_->small().PutSmall({}, {&object, 1}, &results);
  ASSERT_EQ(results.size(), 1u);
  ASSERT_TRUE(results[0]);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  const ObjectRef found = FindSealed("a");
  {
    const UniqueFd file(::open(Sealed("a").c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(file.valid());
    ASSERT_EQ(::splice(file.get(), nullptr, in.get(), nullptr, kSentBytes, 0),
              static_cast<ssize_t>(kSentBytes));
    // The slab itself is overwritten under the reader.
    const ObjectInfo info = store_->objects().Info(found);
    const std::string path =
        memory_dir_.path() + "/segments/" + store::SegmentName(info.segment());
    const UniqueFd slab(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(slab.valid()) << path << ": " << std::strerror(errno);
    const std::string other(kSentBytes, 'B');
    ASSERT_EQ(::pwrite(slab.get(), other.data(), other.size(),
                       static_cast<off_t>(info.offset_bytes)),
              static_cast<ssize_t>(other.size()));
  }
  EXPECT_EQ(Receive(out.get()), bytes);
}

INSTANTIATE_BOTH_MODES(PageReferencesTest);

}  // namespace
}  // namespace vitrine::fusefs
