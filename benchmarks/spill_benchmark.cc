// Put and Get of a tier on a directory against plain files there: the same
// bytes from and to the same memory, by turns.  `ratio` is the plain file's
// time by the tier's: 1 is as fast, more is faster.
//
//   VITRINE_SPILL_DIR=/disk/scratch build/benchmarks/spill_benchmark
//
// Default: /var/tmp.  Files are read from the disk, not from the page cache.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "benchmarks/benchmark_store.h"
#include "benchmarks/die.h"
#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"
#include "store/tiers/spill_tier.h"

namespace vitrine {
namespace {

namespace fs = std::filesystem;
using store::SpillTier;
using store::Tier;

constexpr size_t kMiB = size_t{1} << 20;

std::string ScratchPath() {
  const char* dir = std::getenv("VITRINE_SPILL_DIR");
  std::string path = dir != nullptr ? dir : "/var/tmp";
  path += "/vitrine-spill-benchmark-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) DieOfErrno("mkdtemp");
  return path;
}

class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { fs::remove_all(path_); }
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  const std::string path_ = ScratchPath();
};

// Memory as that of objects, with bytes that nothing can compress.
Mapping MakeMemory(size_t size) {
  const UniqueFd fd(::memfd_create("object", MFD_CLOEXEC));
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    DieOfErrno("ftruncate");
  }
  Mapping memory = OrDie(Mapping::Map(fd.get(), size, PROT_READ | PROT_WRITE));
  std::mt19937_64 random(1);
  std::generate_n(reinterpret_cast<uint64_t*>(memory.data()),
                  size / sizeof(uint64_t), std::ref(random));
  return memory;
}

double Seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - start;
  return took.count();
}

void DropFromCache(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0 ||
      ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED) != 0) {
    DieOfErrno("drop from the page cache");
  }
}

void DropAllFromCache(const std::string& dir) {
  for (const auto& entry : fs::directory_iterator(dir)) {
    DropFromCache(entry.path());
  }
}

// write(2) in pieces of 8 MiB, and fsync(2).
void WritePlain(const std::string& path, std::span<const std::byte> bytes,
                int flags) {
  const UniqueFd fd(::open(
      path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0600));
  for (size_t at = 0; at < bytes.size(); at += 8 * kMiB) {
    const size_t size = std::min(8 * kMiB, bytes.size() - at);
    if (::write(fd.get(), bytes.data() + at, size) !=
        static_cast<ssize_t>(size)) {
      DieOfErrno("write");
    }
  }
  if (::fsync(fd.get()) != 0) DieOfErrno("fsync");
}

void ReadPlain(const std::string& path, std::span<std::byte> bytes, int flags) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  for (size_t at = 0; at < bytes.size(); at += 8 * kMiB) {
    const size_t size = std::min(8 * kMiB, bytes.size() - at);
    if (::read(fd.get(), bytes.data() + at, size) !=
        static_cast<ssize_t>(size)) {
      DieOfErrno("read");
    }
  }
}

ObjectId IdOf(uint64_t number) {
  return OrDie(ObjectId::FromText(std::to_string(number)));
}

// `count` objects, which together are all of the memory.
std::vector<Tier::Load> MakeLoads(const Mapping& memory, size_t count,
                                  uint64_t first_number) {
  std::vector<Tier::Load> loads;
  const size_t size = memory.size_bytes() / count;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t number = first_number + i;
    loads.push_back({.info = {.number = number,
                              .id = IdOf(number),
                              .state = store::ObjectState::kSealed,
                              .size_bytes = size,
                              .mode = 0644},
                     .metadata = nullptr,
                     .bytes = {memory.data() + i * size, size}});
  }
  return loads;
}

// The medians of some turns.
class Turns {
 public:
  void Add(double plain_seconds, double tier_seconds) {
    plain_.push_back(plain_seconds);
    tier_.push_back(tier_seconds);
  }
  void Report(benchmark::State& state, size_t bytes) {
    const double gb = static_cast<double>(bytes) / 1e9;
    state.counters["plain_GBps"] = gb / Median(&plain_);
    state.counters["tier_GBps"] = gb / Median(&tier_);
    state.counters["ratio"] = Median(&plain_) / Median(&tier_);
  }

 private:
  static double Median(std::vector<double>* values) {
    std::sort(values->begin(), values->end());
    return (*values)[values->size() / 2];
  }
  std::vector<double> plain_;
  std::vector<double> tier_;
};

std::unique_ptr<SpillTier> OpenTier(const Scratch& scratch) {
  return OrDie(SpillTier::Open({.url = "file://" + scratch / "tier"}));
}

// Arguments: MiB in all, objects, flags of the plain file.
void BM_Put(benchmark::State& state) {
  const Scratch scratch;
  const auto tier = OpenTier(scratch);
  const Mapping memory = MakeMemory(static_cast<size_t>(state.range(0)) * kMiB);
  const auto count = static_cast<size_t>(state.range(1));
  Turns turns;
  uint64_t number = 1;
  for (auto _ : state) {
    const double plain = Seconds([&] {
      WritePlain(scratch / "plain", {memory.data(), memory.size_bytes()},
                 static_cast<int>(state.range(2)));
    });
    const auto loads = MakeLoads(memory, count, number);
    turns.Add(plain, Seconds([&] { OrDie(tier->Put(loads)); }));
    for (const Tier::Load& load : loads) tier->Forget(load.info.number);
    number += count;
    DropFromCache(scratch / "plain");
  }
  turns.Report(state, memory.size_bytes());
}

void BM_Get(benchmark::State& state) {
  const Scratch scratch;
  const auto tier = OpenTier(scratch);
  const Mapping memory = MakeMemory(static_cast<size_t>(state.range(0)) * kMiB);
  const std::span<std::byte> all(memory.data(), memory.size_bytes());
  const auto loads = MakeLoads(memory, static_cast<size_t>(state.range(1)), 1);
  OrDie(tier->Put(loads));
  WritePlain(scratch / "plain", all, 0);
  Turns turns;
  for (auto _ : state) {
    DropFromCache(scratch / "plain");
    DropAllFromCache(scratch / "tier");
    const double plain = Seconds([&] {
      ReadPlain(scratch / "plain", all, static_cast<int>(state.range(2)));
    });
    turns.Add(
        plain, Seconds([&] {
          for (const Tier::Load& load : loads) {
            OrDie(tier->Get(
                load.info,
                all.subspan(static_cast<size_t>(load.bytes.data() - all.data()),
                            load.bytes.size())));
          }
        }));
  }
  turns.Report(state, memory.size_bytes());
}

void Arguments(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"MiB", "objects", "flags"})
      ->Args({1024, 1, 0})
      ->Args({1024, 1, O_DIRECT})
      ->Args({1024, 64, 0})
      ->Args({64, 16384, 0})
      ->Iterations(5)
      ->Unit(benchmark::kMillisecond);
}

BENCHMARK(BM_Put)->Apply(Arguments);
BENCHMARK(BM_Get)->Apply(Arguments);

}  // namespace
}  // namespace vitrine
