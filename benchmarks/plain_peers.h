// What one would use without a store: files that are mapped, plain memory, a
// futex.  They show what the machine gives.
#ifndef VITRINE_BENCHMARKS_PLAIN_PEERS_H_
#define VITRINE_BENCHMARKS_PLAIN_PEERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vitrine {

// Owns a mapping of memory; may be empty.
class Memory {
 public:
  Memory() = default;
  // A `fd` of -1: memory of no file.
  Memory(int fd, size_t size_bytes, int protection);
  Memory(Memory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  Memory& operator=(Memory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
  }
  ~Memory();

  std::span<std::byte> bytes() const { return {data_, size_bytes_}; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

// Files in a directory of a tmpfs; sealed by a rename.  `address`: the
// directory.
class FilePeer {
 public:
  using Id = std::string;
  using Held = Memory;
  struct Pending {
    Id id;
    Memory memory;
  };
  static constexpr size_t kMaxOneCallPutBytes = size_t{1} << 40;

  explicit FilePeer(const std::string& address) : directory_(address + "/") {}

  static Id MakeId(uint64_t number) {
    return "benchmark-" + std::to_string(number);
  }
  // By write(2).
  void Put(const Id& id, std::span<const std::byte> bytes);
  Pending Create(const Id& id, size_t size_bytes);
  static std::span<std::byte> Bytes(Pending& pending) {
    return pending.memory.bytes();
  }
  void Seal(Pending& pending);
  Held Get(const Id& id);
  void GetMany(std::span<const Id> ids, std::vector<Held>* many);
  static std::span<const std::byte> View(const Held& held) {
    return held.bytes();
  }
  void Delete(std::span<const Id> ids);

 private:
  std::string directory_;
};

// POSIX shared memory, used as Python's multiprocessing.shared_memory does:
// nothing says when an object is ready.  `address` is not used.
class ShmPeer {
 public:
  using Id = std::string;
  using Held = Memory;
  using Pending = Memory;

  explicit ShmPeer(const std::string& address) { (void)address; }

  static Id MakeId(uint64_t number) {
    return "/vitrine-benchmark-" + std::to_string(number);
  }
  Pending Create(const Id& id, size_t size_bytes);
  static std::span<std::byte> Bytes(Pending& pending) {
    return pending.bytes();
  }
  void Seal(Pending& pending) { pending = Memory(); }
  Held Get(const Id& id);
  void GetMany(std::span<const Id> ids, std::vector<Held>* many);
  static std::span<const std::byte> View(const Held& held) {
    return held.bytes();
  }
  void Delete(std::span<const Id> ids);
};

// Memory of this process: new in the first round, warm in the others.
class MemcpyPeer {
 public:
  using Id = uint64_t;
  using Pending = Memory;

  explicit MemcpyPeer(const std::string& address) { (void)address; }

  static Id MakeId(uint64_t number) { return number; }
  Pending Create(const Id& id, size_t size_bytes);
  static std::span<std::byte> Bytes(Pending& pending) {
    return pending.bytes();
  }
  void Seal(Pending& pending) { sealed_.push_back(std::move(pending)); }
  // The oldest, whatever their ids.
  void Delete(std::span<const Id> ids);

 private:
  std::vector<Memory> sealed_;
  std::vector<Memory> free_;  // All of one size.
};

// Not a store: a word that one process sets and wakes, and the other waits
// for.  The least that any hand-over through the kernel costs.  `address`: a
// directory for the word's file.
class FutexPeer {
 public:
  using Id = uint32_t;
  using Pending = uint32_t;

  explicit FutexPeer(const std::string& address);

  static Id MakeId(uint64_t number) { return static_cast<Id>(number); }
  Pending Create(const Id& id, size_t /*size_bytes*/) { return id; }
  void Seal(Pending& pending);
  bool WaitFor(const Id& id, int64_t timeout_ms);

 private:
  std::atomic<uint32_t>& word() const {
    return *reinterpret_cast<std::atomic<uint32_t>*>(memory_.bytes().data());
  }
  Memory memory_;
};

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_PLAIN_PEERS_H_
