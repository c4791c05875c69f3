#ifndef VITRINE_TESTS_SUPPORT_HUGE_MAPPED_H_
#define VITRINE_TESTS_SUPPORT_HUGE_MAPPED_H_

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

namespace vitrine {

// How much of the mapping at `data` is by huge pages, as the kernel says.
inline uint64_t HugeMappedBytes(const std::byte* data) {
  std::ifstream smaps("/proc/self/smaps");
  const auto address = reinterpret_cast<uintptr_t>(data);
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    const size_t dash = line.find('-');
    if (dash != line.npos && dash < line.find(' ')) {
      inside = std::stoull(line, nullptr, 16) <= address &&
               address < std::stoull(line.substr(dash + 1), nullptr, 16);
    } else if (inside && line.rfind("ShmemPmdMapped:", 0) == 0) {
      return std::stoull(line.substr(15)) * 1024;
    }
  }
  return 0;
}

}  // namespace vitrine

#endif  // VITRINE_TESTS_SUPPORT_HUGE_MAPPED_H_
