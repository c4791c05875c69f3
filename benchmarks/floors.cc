// The parts of which the floors of benchmarks/driver/floors.py consist, and
// some beside them: what the machine takes for each thing that a row cannot do
// without.
//
//   floors --workload floors --address DIR --write-dir DIR [--repetitions N]
//
// --address: a directory of a tmpfs with the pages of the store's; --write-dir:
// the directory unsealed/ of a mount.
//
// All parts are measured in turn, again and again, so that a slow moment of the
// machine meets one figure of each and not all figures of one.
#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/die.h"
#include "benchmarks/measure.h"
#include "benchmarks/memory_parts.h"
#include "benchmarks/wake_parts.h"

namespace vitrine {
namespace {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;

class Parts {
 public:
  void Add(const std::string& name, uint64_t size_bytes,
           std::function<double()> time) {
    parts_.push_back({{name, size_bytes, "ns", {}}, std::move(time)});
  }
  void MeasureInTurn(int repetitions) {
    // The first round is not counted.
    for (int i = -1; i < repetitions; ++i) {
      for (auto& [figure, time] : parts_) {
        const double value = time();
        if (i >= 0) figure.values.push_back(value);
      }
    }
  }
  void PrintAll(const Settings& settings) const {
    for (const auto& [figure, time] : parts_) Print(settings, figure);
  }

 private:
  struct Part {
    Figure figure;
    std::function<double()> time;
  };
  std::vector<Part> parts_;
};

void AddMappings(const PresentFiles& files, Parts* parts) {
  const size_t size = files.size_bytes();
  parts->Add("map for writing", size,
             [&files] { return TimeMapForWriting(files); });
  parts->Add("unmap", size, [&files] { return TimeUnmap(files); });
  parts->Add("map, read, unmap", size,
             [&files] { return TimeMapAndRead(files); });
}

// They are timed together and told one by one.
void AddSealCalls(const std::string& directory, Parts* parts) {
  static std::array<double, kSealCalls.size()> last;
  parts->Add("system calls of a seal", 0, [directory] {
    last = TimeSealCalls(directory);
    double sum = 0;
    for (const double each : last) sum += each;
    return sum;
  });
  for (size_t i = 0; i < kSealCalls.size(); ++i) {
    parts->Add(std::string("one of them: ") + kSealCalls[i], 0,
               [i] { return last[i]; });
  }
}

// The kernel may let sleeper and waker share a CPU, which then needs no signal
// from another one.
struct Sleepers {
  using By = Sleeper::By;
  using Where = Sleeper::Where;
  static Where Apart() {
    return CountCpus() > 1 ? Where::kAnotherCpu : Where::kAnyCpu;
  }
  Sleeper on_futex{By::kFutex, Where::kAnyCpu};
  Sleeper on_eventfd{By::kEventfd, Where::kAnyCpu};
  Sleeper on_futex_apart{By::kFutex, Apart()};
  Sleeper on_eventfd_apart{By::kEventfd, Apart()};
};

void AddWakeUps(Sleepers* sleepers, Parts* parts) {
  const auto add = [parts](const std::string& name, Sleeper* sleeper) {
    parts->Add(name, 0, [sleeper] { return sleeper->TimeWakeUp(); });
  };
  add("wake-up by a futex", &sleepers->on_futex);
  add("wake-up by an eventfd", &sleepers->on_eventfd);
  add("wake-up by a futex, another CPU", &sleepers->on_futex_apart);
  add("wake-up by an eventfd, another CPU", &sleepers->on_eventfd_apart);
}

void RunFloors(const Settings& settings) {
  const PresentFiles small(settings.address, 64, 256 * kKiB);
  const PresentFiles medium(settings.address, 64, kMiB);
  const PresentFiles large(settings.address, 16, 2 * kMiB);
  Sleepers sleepers;
  Parts parts;
  parts.Add("copy into memory in turn", kMiB,
            [&] { return TimeCopyInTurn(medium); });
  parts.Add("write over memory in turn", kMiB,
            [&] { return TimeWriteInTurn(medium); });
  AddMappings(small, &parts);
  AddMappings(medium, &parts);
  AddMappings(large, &parts);
  AddSealCalls(settings.address, &parts);
  AddWakeUps(&sleepers, &parts);
  parts.Add("FUSE round trip", 0,
            [&] { return TimeLookUp(settings.write_dir); });
  parts.Add("bytes of a crowd's object, all CPUs", 0, TimeCrowdBytes);
  parts.MeasureInTurn(settings.repetitions);
  parts.PrintAll(settings);
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  const vitrine::Settings settings = vitrine::ParseSettings(argc, argv);
  if (settings.workload != "floors") {
    vitrine::Die("no such workload: " + settings.workload);
  }
  vitrine::RunFloors(settings);
}
