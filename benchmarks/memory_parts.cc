#include "benchmarks/memory_parts.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <utility>

#include "benchmarks/benchmark_store.h"
#include "benchmarks/die.h"
#include "benchmarks/measure.h"
#include "benchmarks/processes.h"
#include "benchmarks/wake_parts.h"
#include "benchmarks/workload_crowd.h"

namespace vitrine {
namespace {

#ifndef MADV_POPULATE_WRITE
constexpr int MADV_POPULATE_WRITE = 23;
#endif

constexpr size_t kPageBytes = 4096;

UniqueFd OpenOrDie(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd.valid()) DieOfErrno("open " + path);
  return fd;
}

void CheckCall(int result, const char* what) {
  if (result < 0) DieOfErrno(what);
}

void PopulateForWriting(const Mapping& mapping) {
  if (::madvise(mapping.data(), mapping.size_bytes(), MADV_POPULATE_WRITE) ==
      0) {
    return;
  }
  if (errno != EINVAL) DieOfErrno("populate a mapping");  // Before 5.14.
  for (size_t i = 0; i < mapping.size_bytes(); i += kPageBytes) {
    reinterpret_cast<volatile char*>(mapping.data())[i] = 1;
  }
}

Mapping MapForWriting(const UniqueFd& fd, size_t size_bytes) {
  Mapping mapping =
      OrDie(Mapping::Map(fd.get(), size_bytes, PROT_READ | PROT_WRITE));
  PopulateForWriting(mapping);
  return mapping;
}

// The median of `step(0)` to `step(count - 1)`: a step during which somebody
// else had the CPU says nothing.
template <typename Step>
double MedianNs(size_t count, const Step& step) {
  std::vector<double> took_ns;
  for (size_t i = 0; i < count; ++i) {
    const int64_t start = NowNs();
    step(i);
    took_ns.push_back(static_cast<double>(NowNs() - start));
  }
  return Median(std::move(took_ns));
}

// What the processes of TimeCrowdBytes share; zeros at the start.
struct CrowdBytesPage {
  std::atomic<uint64_t> ready;
  std::atomic<uint64_t> go;
  std::atomic<int64_t> longest_ns;
};

constexpr uint64_t kCrowdObjects = 200;
constexpr size_t kCrowdRegionBytes = size_t{128} << 20;  // No cache holds it.

void FillAndCheck(CrowdBytesPage* page) {
  auto* const region =
      static_cast<std::byte*>(AllocateShared(kCrowdRegionBytes));
  std::memset(region, 1, kCrowdRegionBytes);
  page->ready.fetch_add(1);
  WaitUntilAtLeast(page->go, 1);
  const int64_t start = NowNs();
  size_t at = 0;
  for (uint64_t i = 0; i < kCrowdObjects; ++i) {
    const size_t size = CrowdSize(i);
    if (at + size > kCrowdRegionBytes) at = 0;
    std::memset(region + at, static_cast<int>(CrowdByte(i)), size);
    CheckCrowdBytes({region + at, size}, i, i);
    at += size;
  }
  const int64_t took_ns = NowNs() - start;
  int64_t longest = page->longest_ns.load();
  while (took_ns > longest &&
         !page->longest_ns.compare_exchange_weak(longest, took_ns)) {
  }
}

}  // namespace

PresentFiles::PresentFiles(const std::string& directory, size_t count,
                           size_t size_bytes)
    : size_bytes_(size_bytes) {
  const std::string path = directory + "/present";
  for (size_t i = 0; i < count; ++i) {
    fds_.push_back(OpenOrDie(path, O_RDWR | O_CREAT | O_EXCL));
    CheckCall(::unlink(path.c_str()), "unlink");
    // As the store does it; the size of the pages depends on the way.
    CheckCall(
        ::fallocate(fds_.back().get(), 0, 0, static_cast<off_t>(size_bytes)),
        "fallocate");
    (void)MapForWriting(fds_.back(), size_bytes);
  }
}

double TimeCopyInTurn(const PresentFiles& files) {
  const std::vector<std::byte> source(files.size_bytes(), std::byte{42});
  std::vector<Mapping> targets;
  for (const UniqueFd& fd : files.fds()) {
    targets.push_back(MapForWriting(fd, files.size_bytes()));
  }
  return MedianNs(targets.size(), [&](size_t i) {
    std::memcpy(targets[i].data(), source.data(), source.size());
  });
}

