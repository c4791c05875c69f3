// One process of a user who shares a store with others: makes objects through
// both front ends, keeps a few, and checks that each is there, byte for byte,
// until it deletes it.
//
//   neighbour_worker NAME SOCKET MOUNT SECONDS
//
// Prints how many objects it made.  Exit status: 0, or 1 with what was wrong on
// stderr: it is far below its share, so nothing may be refused to it, and
// nothing of it may be evicted.

#include <fcntl.h>
#include <unistd.h>
#include <vitrine/client.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"
#include "schema/base/write_all.h"
#include "tests/system/content.h"

namespace vitrine {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kKept = 16;
constexpr size_t kMostBytes = 512 << 10;
constexpr Timeout kPatience(60'000);

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

class Neighbour {
 public:
  Neighbour(Client client, std::string name, std::string mount)
      : client_(std::move(client)),
        name_(std::move(name)),
        mount_(std::move(mount)) {}

  // Makes one object, checks all that are kept, deletes the oldest.
  void Step() {
    const std::string id = name_ + "-" + std::to_string(made_++);
    std::vector<std::byte> bytes(1 +
                                 random_() % (kMostBytes >> random_() % 10));
    FillContent(id, bytes);
    if (made_ % 2 == 0) {
      PutNative(id, bytes);
    } else {
      PutThroughMount(id, bytes);
    }
    kept_.push_back({id, bytes.size()});
    for (const Kept& kept : kept_) Check(kept);
    if (kept_.size() > kKept) DeleteOldest();
  }

  uint64_t made() const { return made_; }

 private:
  struct Kept {
    std::string id;
    size_t size_bytes;
  };

  void PutNative(const std::string& id, std::span<const std::byte> bytes) {
    const Status put =
        client_.Put(*ObjectId::FromText(id), bytes, {.timeout = kPatience});
    if (!put) Fail("put " + id + ": " + put.error().ToString());
  }

  void PutThroughMount(const std::string& id,
                       std::span<const std::byte> bytes) {
    const std::string unsealed = mount_ + "/unsealed/" + id;
    UniqueFd file(
        ::open(unsealed.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (!file.valid()) FailWithErrno("create " + unsealed);
    if (Status wrote = WriteAll(file.get(), bytes); !wrote) {
      Fail("write " + unsealed + ": " + wrote.error().ToString());
    }
    file = UniqueFd();
    const std::string sealed = mount_ + "/sealed/" + id;
    if (::rename(unsealed.c_str(), sealed.c_str()) != 0) {
      FailWithErrno("rename " + unsealed);
    }
  }

  void Check(const Kept& kept) {
    auto object = client_.Get(*ObjectId::FromText(kept.id));
    if (!object) Fail("get " + kept.id + ": " + object.error().ToString());
    if (object->bytes().size() != kept.size_bytes ||
        CheckContent(kept.id, object->bytes()) != kept.size_bytes) {
      Fail("wrong bytes in " + kept.id);
    }
  }

  void DeleteOldest() {
    const std::string& id = kept_.front().id;
    const Status deleted = client_.Delete(*ObjectId::FromText(id));
    if (!deleted) Fail("delete " + id + ": " + deleted.error().ToString());
    kept_.pop_front();
  }

  [[noreturn]] static void FailWithErrno(const std::string& what) {
    Fail(what + ": " + std::strerror(errno));
  }

  Client client_;
  const std::string name_;
  const std::string mount_;
  std::mt19937_64 random_;
  uint64_t made_ = 0;
  std::deque<Kept> kept_;
};

int Main(int argc, char** argv) {
  if (argc != 5) Fail("wrong arguments");
  auto client = Client::Connect({.socket_path = argv[2], .name = argv[1]});
  if (!client) Fail("connect: " + client.error().ToString());
  Neighbour neighbour(*std::move(client), argv[1], argv[3]);
  const auto end = Clock::now() + std::chrono::seconds(std::stoll(argv[4]));
  while (Clock::now() < end) neighbour.Step();
  std::printf("%s: %llu objects\n", argv[1],
              static_cast<unsigned long long>(neighbour.made()));
  return 0;
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) { return vitrine::Main(argc, argv); }
