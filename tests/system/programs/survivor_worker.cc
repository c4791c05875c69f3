// One process of the test that kills the store: makes and deletes objects
// through one front end, whatever happens to the store meanwhile, and logs what
// it was promised.
//
//   survivor_worker ROLE SOCKET MOUNT NAME LOG SEED
//
// ROLE: native, put, mount: makes objects until it is killed.  Their ids begin
// with NAME, which no other worker has.  Lines of LOG:
//   S ID BYTES   sealed      H ID   held      D ID   about to be deleted
// ROLE: read-native, read-mount: opens the object `anchor` once, writes `R`
// to LOG, and checks every byte of it over and over.  Exit status 1: wrong.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vitrine/client.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"
#include "tests/support/eventually.h"
#include "tests/system/content.h"

namespace vitrine {
namespace {

constexpr size_t kMostObjects = 24;
constexpr uint64_t kMostBytes = 256 << 10;
constexpr uint64_t kMostSmallBytes = 32 << 10;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

// Leaves the processors to the store and to other workers for a while.
void Pause(int milliseconds) {
  LetPass(std::chrono::milliseconds(milliseconds));
}

class Log {
 public:
  explicit Log(const std::string& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                   0644)) {}

  void Write(const std::string& line) {
    const std::string text = line + "\n";
    if (::write(fd_.get(), text.data(), text.size()) !=
        static_cast<ssize_t>(text.size())) {
      Fail("log");
    }
  }

 private:
  UniqueFd fd_;
};

class Maker {
 public:
  Maker(Client client, std::string mount, std::string name,
        const std::string& log, uint64_t seed)
      : client_(std::move(client)),
        mount_(std::move(mount)),
        name_(std::move(name)),
        log_(log),
        random_(seed) {}

  // `role`: native, put (small objects, through the ring) or mount.
  [[noreturn]] void Run(const std::string& role) {
    const bool through_mount = role == "mount";
    const uint64_t most_bytes = role == "put" ? kMostSmallBytes : kMostBytes;
    for (;;) {
      const std::string id = name_ + "-" + std::to_string(++made_);
      const uint64_t size = 1 + random_() % most_bytes;
      if (Make(role, id, size)) {
        log_.Write("S " + id + " " + std::to_string(size));
        live_.push_back(id);
        MaybeHold(id);
      } else {
        Pause(5);
      }
      if (live_.size() > kMostObjects) DeleteOldest(through_mount);
    }
  }

 private:
  bool Make(const std::string& role, const std::string& id, uint64_t size) {
    if (role == "mount") return MakeFile(id, size);
    return role == "put" ? Put(id, size) : MakeObject(id, size);
  }

  bool Put(const std::string& id, uint64_t size) {
    std::vector<std::byte> bytes(size);
    FillContent(id, bytes);
    return client_.Put(*ObjectId::FromText(id), bytes).has_value();
  }

  bool MakeObject(const std::string& id, uint64_t size) {
    auto writer = client_.Create(*ObjectId::FromText(id), size,
                                 {.metadata = {{"id", id}}});
    if (!writer) return false;
    FillContent(id, writer->bytes());
    return writer->Seal().has_value();
  }

  bool MakeFile(const std::string& id, uint64_t size) {
    const std::string path = mount_ + "/unsealed/" + id;
    UniqueFd fd(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!fd.valid()) return false;
    std::vector<std::byte> bytes(size);
    FillContent(id, bytes);
    if (::write(fd.get(), bytes.data(), size) != static_cast<ssize_t>(size)) {
      return false;
    }
    fd = UniqueFd();
    return ::rename(path.c_str(), (mount_ + "/sealed/" + id).c_str()) == 0;
  }

  void MaybeHold(const std::string& id) {
    if (random_() % 4 != 0) return;
    if (client_.Hold(*ObjectId::FromText(id))) log_.Write("H " + id);
  }

  void DeleteOldest(bool through_mount) {
    const std::string id = live_.front();
    live_.pop_front();
    log_.Write("D " + id);
    if (through_mount) {
      (void)::unlink((mount_ + "/sealed/" + id).c_str());
    } else {
      (void)client_.Delete(*ObjectId::FromText(id));
    }
  }

  Client client_;
  const std::string mount_;
  const std::string name_;
  Log log_;
  std::mt19937_64 random_;
  uint64_t made_ = 0;
  std::deque<std::string> live_;
};

void Check(std::span<const std::byte> bytes) {
  if (CheckContent("anchor", bytes) != bytes.size()) Fail("wrong byte");
}

[[noreturn]] void ReadNative(Client client, Log log) {
  auto object = client.Get(*ObjectId::FromText("anchor"));
  if (!object) Fail("get: " + object.error().ToString());
  log.Write("R");
  for (;; Pause(3)) Check(object->bytes());
}

[[noreturn]] void ReadThroughMount(const std::string& mount, Log log) {
  const std::string path = mount + "/sealed/anchor";
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) Fail("open " + path);
  const off_t end = ::lseek(fd.get(), 0, SEEK_END);
  const auto size = static_cast<size_t>(end);
  auto mapping = Mapping::Map(fd.get(), size, PROT_READ);
  if (!mapping) Fail(mapping.error().ToString());
  log.Write("R");
  std::vector<std::byte> copy(size);
  for (;; Pause(3)) {
    Check({mapping->data(), size});
    if (::pread(fd.get(), copy.data(), size, 0) != end) Fail("pread");
    Check(copy);
  }
}

int Main(int argc, char** argv) {
  if (argc != 7) Fail("wrong arguments");
  const std::string role = argv[1];
  auto client = Client::Connect({.socket_path = argv[2], .name = role});
  if (!client) Fail("connect: " + client.error().ToString());
  if (role == "read-native") ReadNative(*std::move(client), Log(argv[5]));
  if (role == "read-mount") ReadThroughMount(argv[3], Log(argv[5]));
  Maker maker(*std::move(client), argv[3], argv[4], argv[5],
              std::stoull(argv[6]));
  maker.Run(role);
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) { return vitrine::Main(argc, argv); }
