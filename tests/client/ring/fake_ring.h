// A submission ring whose store's side is played by a test.
#ifndef VITRINE_TESTS_CLIENT_RING_FAKE_RING_H_
#define VITRINE_TESTS_CLIENT_RING_FAKE_RING_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "client/base/fork.h"
#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"
#include "schema/submission_ring.h"

namespace vitrine {

class FakeRing {
 public:
  struct Record {
    std::string id;
    std::string data;
    uint32_t mode;
    int64_t timeout_ms;
  };
  using Judge = std::function<uint32_t(const Record&)>;

  explicit FakeRing(uint64_t bytes = kRingBytes, uint32_t first_record = 0)
      : bytes_(bytes) {
    const uint64_t file_bytes = RingFileBytes(bytes);
    file_ = UniqueFd(::memfd_create("ring", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(file_.get(), static_cast<off_t>(file_bytes)), 0);
    mapping_ = *Mapping::Map(file_.get(), file_bytes, PROT_READ | PROT_WRITE);
    ring().answered = first_record;
    bell_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  }
  FakeRing(const FakeRing&) = delete;
  FakeRing& operator=(const FakeRing&) = delete;
  ~FakeRing() { Stop(); }

  int file() const { return file_.get(); }
  int bell() const { return bell_.get(); }
  SubmissionRing& ring() const {
    return *reinterpret_cast<SubmissionRing*>(mapping_.data());
  }
  PrivateFd NewFile() const { return Copy(file()); }
  PrivateFd NewBell() const { return Copy(bell()); }

  // How often the bell was rung since the last time.
  uint64_t TakeRings() const {
    eventfd_t rings = 0;
    return ::eventfd_read(bell(), &rings) == 0 ? rings : 0;
  }

  // The next record, if there is one.
  std::optional<Record> Next() {
    while (position_ < ring().submitted.load(std::memory_order_acquire)) {
      const std::byte* at = ring().bytes.data() + position_ % bytes_;
      RecordHeader header;
      std::memcpy(&header, at, sizeof(header));
      CheckHeader(header);
      position_ += header.record_bytes;
      if (header.id_bytes == 0) continue;
      const char* text = reinterpret_cast<const char*>(at) + sizeof(header);
      return Record{std::string(text, header.id_bytes),
                    std::string(text + header.id_bytes, header.data_bytes),
                    header.mode, header.timeout_ms};
    }
    return std::nullopt;
  }
  void Answer(uint32_t answer) {
    const uint32_t number = ring().answered.load(std::memory_order_relaxed);
    ring().results[number % kRingResults].store(answer,
                                                std::memory_order_relaxed);
    ring().answered.store(number + 1, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (ring().waiters.load() == 0) return;
    ::syscall(SYS_futex, &ring().answered, FUTEX_WAKE, INT_MAX, nullptr,
              nullptr, 0);
  }

  // A thread answers what `judge` says, and sleeps when there is nothing.
  void Serve(Judge judge) {
    stop_ = false;
    thread_ = std::thread([this, judge = std::move(judge)] { Run(judge); });
  }
  void ServeGladly() {
    Serve([](const Record&) { return kRecordSealed; });
  }
  void Stop() {
    stop_ = true;
    ::eventfd_write(bell(), 1);
    if (thread_.joinable()) thread_.join();
  }

 private:
  static PrivateFd Copy(int fd) {
    return PrivateFd(UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)));
  }

  void CheckHeader(const RecordHeader& header) const {
    ASSERT_GT(header.record_bytes, 0u);
    ASSERT_EQ(header.record_bytes % kRecordAlignment, 0u);
    ASSERT_LE(position_ % bytes_ + header.record_bytes, bytes_);
    if (header.id_bytes == 0) return;
    ASSERT_EQ(
        header.record_bytes,
        RecordBytes(header.id_bytes, header.data_bytes, header.metadata_bytes));
  }

  void Run(const Judge& judge) {
    while (!stop_) {
      const auto record = Next();
      if (record.has_value()) {
        Answer(judge(*record));
        continue;
      }
      ring().store_sleeps.store(1, std::memory_order_seq_cst);
      if (position_ == ring().submitted.load(std::memory_order_seq_cst)) {
        pollfd rings = {bell(), POLLIN, 0};
        ::poll(&rings, 1, -1);
        TakeRings();
      }
      ring().store_sleeps.store(0, std::memory_order_seq_cst);
    }
  }

  const uint64_t bytes_;
  UniqueFd file_;
  Mapping mapping_;
  UniqueFd bell_;
  uint64_t position_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace vitrine

#endif  // VITRINE_TESTS_CLIENT_RING_FAKE_RING_H_
