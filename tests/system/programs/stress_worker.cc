// One process of the stress tests: does one thing to a store, over and over,
// through one front end, and checks every byte that it sees.
//
//   stress_worker ROLE SOCKET MOUNT SEED SECONDS MAX_BYTES
//
// ROLE: {create,read,delete}-{native,mount}, evict, hold.  Exit status: 0, or 1
// with what was wrong on stderr.

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vitrine/client.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"
#include "tests/support/eventually.h"
#include "tests/system/content.h"

namespace vitrine {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

void Expect(const std::string& id, std::span<const std::byte> bytes) {
  const size_t at = CheckContent(id, bytes);
  if (at != bytes.size()) {
    Fail("wrong byte in " + id + " at " + std::to_string(at) + " of " +
         std::to_string(bytes.size()));
  }
}

bool OneOf(const Error& error, std::initializer_list<Code> codes) {
  for (Code code : codes) {
    if (error.code == code) return true;
  }
  return false;
}

class Worker {
 public:
  Worker(Client client, std::string mount, uint64_t seed, uint64_t max_bytes)
      : client_(std::move(client)),
        mount_(std::move(mount)),
        seed_(seed),
        max_bytes_(max_bytes),
        random_(seed) {}

  void CreateNative() { Random(2) == 0 ? CreateBySteps() : PutWhole(); }

  void PutWhole() {
    const std::string id = NewId();
    std::vector<std::byte> bytes(Size());
    FillContent(id, bytes);
    const Status put = client_.Put(Id(id), bytes, {.timeout = Timeout(500)});
    if (!put && put.error().code != Code::kOutOfMemory) {
      Fail("put " + id + ": " + put.error().ToString());
    }
  }

  void CreateBySteps() {
    const std::string id = NewId();
    const uint64_t size = Size();
    auto writer = client_.Create(Id(id), size,
                                 {.metadata = {{"size", std::to_string(size)}},
                                  .timeout = Timeout(500)});
    if (!writer) {
      if (writer.error().code == Code::kOutOfMemory) return;
      Fail("create " + id + ": " + writer.error().ToString());
    }
    FillContent(id, writer->bytes());
    if (Status sealed = writer->Seal(); !sealed) {
      Fail("seal " + id + ": " + sealed.error().ToString());
    }
  }

  // Small ones go through the ring, many at once.
  void PutMany() {
    std::vector<std::byte> bytes;
    for (uint64_t count = Random(64); count > 0; --count) {
      const std::string id = NewId();
      bytes.resize(1 + Random(max_bytes_ >> (10 + Random(8))));
      FillContent(id, bytes);
      const CreateOptions options = {.timeout = Timeout(500)};
      const Status put = client_.PutLater(Id(id), bytes, options);
      if (!put && put.error().code != Code::kOutOfMemory) {
        Fail("put " + id + ": " + put.error().ToString());
      }
    }
    const auto failed = client_.Flush();
    if (!failed) Fail("flush: " + failed.error().ToString());
    for (const FailedPut& put : *failed) {
      if (put.error.code != Code::kOutOfMemory) {
        Fail("put " + put.id.text() + ": " + put.error.ToString());
      }
    }
  }

  void CreateThroughMount() {
    const std::string id = NewId();
    const std::string path = mount_ + "/unsealed/" + id;
    const bool wrote = Random(2) == 0 ? WriteFile(id, path, Size())
                                      : MapFile(id, path, Size());
    if (!wrote) {
      if (::unlink(path.c_str()) != 0) Fail("unlink " + Errno(path));
      return;
    }
    if (::rename(path.c_str(), (mount_ + "/sealed/" + id).c_str()) != 0) {
      Fail("rename " + Errno(path));
    }
  }

