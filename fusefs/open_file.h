// One open description of an object, as OPEN made it and RELEASE ends it.
#ifndef VITRINE_FUSEFS_OPEN_FILE_H_
#define VITRINE_FUSEFS_OPEN_FILE_H_

#include <vitrine/result.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "fusefs/open_objects.h"
#include "schema/base/mutex.h"
#include "schema/base/unique_fd.h"
#include "store/store.h"

namespace vitrine {

// Holds the object open, and tells the store when a writer ends.  Thread-safe.
// The store must outlive it.
class OpenFile {
 public:
  // A file whose whole content is `text`.
  explicit OpenFile(std::string text) : text_(std::move(text)) {}
  // kNotPermitted: a writer of a sealed object.  kNotFound: gone.
  static Result<std::shared_ptr<OpenFile>> Open(
      Store* store, std::shared_ptr<OpenObjects> objects,
      const ObjectRef& object, uint64_t number, bool writes);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  // Null: a file of text.
  const ObjectRef& object() const { return object_; }
  const std::string& text() const { return text_; }
  const std::shared_ptr<SegmentFile>& segment() const {
    return opened_.segment;
  }
  int32_t backing_id() const { return opened_.backing_id; }
  bool writes() const { return write_mode_.has_value(); }
  bool carried() const { return write_mode_ == WriteMode::kCarried; }

  // Writes all of `data`, whose range is reserved.  The writable description
  // that this needs is kept: a file that is open for writing cannot be sealed
  // anyway.
  Status WriteAt(uint64_t offset_bytes, std::span<const std::byte> data)
      EXCLUDES(mutex_);
  // Where O_APPEND writes to.
  uint64_t EndOffset() const { return store_->Info(object_).size_bytes; }

  // Did a signal kill the last process that closed it?
  std::atomic<bool> closed_by_killed = false;

 private:
  OpenFile(Store* store, std::shared_ptr<OpenObjects> objects,
           const ObjectRef& object, uint64_t number)
      : store_(store),
        objects_(std::move(objects)),
        object_(object),
        number_(number) {}

  Result<int> WritableFd() EXCLUDES(mutex_);

  Store* const store_ = nullptr;
  const std::shared_ptr<OpenObjects> objects_;
  const ObjectRef object_;
  const uint64_t number_ = 0;
  const std::string text_;
  // Set before anybody else sees it.
  OpenObjects::Opened opened_;
  std::optional<WriteMode> write_mode_;

  Mutex mutex_;
  UniqueFd writable_ GUARDED_BY(mutex_);
};

}  // namespace vitrine

#endif  // VITRINE_FUSEFS_OPEN_FILE_H_
