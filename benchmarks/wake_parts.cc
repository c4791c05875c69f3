#include "benchmarks/wake_parts.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <vector>

#include "benchmarks/die.h"
#include "benchmarks/measure.h"
#include "schema/base/futex.h"

namespace vitrine {
namespace {

cpu_set_t CpusOfThisProcess() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) {
    DieOfErrno("sched_getaffinity");
  }
  return set;
}

void StayOn(const cpu_set_t& set) {
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
    DieOfErrno("sched_setaffinity");
  }
}

// The `number`-th of them.
cpu_set_t OneOf(const cpu_set_t& set, int number) {
  cpu_set_t one;
  CPU_ZERO(&one);
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set) && number-- == 0) CPU_SET(cpu, &one);
  }
  return one;
}

}  // namespace

int CountCpus() {
  const cpu_set_t set = CpusOfThisProcess();
  return CPU_COUNT(&set);
}

Sleeper::Sleeper(By by, Where where)
    : by_(by),
      where_(where),
      event_(::eventfd(0, EFD_CLOEXEC)),
      bed_(AllocateSharedArray<Bed>(1)) {
  if (!event_.valid()) DieOfErrno("eventfd");
  process_.Start([this] {
    if (where_ == Where::kAnotherCpu) StayOn(OneOf(CpusOfThisProcess(), 1));
    SleepForEver();
  });
}

Sleeper::~Sleeper() { ::munmap(bed_, sizeof(Bed)); }

void Sleeper::SleepForEver() const {
  for (uint32_t i = 0;; ++i) {
    SleepOnce(i);
    bed_->woken_at_ns.store(NowNs(), std::memory_order_relaxed);
    bed_->woken.store(i + 1, std::memory_order_release);
  }
}

void Sleeper::SleepOnce(uint32_t times_woken) const {
  if (by_ == By::kEventfd) {
    uint64_t count;
    while (::read(event_.get(), &count, sizeof(count)) < 0) {
      if (errno != EINTR) DieOfErrno("read an eventfd");
    }
    return;
  }
  while (bed_->word.load(std::memory_order_acquire) == times_woken) {
    SleepOnFutex({&bed_->word, times_woken}, std::chrono::seconds(1));
  }
}

void Sleeper::Wake() const {
  if (by_ == By::kEventfd) {
    const uint64_t one = 1;
    if (::write(event_.get(), &one, sizeof(one)) < 0) {
      DieOfErrno("write an eventfd");
    }
    return;
  }
  bed_->word.fetch_add(1, std::memory_order_release);
  WakeFutex(&bed_->word);
}

double Sleeper::TimeWakeUp() {
  constexpr int kTimes = 50;
  const cpu_set_t all = CpusOfThisProcess();
  if (where_ == Where::kAnotherCpu) StayOn(OneOf(all, 0));
  std::vector<double> took_ns;
  for (int i = 0; i < kTimes; ++i) {
    const uint64_t before = bed_->woken.load(std::memory_order_acquire);
    SleepMicroseconds(300);
    const int64_t start = NowNs();
    Wake();
    WaitUntilAtLeast(bed_->woken, before + 1);
    took_ns.push_back(static_cast<double>(
        bed_->woken_at_ns.load(std::memory_order_relaxed) - start));
  }
  StayOn(all);
  return Median(took_ns);
}

}  // namespace vitrine