double TimeWriteInTurn(const PresentFiles& files) {
  const std::vector<std::byte> source(files.size_bytes(), std::byte{42});
  return MedianNs(files.fds().size(), [&](size_t i) {
    const ssize_t wrote =
        ::pwrite(files.fds()[i].get(), source.data(), source.size(), 0);
    if (wrote != static_cast<ssize_t>(source.size())) DieOfErrno("pwrite");
  });
}

double TimeMapForWriting(const PresentFiles& files) {
  std::vector<Mapping> mappings(files.fds().size());
  return MedianNs(mappings.size(), [&](size_t i) {
    mappings[i] = MapForWriting(files.fds()[i], files.size_bytes());
  });
}

double TimeUnmap(const PresentFiles& files) {
  std::vector<Mapping> mappings;
  for (const UniqueFd& fd : files.fds()) {
    mappings.push_back(MapForWriting(fd, files.size_bytes()));
  }
  return MedianNs(mappings.size(), [&](size_t i) { mappings[i] = Mapping(); });
}

double TimeMapAndRead(const PresentFiles& files) {
  return MedianNs(files.fds().size(), [&](size_t file) {
    const Mapping mapping = OrDie(
        Mapping::Map(files.fds()[file].get(), files.size_bytes(), PROT_READ));
    uint64_t sum = 0;
    for (size_t i = 0; i < mapping.size_bytes(); i += kPageBytes) {
      sum += static_cast<uint64_t>(mapping.data()[i]);
    }
    Keep(sum);
  });
}

std::array<double, kSealCalls.size()> TimeSealCalls(
    const std::string& directory) {
  constexpr size_t kRounds = 500;
  const std::string path = directory + "/sealed";
  const UniqueFd journal = OpenOrDie(directory + "/journal", O_RDWR | O_CREAT);
  { const UniqueFd made = OpenOrDie(path, O_RDWR | O_CREAT); }
  constexpr std::array<std::byte, 200> kRecord{};
  int fd = -1;
  struct stat info {};
  const std::array<std::function<int()>, kSealCalls.size()> calls = {
      [&] { return fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC); },
      [&] { return ::fcntl(fd, F_SETSIG, SIGURG); },
      [&] { return ::fcntl(fd, F_SETLEASE, F_RDLCK); },
      [&] { return ::fcntl(fd, F_SETLEASE, F_UNLCK); },
      [&] { return ::fstat(fd, &info); },
      [&] {
        return static_cast<int>(
            ::pwrite(journal.get(), kRecord.data(), kRecord.size(), 0));
      },
      [&] { return ::fchmod(fd, 0444); },
      [&] { return ::close(fd); }};
  std::array<std::vector<double>, kSealCalls.size()> took_ns;
  for (size_t round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < calls.size(); ++i) {
      took_ns[i].push_back(
          MedianNs(1, [&](size_t) { CheckCall(calls[i](), kSealCalls[i]); }));
    }
  }
  std::array<double, kSealCalls.size()> each{};
  std::transform(took_ns.begin(), took_ns.end(), each.begin(), Median);
  CheckCall(::unlink(path.c_str()), "unlink");
  return each;
}

double TimeLookUp(const std::string& directory) {
  constexpr size_t kRounds = 200;
  struct stat info {};
  return MedianNs(kRounds, [&](size_t i) {
    const std::string path = directory + "/none-" + std::to_string(i);
    if (::stat(path.c_str(), &info) == 0) Die(path + " is there");
    if (errno != ENOENT) DieOfErrno("stat " + path);
  });
}

double TimeCrowdBytes() {
  const auto cpus = static_cast<unsigned>(CountCpus());
  auto* page = AllocateSharedArray<CrowdBytesPage>(1);
  Processes processes;
  for (unsigned i = 0; i < cpus; ++i) {
    processes.Start([page] { FillAndCheck(page); });
  }
  WaitUntilAtLeast(page->ready, cpus);
  page->go.store(1);
  processes.WaitForAll();
  const auto longest = static_cast<double>(page->longest_ns.load());
  ::munmap(page, sizeof(*page));
  return longest / static_cast<double>(kCrowdObjects);
}

}  // namespace vitrine
