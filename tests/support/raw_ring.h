// A submission ring in the hands of a client that does what it likes.
#ifndef VITRINE_TESTS_SUPPORT_RAW_RING_H_
#define VITRINE_TESTS_SUPPORT_RAW_RING_H_

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vitrine/result.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"
#include "schema/submission_ring.h"
#include "tests/support/eventually.h"

namespace vitrine {

// The client's end of a submission ring, without any care.
class RawRing {
 public:
  RawRing(UniqueFd ring, UniqueFd bell, uint64_t bytes = kRingBytes)
      : fd_(std::move(ring)),
        bell_(std::move(bell)),
        bytes_(bytes),
        mapping_(*Mapping::Map(fd_.get(), RingFileBytes(bytes),
                               PROT_READ | PROT_WRITE)),
        appended_(this->ring().answered) {}

  SubmissionRing& ring() const {
    return *reinterpret_cast<SubmissionRing*>(mapping_.data());
  }
  int fd() const { return fd_.get(); }
  int bell() const { return bell_.get(); }

  void Write(const RecordHeader& header, const std::string& id,
             const std::string& data, const std::string& metadata = {}) {
    std::byte* place = ring().bytes.data() + end_ % bytes_;
    std::memcpy(place, &header, sizeof(header));
    std::memcpy(place + sizeof(header), id.data(), id.size());
    std::memcpy(place + sizeof(header) + id.size(), data.data(), data.size());
    std::memcpy(place + sizeof(header) + id.size() + data.size(),
                metadata.data(), metadata.size());
    end_ += header.record_bytes;
  }
  void Append(const std::string& id, const std::string& data,
              uint32_t mode = 0644, int64_t timeout_ms = 10'000,
              const std::string& metadata = {}) {
    const auto bytes = static_cast<uint32_t>(
        RecordBytes(id.size(), data.size(), metadata.size()));
    const uint64_t room = bytes_ - end_ % bytes_;
    if (bytes > room) {
      Write({.record_bytes = static_cast<uint32_t>(room)}, "", "");
    }
    Write({bytes, static_cast<uint32_t>(data.size()), mode,
           static_cast<uint16_t>(id.size()),
           static_cast<uint16_t>(metadata.size()), timeout_ms},
          id, data, metadata);
    ++appended_;
  }
  void Submit() { SubmitAs(end_); }
  void SubmitAs(uint64_t end) {
    ring().submitted.store(end);
    if (ring().store_sleeps.load() == 0) return;
    const uint64_t one = 1;
    EXPECT_EQ(::write(bell_.get(), &one, sizeof(one)), 8);
  }
  // The last answer; -1: there is none.
  int64_t LastAnswer() {
    const bool answered =
        Eventually([this] { return ring().answered.load() == appended_; });
    if (!answered) return -1;
    return ring().results[(appended_ - 1) % kRingResults].load();
  }
  int64_t Put(const std::string& id, const std::string& data,
              uint32_t mode = 0644) {
    Append(id, data, mode);
    Submit();
    return LastAnswer();
  }
  void AppendBlank(const std::string& id, const BlankRecord& blank) {
    Append(id,
           std::string(reinterpret_cast<const char*>(&blank), sizeof(blank)),
           kSealsBlank);
  }
  int64_t SealBlank(const std::string& id, const BlankRecord& blank) {
    AppendBlank(id, blank);
    Submit();
    return LastAnswer();
  }

 private:
  UniqueFd fd_;
  UniqueFd bell_;
  uint64_t bytes_;
  Mapping mapping_;
  uint64_t end_ = 0;
  uint32_t appended_;
};

// The answer to a record that failed.
inline int64_t Failed(Code code) {
  return kRecordFailed | static_cast<uint32_t>(code);
}

}  // namespace vitrine

#endif  // VITRINE_TESTS_SUPPORT_RAW_RING_H_
