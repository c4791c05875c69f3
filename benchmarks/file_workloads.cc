// The workloads of plain files: what a program sees that knows nothing of the
// store, beside other file systems.
//
//   file_workloads --workload files|copies|make-files|listing --peer NAME
//     --address DIR [--write-dir DIR] [--source DIR] [--objects N] ...
//
// New files are made in --write-dir and moved to --address, which is where
// they are read; --source holds what is copied.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "benchmarks/benchmark_store.h"
#include "benchmarks/die.h"
#include "benchmarks/measure.h"
#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"

namespace vitrine {
namespace {

uint64_t LargeBytes(const Settings& settings) {
  return (settings.quick ? uint64_t{32} : uint64_t{256}) << 20;
}

uint64_t Sum(const Mapping& mapping) {
  constexpr size_t kLanes = 8;
  std::array<uint64_t, kLanes> sums{};
  const auto* words = reinterpret_cast<const uint64_t*>(mapping.data());
  const size_t count = mapping.size_bytes() / sizeof(uint64_t);
  for (size_t i = 0; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += words[i + lane];
  }
  uint64_t sum = 0;
  for (const uint64_t lane : sums) sum += lane;
  return sum;
}

void OpenMapAndReadAll(const std::string& path, uint64_t size_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) DieOfErrno("open " + path);
  const Mapping mapping = OrDie(Mapping::Map(fd.get(), size_bytes, PROT_READ));
  Keep(Sum(mapping));
}

// Runs `step` once more than it is counted.
template <typename Step, typename Undo>
std::vector<double> TimeEach(int repetitions, const Step& step,
                             const Undo& undo) {
  std::vector<double> values;
  for (int i = 0; i <= repetitions; ++i) {
    const int64_t start = NowNs();
    step();
    if (i > 0) values.push_back(static_cast<double>(NowNs() - start));
    undo();
  }
  return values;
}

void PrintTimes(const Settings& settings, const std::string& name,
                uint64_t size_bytes, std::vector<double> values) {
  Print(settings, {name, size_bytes, "ns", std::move(values)});
}

// Into a new file, then over it.  Leaves the file, whose path it returns.
std::string MeasureCopies(const Settings& settings, uint64_t size_bytes) {
  const int repetitions = std::min(settings.repetitions, 5);
  const std::string source = settings.source_dir + "/source";
  std::string made = settings.write_dir + "/made";
  WriteFile(source, size_bytes);
  WarmMemory(2 * size_bytes);
  const auto copy = [&] { RunProgram({"cp", source, made}); };
  PrintTimes(settings, "cp in", size_bytes, TimeEach(repetitions, copy, [&] {
               std::filesystem::remove(made);
             }));
  copy();
  PrintTimes(settings, "cp over", size_bytes,
             TimeEach(repetitions, copy, [] {}));
  std::filesystem::remove(source);
  return made;
}

void MeasureSmallCopies(const Settings& settings) {
  std::filesystem::remove(MeasureCopies(settings, uint64_t{16} << 20));
}

void MeasureLargeFile(const Settings& settings) {
  const uint64_t size_bytes = LargeBytes(settings);
  const int repetitions = std::min(settings.repetitions, 5);
  const std::string read = settings.address + "/large";
  std::filesystem::rename(MeasureCopies(settings, size_bytes), read);
  PrintTimes(
      settings, "open + mmap + read all", size_bytes,
      TimeEach(
          repetitions, [&] { OpenMapAndReadAll(read, size_bytes); }, [] {}));
  PrintTimes(settings, "cat out", size_bytes,
             TimeEach(
                 repetitions,
                 [&] {
                   RunProgramQuietly({"cat", read});
                 },
                 [] {}));
  std::filesystem::remove(read);
}

void MakeSmallFiles(const Settings& settings) {
  for (uint64_t i = 0; i < settings.objects; ++i) {
    const std::string name = "small-" + std::to_string(i);
    WriteFile(settings.write_dir + "/" + name, settings.size_bytes);
    std::filesystem::rename(settings.write_dir + "/" + name,
                            settings.address + "/" + name);
  }
}

// As many as RunFill puts, with names as long.  They are all holes: a listing
// looks at no byte of them.
void MakeSparseFiles(const Settings& settings) {
  constexpr uint64_t kFirst = uint64_t{1} << 50;
  for (uint64_t i = 0; i < settings.objects; ++i) {
    const std::string path =
        settings.address + "/benchmark-" + std::to_string(kFirst + i);
    const UniqueFd fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (!fd.valid() ||
        ::ftruncate(fd.get(), static_cast<off_t>(settings.size_bytes)) != 0) {
      DieOfErrno("create " + path);
    }
  }
}

// Up to 1000 of the names in the directory.
std::vector<std::string> SomePaths(const Settings& settings) {
  std::vector<std::string> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(settings.address)) {
    paths.push_back(entry.path());
    if (paths.size() == 1000) break;
  }
  if (paths.empty()) Die(settings.address + " is empty");
  return paths;
}

void MeasureListing(const Settings& settings) {
  const int repetitions = std::min(settings.repetitions, 5);
  const auto run = [&](const std::vector<std::string>& command) {
    return TimeEach(
        repetitions, [&] { RunProgramQuietly(command); }, [] {});
  };
  PrintTimes(settings, "ls", 0, run({"ls", settings.address}));
  PrintTimes(settings, "ls -l", 0, run({"ls", "-l", settings.address}));
  const std::vector<std::string> paths = SomePaths(settings);
  const auto stat_in_turn = [&paths](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      const std::string& path = paths[i % paths.size()];
      struct stat file;
      if (::stat(path.c_str(), &file) != 0) DieOfErrno("stat " + path);
    }
  };
  PrintTimes(settings, "stat", 0, TimeSteps(settings, stat_in_turn));
}

void Run(const Settings& settings) {
  if (settings.workload == "files") {
    MeasureSmallCopies(settings);
    MeasureLargeFile(settings);
    MakeSmallFiles(settings);
    MeasureListing(settings);
  } else if (settings.workload == "copies") {
    std::filesystem::remove(MeasureCopies(settings, settings.size_bytes));
  } else if (settings.workload == "make-files") {
    MakeSparseFiles(settings);
  } else if (settings.workload == "listing") {
    MeasureListing(settings);
  } else {
    Die("no such workload: " + settings.workload);
  }
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  try {
    const vitrine::Settings settings = vitrine::ParseSettings(argc, argv);
    vitrine::PinProcess(settings, 0);
    vitrine::Run(settings);
  } catch (const std::filesystem::filesystem_error& error) {
    vitrine::Die(error.what());
  }
}
