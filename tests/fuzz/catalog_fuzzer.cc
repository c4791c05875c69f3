// The catalog's files with any bytes: the database, its log and its locks, each
// sound, missing, damaged or something else.
//
// Properties: after at most a few attempts the catalog is open, the live
// objects can be written, and a reader finds exactly those; unless the database
// says that it is another program's, or a newer one's, which stays as it is.
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"
#include "schema/sqlite/database.h"
#include "store/catalog/catalog_writer.h"
#include "tests/fuzz/input.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::fuzz {
namespace {

namespace fs = std::filesystem;
using store::CatalogWriter;
using store::ObjectInfo;

constexpr int kMostAttempts = 5;
constexpr std::array<const char*, 3> kSuffixes = {"", "-wal", "-shm"};

std::string ReadFile(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  FUZZ_CHECK(fd.valid());
  std::string bytes(1 << 20, '\0');
  const ssize_t size = ::read(fd.get(), bytes.data(), bytes.size());
  FUZZ_CHECK(size >= 0);
  bytes.resize(static_cast<size_t>(size));
  return bytes;
}

void WriteFile(const std::string& path, const std::string& bytes) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  FUZZ_CHECK(::write(fd.get(), bytes.data(), bytes.size()) ==
             static_cast<ssize_t>(bytes.size()));
}

std::vector<ObjectInfo> Objects(uint64_t first, uint64_t last) {
  std::vector<ObjectInfo> infos;
  for (uint64_t number = first; number <= last; ++number) {
    infos.push_back({.number = number,
                     .id = *ObjectId::FromText("o" + std::to_string(number)),
                     .state = store::ObjectState::kSealed,
                     .size_bytes = 100 * number,
                     .charged_bytes = 4096,
                     .mode = 0644,
                     .created_ns = 1,
                     .modified_ns = 1,
                     .sealed_ns = 1});
  }
  return infos;
}

Status Reconcile(CatalogWriter* writer, const std::vector<ObjectInfo>& live) {
  if (Status ready = writer->Prepare(); !ready) return ready;
  if (Status ended = writer->EndAllClients(); !ended) return ended;
  if (Status written = writer->WriteLive(live); !written) return written;
  auto known = writer->ReadLiving(0, 1000);
  if (!known) return known.error();
  std::erase_if(*known, [&live](const store::KnownObject& object) {
    return object.number >= live.front().number &&
           object.number <= live.back().number;
  });
  return writer->WriteLost(*known, nullptr);
}

// The three files of a catalog whose store was killed.
std::array<std::string, 3> SoundFiles() {
  ScratchDir dir;
  CatalogWriter writer(dir.path(), {}, 0600);
  FUZZ_OK(Reconcile(&writer, Objects(1, 40)));
  std::array<std::string, 3> files;
  for (size_t i = 0; i < files.size(); ++i) {
    files[i] = ReadFile(writer.path() + kSuffixes[i]);
  }
  return files;
}

class CatalogFiles {
 public:
  CatalogFiles() { spdlog::set_level(spdlog::level::off); }

  void Take(Input* input) {
    static const std::array<std::string, 3> kSound = SoundFiles();
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      fs::remove_all(entry.path());
    }
    for (size_t i = 0; i < kSound.size(); ++i) TakeFile(input, i, kSound[i]);
  }

  void ExpectRepaired() const {
    const std::vector<ObjectInfo> live = Objects(30, 50);
    std::string path;
    {
      CatalogWriter writer(dir_.path(), {}, 0600);
      path = writer.path();
      Status done = Try(&writer, live);
      for (int i = 0; !done && !IsForeign(done.error()); ++i) {
        FUZZ_CHECK(i < kMostAttempts);
        done = Try(&writer, live);
      }
      if (!done) return;
    }
    FUZZ_CHECK(ReadIds(path) == Ids(live));
  }

 private:
  void TakeFile(Input* input, size_t which, std::string bytes) const {
    const uint8_t kind = input->Byte() % 8;
    if (kind == 0) return;  // It is missing.
    if (kind == 1) bytes = input->Text(4000);
    if (kind == 2) bytes.resize(input->Take<uint32_t>() % (2 * bytes.size()));
    if (kind > 3) DamageSome(input, &bytes);
    WriteFile(dir_.path() + "/catalog.db" + kSuffixes[which], bytes);
  }
  static void DamageSome(Input* input, std::string* bytes) {
    for (int i = input->Byte() % 8; i >= 0 && !bytes->empty(); --i) {
      const size_t place = input->Take<uint32_t>() % bytes->size();
      const std::string patch = input->Text();
      const size_t size = std::min(patch.size(), bytes->size() - place);
      bytes->replace(place, size, patch, 0, size);
    }
  }

  static Status Try(CatalogWriter* writer,
                    const std::vector<ObjectInfo>& live) {
    Status done = Reconcile(writer, live);
    if (!done) writer->NoteFailure(done.error());
    return done;
  }
  static bool IsForeign(const Error& error) {
    return error.code == Code::kAlreadyExists ||
           error.code == Code::kVersionMismatch;
  }

  static std::set<std::string> Ids(const std::vector<ObjectInfo>& infos) {
    std::set<std::string> ids;
    for (const ObjectInfo& info : infos) ids.insert(info.id.text());
    return ids;
  }
  static std::set<std::string> ReadIds(const std::string& path) {
    auto database = sqlite::Database::Open(path, SQLITE_OPEN_READONLY);
    FUZZ_OK(database);
    auto rows = database->Prepare("SELECT id FROM sealed");
    FUZZ_OK(rows);
    std::set<std::string> ids;
    for (;;) {
      const auto row = rows->Step();
      FUZZ_OK(row);
      if (!*row) return ids;
      ids.insert(rows->Text(0));
    }
  }

  ScratchDir dir_;
};

}  // namespace
}  // namespace vitrine::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static vitrine::fuzz::CatalogFiles files;
  vitrine::fuzz::Input input(data, size);
  files.Take(&input);
  files.ExpectRepaired();
  return 0;
}
