// Runs a fuzzer once on each file of its corpus, where there is no libFuzzer.
//
//   NAME_fuzzer [-runs=0] FILE|DIRECTORY...
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "tests/fuzz/input.h"

namespace {

namespace fs = std::filesystem;

bool Replay(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  if (!file) return false;
  // Before it runs: it may end the program.
  std::fprintf(stderr, "%s\n", path.c_str());
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()),
                         bytes.size());
  return true;
}

// The number of inputs; -1: one cannot be read.
int ReplayAll(const fs::path& path) {
  if (!fs::is_directory(path)) return Replay(path) ? 1 : -1;
  int count = 0;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (!Replay(entry.path())) return -1;
    ++count;
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  int total = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]).starts_with("-")) continue;
    const int count = ReplayAll(argv[i]);
    if (count <= 0) {
      std::fprintf(stderr, "%s: no input\n", argv[i]);
      return 1;
    }
    total += count;
  }
  std::fprintf(stderr, "%d inputs\n", total);
  return total > 0 ? 0 : 1;
}
