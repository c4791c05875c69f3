// A store's index with any bytes, as a client reads it, and as the next store
// counts what a killed one had.
//
// Properties: both end, within the file; what is found is in a state in which
// it may be found; the census has each object once.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

#include "client/index/index_reader.h"
#include "store/index/index_census.h"
#include "tests/client/index/index_file.h"
#include "tests/fuzz/input.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::fuzz {
namespace {

constexpr std::array<std::string_view, 4> kIds = {"a", "b", "c", "d"};

// As a store would write it, with an object in an overflow bucket.
std::string SoundIndex() {
  IndexFile index;
  for (uint32_t slot = 0; slot < 24; ++slot) {
    index.Publish(slot, std::string(1, static_cast<char>('a' + slot)), slot,
                  100);
  }
  std::string bytes(IndexFile::kFileBytes, '\0');
  FUZZ_CHECK(::pread(index.fd(), bytes.data(), bytes.size(), 0) ==
             static_cast<ssize_t>(bytes.size()));
  return bytes;
}

std::string TakeIndex(Input* input) {
  static const std::string kSound = SoundIndex();
  const uint8_t kind = input->Byte();
  std::string bytes = kind == 0 ? std::string() : kSound;
  if (kind == 1) bytes.resize(input->Take<uint16_t>() % (2 * bytes.size()));
  if (kind > 1) Damage(input, &bytes);
  return bytes + input->Rest();
}

class IndexOnDisk {
 public:
  IndexOnDisk()
      : path_(dir_.path() + "/index"),
        fd_(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}

  void Write(const std::string& bytes) const {
    FUZZ_CHECK(::ftruncate(fd_.get(), 0) == 0);
    FUZZ_CHECK(::pwrite(fd_.get(), bytes.data(), bytes.size(), 0) ==
               static_cast<ssize_t>(bytes.size()));
  }
  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

 private:
  ScratchDir dir_;
  const std::string path_;
  const UniqueFd fd_;
};

void FindAll(const IndexReader& index) {
  index.Prefetch(kIds);
  for (const std::string_view id : kIds) {
    FUZZ_CHECK(index.GroupOf(id) < kKeyGroups);
    IndexReader::Entry entry = {};
    const auto outcome = index.Find(id, &entry);
    if (outcome == IndexReader::Outcome::kCorrupt) continue;
    // A waiter sleeps on this word.
    (void)index.VersionOf(entry.bucket).load();
    if (outcome != IndexReader::Outcome::kFound) continue;
    FUZZ_CHECK(SlotStateOf(entry.word) == SlotState::kSealed);
    FUZZ_CHECK(index.StillTrue(entry));  // Nobody changes it.
  }
}

void TakeCensus(const std::string& path, size_t index_bytes) {
  const auto census = store::TakeCensus(path);
  FUZZ_OK(census);
  FUZZ_CHECK(census->size() * sizeof(IndexEntry) <= index_bytes);
  for (size_t i = 1; i < census->size(); ++i) {
    FUZZ_CHECK((*census)[i - 1].number < (*census)[i].number);
  }
}

}  // namespace
}  // namespace vitrine::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace vitrine::fuzz;  // NOLINT: the names above.
  static const IndexOnDisk file;
  Input input(data, size);
  const std::string bytes = TakeIndex(&input);
  file.Write(bytes);
  if (const auto index = vitrine::IndexReader::Open(file.fd()); index) {
    FindAll(*index);
  }
  TakeCensus(file.path(), bytes.size());
  return 0;
}
