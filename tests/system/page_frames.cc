#include "tests/system/page_frames.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "schema/base/unique_fd.h"

namespace vitrine {
namespace {

constexpr uint64_t kPresent = uint64_t{1} << 63;
constexpr uint64_t kFrame = (uint64_t{1} << 55) - 1;

void Touch(std::span<const std::byte> bytes, size_t page_bytes) {
  for (size_t at = 0; at < bytes.size(); at += page_bytes) {
    (void)*const_cast<const volatile std::byte*>(&bytes[at]);
  }
}

bool Contains(const std::string& range, uintptr_t address) {
  std::istringstream text(range);
  uintptr_t first = 0;
  uintptr_t end = 0;
  char dash = 0;
  if (!(text >> std::hex >> first >> dash >> end) || dash != '-') return false;
  return first <= address && address < end;
}

}  // namespace

std::vector<uint64_t> PageFrames(std::span<const std::byte> bytes) {
  const auto page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  Touch(bytes, page_bytes);
  std::vector<uint64_t> frames((bytes.size() + page_bytes - 1) / page_bytes);
  const UniqueFd fd(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  const auto first = reinterpret_cast<uintptr_t>(bytes.data()) / page_bytes;
  const size_t size = frames.size() * sizeof(uint64_t);
  const ssize_t got = ::pread(fd.get(), frames.data(), size,
                              static_cast<off_t>(first * sizeof(uint64_t)));
  if (got != static_cast<ssize_t>(size)) return {};
  for (uint64_t& frame : frames) {
    frame = (frame & kPresent) != 0 ? frame & kFrame : 0;
  }
  return frames;
}

MappingFacts FactsOfMapping(const std::byte* address) {
  std::ifstream smaps("/proc/self/smaps");
  MappingFacts facts;
  bool mine = false;
  for (std::string line; std::getline(smaps, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name.back() != ':') {
      mine = Contains(name, reinterpret_cast<uintptr_t>(address));
      const size_t path = line.find('/');
      if (mine && path != line.npos) facts.path = line.substr(path);
    }
    uint64_t kilobytes = 0;
    if (!mine || !(words >> kilobytes)) continue;
    if (name == "KernelPageSize:") facts.page_bytes = kilobytes << 10;
    if (name == "ShmemPmdMapped:") facts.huge_mapped_bytes = kilobytes << 10;
  }
  return facts;
}

uint64_t HugeMappedBytes(const std::byte* address) {
  return FactsOfMapping(address).huge_mapped_bytes;
}

}  // namespace vitrine
