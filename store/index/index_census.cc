#include "store/index/index_census.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "schema/base/unique_fd.h"
#include "schema/index_layout.h"

namespace vitrine::store {
namespace {

constexpr size_t kBucketsAtOnce = 4096;

void AddObjectsOf(const IndexBucket& bucket,
                  std::vector<CountedObject>* objects) {
  for (size_t i = 0; i < kEntriesPerBucket; ++i) {
    const SlotState state = SlotStateOf(bucket.words[i]);
    if (state != SlotState::kSealed && state != SlotState::kEvicting &&
        state != SlotState::kElsewhere) {
      continue;
    }
    const IndexEntry& entry = bucket.entries[i];
    objects->push_back({entry.number, entry.size_bytes});
  }
}

Status ReadBuckets(int fd, off_t begin, off_t end,
                   std::vector<CountedObject>* objects) {
  std::vector<IndexBucket> buckets(kBucketsAtOnce);
  while (begin < end) {
    const auto wanted =
        std::min<uint64_t>(static_cast<uint64_t>(end - begin),
                           kBucketsAtOnce * sizeof(IndexBucket));
    const ssize_t got = ::pread(fd, buckets.data(), wanted, begin);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError("read the index", errno);
    const size_t whole = static_cast<size_t>(got) / sizeof(IndexBucket);
    if (whole == 0) break;
    for (size_t i = 0; i < whole; ++i) AddObjectsOf(buckets[i], objects);
    begin += static_cast<off_t>(whole * sizeof(IndexBucket));
  }
  return Status();
}

// Most of the file is holes: a mapping would fill those that are looked at.
Status ReadAllBuckets(int fd, off_t begin,
                      std::vector<CountedObject>* objects) {
  for (;;) {
    const off_t data = ::lseek(fd, begin, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return Status();
    if (data < 0) return ErrnoError("look through the index", errno);
    const off_t hole = ::lseek(fd, data, SEEK_HOLE);
    if (hole < 0) return ErrnoError("look through the index", errno);
    if (Status read = ReadBuckets(fd, data, hole, objects); !read) return read;
    begin = hole;
  }
}

// Where the buckets of an index begin; none: it is no index of this version.
std::optional<off_t> BucketsOffset(int fd) {
  IndexHeader header{};
  const bool known = ::pread(fd, &header, sizeof(header), 0) ==
                         static_cast<ssize_t>(sizeof(header)) &&
                     header.magic == kIndexMagic &&
                     header.version == kIndexVersion &&
                     header.buckets_offset % alignof(IndexBucket) == 0;
  if (!known) return std::nullopt;
  return static_cast<off_t>(header.buckets_offset);
}

// An object that was being moved is in two places.
void KeepEachOnce(std::vector<CountedObject>* objects) {
  std::sort(objects->begin(), objects->end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  const auto last = std::unique(
      objects->begin(), objects->end(),
      [](const auto& a, const auto& b) { return a.number == b.number; });
  objects->erase(last, objects->end());
}

}  // namespace

Result<std::vector<CountedObject>> TakeCensus(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) {
    if (errno == ENOENT) return std::vector<CountedObject>();
    return ErrnoError("open " + path, errno);
  }
  std::vector<CountedObject> objects;
  const auto begin = BucketsOffset(fd.get());
  if (!begin) return objects;
  Status read = ReadAllBuckets(fd.get(), *begin, &objects);
  if (!read) return read.error();
  KeepEachOnce(&objects);
  return objects;
}

}  // namespace vitrine::store
