// One open description of an object, as OPEN made it and RELEASE ends it.
#ifndef VITRINE_FUSEFS_FILES_OPEN_FILE_H_
#define VITRINE_FUSEFS_FILES_OPEN_FILE_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "fusefs/base/store_names.h"
#include "fusefs/files/open_objects.h"
#include "schema/base/mutex.h"
#include "schema/base/unique_fd.h"

namespace vitrine::fusefs {

// Holds the object open, and tells the store when a writer ends.  Thread-safe.
// The store must outlive it.
class OpenFile {
 public:
  // What was charged for the file, to be given back with it.
  using Charges = std::vector<std::shared_ptr<const void>>;
  // A file whose whole content is `text`.
  OpenFile(std::string text, Charges charges)
      : text_(std::move(text)), charges_(std::move(charges)) {}
  struct Use {
    bool writes = false;
    bool creates = false;  // The object was made for this open.
    Payer opener = {};
  };
  // kNotPermitted: a writer of a sealed object.  kNotFound: gone.
  // kOverQuota, kTooMany: see OpenObjects::Acquire.
  static Result<std::shared_ptr<OpenFile>> Open(
      Store* store, std::shared_ptr<OpenObjects> objects,
      const ObjectRef& object, uint64_t number, const Use& use);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  // Null: a file of text.
  const ObjectRef& object() const { return object_; }
  const std::string& text() const { return text_; }
  const std::shared_ptr<SegmentFile>& segment() const {
    return opened_.segment;
  }
  const Payer& opener() const { return opener_; }
  int32_t backing_id() const { return opened_.backing_id; }
  bool writes() const { return write_mode_.has_value(); }
  bool carried() const { return write_mode_ == WriteMode::kCarried; }

  // Writes all of `data`, whose range is reserved.  Keeps the writable
  // descriptor that it needs: a file that is open for writing cannot be sealed
  // anyway.
  Status WriteAt(uint64_t offset_bytes, std::span<const std::byte> data)
      EXCLUDES(mutex_);
  // The offset at which O_APPEND writes.
  uint64_t EndOffset() const {
    return store_->objects().Info(object_).size_bytes;
  }

  // A process has closed the file.  `by_killed`: a signal killed the process.
  void NoteClosed(bool by_killed) EXCLUDES(mutex_);
  // The kernel has released the file.  True: its writer was killed half-way,
  // and the object has no other writer.
  bool EndsHalfWritten() EXCLUDES(mutex_);

 private:
  OpenFile(Store* store, std::shared_ptr<OpenObjects> objects,
           const ObjectRef& object, uint64_t number, const Payer& opener)
      : store_(store),
        objects_(std::move(objects)),
        object_(object),
        number_(number),
        opener_(opener) {}

  Result<int> WritableFd() EXCLUDES(mutex_);
  void StopWriting() EXCLUDES(mutex_);

  Store* const store_ = nullptr;
  const std::shared_ptr<OpenObjects> objects_;
  const ObjectRef object_;
  const uint64_t number_ = 0;
  const Payer opener_ = {};
  const std::string text_;
  const Charges charges_;  // For `text_`.
  // Set before other threads can see the file.
  OpenObjects::Opened opened_;
  std::optional<WriteMode> write_mode_;

  Mutex mutex_;
  UniqueFd writable_ GUARDED_BY(mutex_);  // Charged to the opener.
  // The extent of the finished content: at the open, or when a process last
  // closed the file normally.  If a process that inherited the description is
  // killed later, and the extent is still the same, nothing is half-written.
  std::optional<SegmentFile::Extent> finished_ GUARDED_BY(mutex_);
  bool half_written_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;   // At least once.
  bool counted_ GUARDED_BY(mutex_) = false;  // Among the object's writers.
  // When counted_ became false.
  uint32_t other_writers_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_OPEN_FILE_H_
