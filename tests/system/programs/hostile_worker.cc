// One process of a user who wants all of a store: takes one thing, as much of
// it as it can get, and keeps it until its time is over.
//
//   hostile_worker WHAT SOCKET MOUNT SECONDS
//
// WHAT: connections, descriptors, unsealed, memory, holds, waiters, garbage,
// deaths.  Exit status: 0, or 1 with what was wrong on stderr: the store may
// refuse, but only in the words that are meant for that.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vitrine/client.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "schema/base/unique_fd.h"
#include "schema/packet_socket.h"
#include "tests/support/eventually.h"

namespace vitrine {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kAfterRefusal(5);
constexpr size_t kMostWaiters = 200;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

class Hostile {
 public:
  Hostile(std::string socket, std::string mount, Clock::time_point end)
      : socket_(std::move(socket)), mount_(std::move(mount)), end_(end) {}

  bool Over() const { return Clock::now() > end_; }

  void Connections() {
    std::vector<Client> clients;
    while (!Over()) {
      auto client = Client::Connect({.socket_path = socket_});
      if (client) {
        clients.push_back(*std::move(client));
      } else {
        Refused("connect", client.error());
      }
    }
  }

  void Descriptors() {
    std::vector<UniqueFd> files;
    while (!Over()) {
      const std::string path = mount_ + "/unsealed/" + NewId();
      UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
      if (file.valid()) {
        files.push_back(std::move(file));
      } else {
        RefusedByMount("open " + path);
      }
    }
  }

  void Unsealed() {
    Client client = Connected();
    std::vector<Writer> writers;
    while (!Over()) {
      auto writer = client.Create(*ObjectId::FromText(NewId()), 100,
                                  {.timeout = Timeout(100), .announce = true});
      if (writer) {
        writers.push_back(*std::move(writer));
      } else {
        Refused("create", writer.error());
      }
    }
  }

  void Memory() {
    Client client = Connected();
    const std::vector<std::byte> bytes(3 << 20);
    while (!Over()) {
      const Status put = client.Put(*ObjectId::FromText(NewId()), bytes,
                                    {.timeout = Timeout(100)});
      if (!put) Refused("put", put.error());
    }
  }

  void Holds() {
    Client client = Connected();
    const std::vector<std::byte> bytes(1000);
    while (!Over()) {
      const ObjectId id = *ObjectId::FromText(NewId());
      const Status put = client.Put(id, bytes, {.timeout = Timeout(100)});
      if (!put) {
        Refused("put", put.error());
        continue;
      }
      const Status held = client.Hold(id);
      if (!held && held.error().code != Code::kNotFound) {
        Refused("hold", held.error());
      }
    }
  }

  // The threads end with the process.
  void Waiters() {
    for (size_t i = 0; i < kMostWaiters; ++i) {
      std::thread([this, path = mount_ + "/wait/" + NewId()] {
        while (!Over()) {
          const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
          if (!file.valid()) RefusedByMount("open " + path);
        }
      }).detach();
    }
    while (!Over()) LetPass(kAfterRefusal);
  }

  void Garbage() {
    std::mt19937_64 random(static_cast<uint64_t>(::getpid()));
    std::vector<uint8_t> packet;
    while (!Over()) {
      auto peer = ConnectPacketSocket(socket_, kAfterRefusal);
      for (int i = 0; peer && i < 10; ++i) {
        packet.resize(1 + random() % 3000);
        for (uint8_t& byte : packet) byte = static_cast<uint8_t>(random());
        if (!SendPacket(peer->get(), packet, {}, PacketWait::kDontWait)) break;
      }
      LetPass(kAfterRefusal);
    }
  }

  // Processes that die with everything in hand.
  void Deaths() {
    while (!Over()) {
      const pid_t child = ::fork();
      if (child < 0) Fail(std::string("fork: ") + std::strerror(errno));
      if (child == 0) DieInTheMiddle();
      ::waitpid(child, nullptr, 0);
    }
  }

 private:
  [[noreturn]] void DieInTheMiddle() {
    if (auto client = Client::Connect({.socket_path = socket_})) {
      const std::vector<std::byte> bytes(200'000);
      const CreateOptions options = {.timeout = Timeout(50)};
      for (int i = 0; i < 8; ++i) {
        (void)client->Put(*ObjectId::FromText(NewId()), bytes, options);
        (void)client->PutLater(*ObjectId::FromText(NewId()),
                               std::span(bytes).first(500), options);
      }
      auto writer =
          client->Create(*ObjectId::FromText(NewId()), 1 << 20, options);
      ::kill(::getpid(), SIGKILL);
    }
    ::kill(::getpid(), SIGKILL);
    std::abort();
  }

  std::string NewId() {
    return "hostile-" + std::to_string(::getpid()) + "-" +
           std::to_string(++made_);
  }

  // Others of this user may have all connections.
  Client Connected() {
    for (;;) {
      auto client = Client::Connect({.socket_path = socket_});
      if (client) return *std::move(client);
      if (Over()) std::exit(0);
      Refused("connect", client.error());
    }
  }

  static void Refused(const char* what, const Error& error) {
    switch (error.code) {
      case Code::kOverQuota:
      case Code::kTooMany:
      case Code::kOutOfMemory:
      case Code::kTimeout:
        return LetPass(kAfterRefusal);
      default:
        Fail(std::string(what) + ": " + error.ToString());
    }
  }

  static void RefusedByMount(const std::string& what) {
    switch (errno) {
      case EDQUOT:
      case EMFILE:
      case ENFILE:
      case ENOSPC:
        return LetPass(kAfterRefusal);
      default:
        Fail(what + ": " + std::strerror(errno));
    }
  }

  const std::string socket_;
  const std::string mount_;
  const Clock::time_point end_;
  std::atomic<uint64_t> made_ = 0;
};

using Attack = void (Hostile::*)();

const std::map<std::string, Attack>& Attacks() {
  static const std::map<std::string, Attack> attacks = {
      {"connections", &Hostile::Connections},
      {"descriptors", &Hostile::Descriptors},
      {"unsealed", &Hostile::Unsealed},
      {"memory", &Hostile::Memory},
      {"holds", &Hostile::Holds},
      {"waiters", &Hostile::Waiters},
      {"garbage", &Hostile::Garbage},
      {"deaths", &Hostile::Deaths}};
  return attacks;
}

int Main(int argc, char** argv) {
  if (argc != 5 || !Attacks().contains(argv[1])) Fail("wrong arguments");
  Hostile hostile(argv[2], argv[3],
                  Clock::now() + std::chrono::seconds(std::stoll(argv[4])));
  (hostile.*Attacks().at(argv[1]))();
  std::fflush(nullptr);
  ::_exit(0);  // Threads may be in a call.
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) { return vitrine::Main(argc, argv); }
