#include "benchmarks/measure.h"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "benchmarks/die.h"

namespace vitrine {
namespace {

uint64_t ParseNumber(const std::string& name, const std::string& text) {
  char* end = nullptr;
  errno = 0;
  const uint64_t number = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || errno != 0) {
    Die(name + ": not a number: " + text);
  }
  return number;
}

std::vector<int> ParseCpus(const std::string& name, const std::string& text) {
  std::vector<int> cpus;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const uint64_t cpu = ParseNumber(name, part);
    if (cpu >= CPU_SETSIZE) Die(name + ": no such CPU: " + part);
    cpus.push_back(static_cast<int>(cpu));
  }
  return cpus;
}

void ParseOption(const std::string& name, const std::string& value,
                 Settings* settings) {
  const auto number = [&] { return ParseNumber(name, value); };
  if (name == "--workload") {
    settings->workload = value;
  } else if (name == "--peer") {
    settings->peer = value;
  } else if (name == "--address") {
    settings->address = value;
  } else if (name == "--write-dir") {
    settings->write_dir = value;
  } else if (name == "--source") {
    settings->source_dir = value;
  } else if (name == "--cpus") {
    settings->cpus = ParseCpus(name, value);
  } else if (name == "--repetitions") {
    settings->repetitions =
        static_cast<int>(std::clamp<uint64_t>(number(), 1, 1000));
  } else if (name == "--quick") {
    settings->quick = number() != 0;
  } else if (name == "--size") {
    settings->size_bytes = number();
  } else if (name == "--objects") {
    settings->objects = number();
  } else if (name == "--pairs") {
    settings->pairs = static_cast<int>(std::clamp<uint64_t>(number(), 1, 64));
  } else if (name == "--capacity") {
    settings->capacity_bytes = number();
  } else {
    Die("no such option: " + name);
  }
}

}  // namespace

Settings ParseSettings(int argc, char** argv) {
  Settings settings;
  if (argc % 2 != 1) Die("every option has a value");
  for (int i = 1; i + 1 < argc; i += 2) {
    ParseOption(argv[i], argv[i + 1], &settings);
  }
  return settings;
}

void PinProcess(const Settings& settings, size_t index) {
  if (settings.cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(settings.cpus[index % settings.cpus.size()]),
          &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    DieOfErrno("sched_setaffinity");
  }
}

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void WarmMemory(uint64_t size_bytes) {
  void* data = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) DieOfErrno("mmap");
  ::madvise(data, size_bytes, MADV_HUGEPAGE);  // Faster, no more.
  auto* bytes = static_cast<volatile char*>(data);
  for (uint64_t i = 0; i < size_bytes; i += 4096) bytes[i] = 1;
  ::munmap(data, size_bytes);
}

double Median(std::vector<double> values) {
  if (values.empty()) Die("a median of nothing");
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half]
                                : (values[half - 1] + values[half]) / 2;
}

void Print(const Settings& settings, const Figure& figure) {
  std::ostringstream line;
  line.precision(9);
  line << R"({"workload": ")" << settings.workload << R"(", "case": ")"
       << figure.name << R"(", "peer": ")" << settings.peer
       << R"(", "size_bytes": )" << figure.size_bytes << R"(, "unit": ")"
       << figure.unit << R"(", "values": [)";
  for (size_t i = 0; i < figure.values.size(); ++i) {
    line << (i == 0 ? "" : ", ") << figure.values[i];
  }
  line << "]}";
  std::printf("%s\n", line.str().c_str());
  std::fflush(stdout);
}

}  // namespace vitrine
