// The state of an Object: a pin, and a reference to a mapped segment.
#ifndef VITRINE_CLIENT_MAPPED_OBJECT_H_
#define VITRINE_CLIENT_MAPPED_OBJECT_H_

#include <vitrine/metadata.h>
#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "client/index/session_stripe.h"
#include "schema/base/mutex.h"

namespace vitrine {

class ClientCore;
class Session;

// Gives pin and reference back when it is destroyed, on any thread.  bytes()
// and GetMetadata() may be called by many threads; the other methods are for
// ClientCore, before it returns the object.
class MappedObject {
 public:
  MappedObject() = default;
  MappedObject(const MappedObject&) = delete;
  MappedObject& operator=(const MappedObject&) = delete;
  ~MappedObject();

  std::span<const std::byte> bytes() const { return bytes_; }
  Result<Metadata> GetMetadata();

  // Takes over `pin` and a reference to `segment`, if any.  The caller has
  // counted the object as in hand in `stripe`.
  void Hold(Session* session, size_t stripe, int pin, LocalSegment* segment) {
    session_ = session;
    segment_ = segment;
    stripe_ = static_cast<uint8_t>(stripe);
    pin_ = static_cast<int16_t>(pin);
  }
  void SetSegment(LocalSegment* segment) { segment_ = segment; }
  // Sets its bytes.  kCorruption: they are not within the segment.
  Status SetBytes(uint64_t offset, uint64_t size_bytes);
  // The object has metadata, to be asked for at the first GetMetadata.
  void SetHasMetadata(ClientCore* core, const std::string& id,
                      uint64_t number) {
    metadata_ = std::make_unique<LazyMetadata>(core, id, number);
  }

  Session* session() const { return session_; }
  size_t stripe() const { return stripe_; }
  LocalSegment* segment() const { return segment_; }

 private:
  class LazyMetadata {
   public:
    LazyMetadata(ClientCore* core, std::string id, uint64_t number)
        : core_(core), id_(std::move(id)), number_(number) {}
    Result<Metadata> Get() EXCLUDES(mutex_);

   private:
    Result<Metadata> Ask();

    ClientCore* const core_;  // Lives as long as the session, hence the object.
    const std::string id_;
    const uint64_t number_;  // Of the object that had the id.

    Mutex mutex_;
    std::optional<Metadata> known_ GUARDED_BY(mutex_);
  };

  std::span<const std::byte> bytes_;
  Session* session_ = nullptr;
  LocalSegment* segment_ = nullptr;
  std::unique_ptr<LazyMetadata> metadata_;
  int16_t pin_ = SessionStripe::kNoPin;
  uint8_t stripe_ = 0;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_MAPPED_OBJECT_H_
