#include "store/tiers/spill_io.h"

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

namespace vitrine::store {
namespace {

// Enough for the head of one object.
constexpr uint64_t kFirstReadBytes = 4096;
// A log of a hundred million deletions.
constexpr uint64_t kMostSmallBytes = uint64_t{1} << 30;

bool MayPass(Code code) {
  return code == Code::kUnavailable || code == Code::kDisconnected ||
         code == Code::kTimeout || code == Code::kTooMany ||
         code == Code::kIoError;
}

void PauseAbout(std::chrono::milliseconds pause) {
  thread_local std::minstd_rand random(std::random_device{}());
  std::uniform_real_distribution<double> part(0.5, 1.5);
  std::this_thread::sleep_for(pause * part(random));
}

uint64_t NanosecondsSince(std::chrono::steady_clock::time_point start) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::steady_clock::now() - start)
          .count());
}

}  // namespace

Status SpillIo::Try(const HandlePool::Use& use) {
  std::chrono::milliseconds pause = retries_.first_pause;
  Status done = handles_.With(use);
  for (int tries = 1; tries < retries_.most_tries; ++tries) {
    if (done || !MayPass(done.error().code)) break;
    NoteTried(done);
    PauseAbout(pause);
    pause *= 4;
    done = handles_.With(use);
  }
  NoteDone(done);
  return done;
}

// A value that is not there may have been copied to another one just now.
void SpillIo::NoteDone(const Status& done) {
  MutexLock lock(mutex_);
  const bool failed = !done && done.error().code != Code::kNotFound;
  numbers_.failing = failed;
  if (!failed) return;
  ++numbers_.failures;
  numbers_.last_error = done.error().ToString();
}

void SpillIo::NoteTried(const Status& status) {
  MutexLock lock(mutex_);
  ++numbers_.retries;
  numbers_.last_error = status.error().ToString();
}

void SpillIo::NotePut(uint64_t bytes, uint64_t ns) {
  MutexLock lock(mutex_);
  ++numbers_.puts;
  numbers_.put_bytes += bytes;
  numbers_.put_ns += ns;
}

void SpillIo::NoteGot(uint64_t bytes, uint64_t ns) {
  MutexLock lock(mutex_);
  ++numbers_.gets;
  numbers_.got_bytes += bytes;
  numbers_.get_ns += ns;
}

Status SpillIo::Put(const SpillValue& value) {
  const auto start = std::chrono::steady_clock::now();
  const std::string name = SpillName(value.head().sequence);
  const auto parts = value.Parts();
  Status put = Try([&name, &parts](ExternalStoreHandle* handle) {
    return handle->Put(name, parts);
  });
  if (put) NotePut(value.head().value_bytes, NanosecondsSince(start));
  return put;
}

Status SpillIo::Get(uint64_t sequence, uint64_t offset_bytes,
                    std::span<std::byte> bytes) {
  const auto start = std::chrono::steady_clock::now();
  const std::string name = SpillName(sequence);
  Status got = Try([&](ExternalStoreHandle* handle) {
    return handle->Get(name, offset_bytes, bytes);
  });
  if (got) NoteGot(bytes.size(), NanosecondsSince(start));
  return got;
}

Status SpillIo::Delete(std::span<const uint64_t> sequences) {
  std::vector<std::string> names;
  for (const uint64_t sequence : sequences) {
    names.push_back(SpillName(sequence));
  }
  return Try(
      [&names](ExternalStoreHandle* handle) { return handle->Delete(names); });
}

Result<std::vector<SpillIo::Listed>> SpillIo::List() {
  std::vector<Listed> listed;
  const Status done = Try([&listed](ExternalStoreHandle* handle) {
    listed.clear();
    return handle->List([&listed](std::string_view name, uint64_t size_bytes) {
      const auto sequence = SequenceOf(name);
      if (sequence) listed.push_back({*sequence, size_bytes});
    });
  });
  if (!done) return done.error();
  return listed;
}

Status SpillIo::PutSmall(const std::string& name, const std::string& value) {
  const ExternalStoreHandle::Part part = std::as_bytes(std::span(value));
  return Try([&name, &part](ExternalStoreHandle* handle) {
    return handle->Put(name, {&part, 1});
  });
}

Result<std::string> SpillIo::GetSmall(const std::string& name,
                                      uint64_t size_bytes) {
  if (size_bytes > kMostSmallBytes) {
    return Error{Code::kCorruption, name + " is too large"};
  }
  std::string value(size_bytes, '\0');
  const Status got = Try([&](ExternalStoreHandle* handle) {
    return handle->Get(name, 0, std::as_writable_bytes(std::span(value)));
  });
  if (!got) return got.error();
  return value;
}

Status SpillIo::DeleteSmall(const std::vector<std::string>& names) {
  if (names.empty()) return Status();
  return Try(
      [&names](ExternalStoreHandle* handle) { return handle->Delete(names); });
}

Result<SpillIo::SmallValues> SpillIo::ListSmall(std::string_view prefix) {
  SmallValues listed;
  const Status done = Try([&](ExternalStoreHandle* handle) {
    listed.clear();
    return handle->List([&](std::string_view name, uint64_t size_bytes) {
      if (name.starts_with(prefix)) listed.emplace_back(name, size_bytes);
    });
  });
  if (!done) return done.error();
  return listed;
}

Status SpillIo::Extend(const Listed& value, uint64_t wanted,
                       std::string* head) {
  const size_t had = head->size();
  if (wanted <= had) {
    head->resize(wanted);
    return Status();
  }
  head->resize(wanted);
  return Get(value.sequence, had,
             std::as_writable_bytes(std::span(*head)).subspan(had));
}

Result<SpillHead> SpillIo::ReadHead(const Listed& value) {
  std::string bytes;
  Status got =
      Extend(value, std::min(value.size_bytes, kFirstReadBytes), &bytes);
  if (!got) return got.error();
  const auto size = ReadSpillHeadSize(bytes);
  if (!size) return size.error();
  if (*size > value.size_bytes) {
    return Error{Code::kCorruption, "spilled value: it was cut"};
  }
  got = Extend(value, *size, &bytes);
  if (!got) return got.error();
  auto head = DecodeSpillHead(bytes, value.size_bytes);
  if (head && head->sequence != value.sequence) {
    return Error{Code::kCorruption, "spilled value: it has another's name"};
  }
  return head;
}

SpillIo::Numbers SpillIo::Count() const {
  MutexLock lock(mutex_);
  return numbers_;
}

}  // namespace vitrine::store