  void ReadNative() {
    const std::string id = SomeId();
    if (id.empty()) return Pause();
    auto object = client_.Get(Id(id));
    if (!object) {
      if (OneOf(object.error(), {Code::kNotFound, Code::kTimeout})) return;
      Fail("get " + id + ": " + object.error().ToString());
    }
    Expect(id, object->bytes());
    kept_objects_.emplace_back(id, *std::move(object));
    if (kept_objects_.size() > 4) {
      Expect(kept_objects_.front().first, kept_objects_.front().second.bytes());
      kept_objects_.pop_front();
    }
  }

  void ReadThroughMount() {
    const std::string id = SomeName();
    if (id.empty()) return Pause();
    const std::string path = mount_ + "/sealed/" + id;
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) {
      if (errno == ENOENT) return;
      Fail("open " + Errno(path));
    }
    const off_t size = ::lseek(fd.get(), 0, SEEK_END);
    auto mapping = Mapping::Map(fd.get(), static_cast<size_t>(size), PROT_READ);
    if (!mapping) Fail("mmap " + path + ": " + mapping.error().ToString());
    fd = UniqueFd();
    Expect(id, Bytes(*mapping));
    kept_mappings_.emplace_back(id, *std::move(mapping));
    if (kept_mappings_.size() > 4) {
      Expect(kept_mappings_.front().first,
             Bytes(kept_mappings_.front().second));
      kept_mappings_.pop_front();
    }
  }

  void DeleteNative() {
    const std::string id = SomeId();
    Pause();
    if (id.empty()) return;
    Status deleted = client_.Delete(Id(id));
    if (!deleted && deleted.error().code != Code::kNotFound) {
      Fail("delete " + id + ": " + deleted.error().ToString());
    }
  }

  void DeleteThroughMount() {
    const std::string id = SomeName();
    Pause();
    if (id.empty()) return;
    const std::string path = mount_ + "/sealed/" + id;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      Fail("unlink " + Errno(path));
    }
  }

  void Evict() {
    Pause();
    auto evicted = client_.Evict(Random(4 * max_bytes_));
    if (!evicted) Fail("evict: " + evicted.error().ToString());
  }

  // What is held stays, whatever the others do (they leave `held-` alone).
  void Hold() {
    const std::string id = "held-" + NewId();
    std::vector<std::byte> bytes(Size());
    FillContent(id, bytes);
    if (Status put = client_.Put(Id(id), bytes); !put) {
      if (put.error().code == Code::kOutOfMemory) return Pause();
      Fail("put " + id + ": " + put.error().ToString());
    }
    Status held = client_.Hold(Id(id));
    if (!held) {  // Evicted before it was held.
      if (held.error().code == Code::kNotFound) return;
      Fail("hold " + id + ": " + held.error().ToString());
    }
    // The time in which others could evict it.
    LetPass(std::chrono::milliseconds(Random(200)));
    auto object = client_.Get(Id(id));
    if (!object) Fail("held and lost: " + id);
    Expect(id, object->bytes());
    if (Status dropped = client_.Unhold(Id(id)); !dropped) {
      Fail("unhold " + id + ": " + dropped.error().ToString());
    }
  }

 private:
  static ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }
  static std::span<const std::byte> Bytes(const Mapping& mapping) {
    return {mapping.data(), mapping.size_bytes()};
  }
  static std::string Errno(const std::string& path) {
    return path + ": " + std::strerror(errno);
  }
  // Leaves the memory to others for a while.
  static void Pause() { LetPass(std::chrono::milliseconds(2)); }

  uint64_t Random(uint64_t below) { return random_() % below; }
  // Small ones as often as large ones.  Many are of one size, so that a client
  // has blanks for them.
  uint64_t Size() {
    if (Random(3) == 0) return max_bytes_ / 8;
    return 1 + Random(max_bytes_ >> Random(16));
  }
  std::string NewId() {
    return "w" + std::to_string(seed_) + "-" + std::to_string(++made_);
  }

  // False: no space.  The file may be there or not.
  bool WriteFile(const std::string& id, const std::string& path,
                 uint64_t size) {
    std::vector<std::byte> bytes(size);
    FillContent(id, bytes);
    UniqueFd fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd.valid()) Fail("create " + Errno(path));
    for (uint64_t at = 0; at < size;) {
      const uint64_t most = std::min<uint64_t>(size - at, 128 << 10);
      const ssize_t wrote = ::write(fd.get(), bytes.data() + at, most);
      if (wrote < 0 && errno == ENOSPC) return false;
      if (wrote <= 0) Fail("write " + Errno(path));
      at += static_cast<uint64_t>(wrote);
    }
    return true;
  }

  bool MapFile(const std::string& id, const std::string& path, uint64_t size) {
    UniqueFd fd(
        ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd.valid()) Fail("create " + Errno(path));
    if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
      if (errno == ENOSPC) return false;
      Fail("ftruncate " + Errno(path));
    }
    auto mapping = Mapping::Map(fd.get(), size, PROT_READ | PROT_WRITE);
    if (!mapping) Fail("mmap " + path + ": " + mapping.error().ToString());
    FillContent(id, {mapping->data(), size});
    return true;
  }

  // Some sealed object, or nothing.
  std::string SomeId() {
    if (ids_.empty() || Random(50) == 0) {
      auto list = client_.List();
      if (!list) Fail("list: " + list.error().ToString());
      ids_.clear();
      for (const ObjectStat& stat : *list) AddName(stat.id.text());
    }
    return ids_.empty() ? std::string() : ids_[Random(ids_.size())];
  }

  std::string SomeName() {
    if (ids_.empty() || Random(50) == 0) ListDirectory();
    return ids_.empty() ? std::string() : ids_[Random(ids_.size())];
  }

  void ListDirectory() {
    ids_.clear();
    const std::string path = mount_ + "/sealed";
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) Fail("opendir " + Errno(path));
    while (const dirent* entry = ::readdir(directory)) {
      if (entry->d_name[0] != '.') AddName(entry->d_name);
    }
    ::closedir(directory);
  }

  void AddName(const std::string& name) {
    if (name.rfind("held-", 0) != 0) ids_.push_back(name);
  }

  Client client_;
  const std::string mount_;
  const uint64_t seed_;
  const uint64_t max_bytes_;
  std::mt19937_64 random_;
  uint64_t made_ = 0;
  std::vector<std::string> ids_;
  std::deque<std::pair<std::string, Object>> kept_objects_;
  std::deque<std::pair<std::string, Mapping>> kept_mappings_;
};

using Step = void (Worker::*)();

const std::map<std::string, Step>& Roles() {
  static const std::map<std::string, Step> roles = {
      {"create-native", &Worker::CreateNative},
      {"put-many", &Worker::PutMany},
      {"create-mount", &Worker::CreateThroughMount},
      {"read-native", &Worker::ReadNative},
      {"read-mount", &Worker::ReadThroughMount},
      {"delete-native", &Worker::DeleteNative},
      {"delete-mount", &Worker::DeleteThroughMount},
      {"evict", &Worker::Evict},
      {"hold", &Worker::Hold}};
  return roles;
}

int Main(int argc, char** argv) {
  if (argc != 7 || !Roles().contains(argv[1])) Fail("wrong arguments");
  auto client = Client::Connect({.socket_path = argv[2], .name = argv[1]});
  if (!client) Fail("connect: " + client.error().ToString());
  Worker worker(*std::move(client), argv[3], std::stoull(argv[4]),
                std::stoull(argv[6]));
  const Step step = Roles().at(argv[1]);
  const auto end = Clock::now() + std::chrono::seconds(std::stoll(argv[5]));
  uint64_t steps = 0;
  for (; Clock::now() < end; ++steps) (worker.*step)();
  std::printf("%s: %llu steps\n", argv[1],
              static_cast<unsigned long long>(steps));
  return 0;
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) { return vitrine::Main(argc, argv); }
