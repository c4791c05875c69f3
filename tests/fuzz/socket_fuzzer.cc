// The store's socket, as a hostile client uses it: requests with any values,
// requests whose bytes are damaged, packets of any bytes, at any time, over
// several connections of two users; and whatever may be done to the descriptors
// that the store gives away.
//
// Properties: what need not wait is answered, or the connection is closed; what
// the store says makes sense; afterwards the store works and has its memory.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/packet_socket.h"
#include "store/metrics/status_json.h"
#include "store/server/server.h"
#include "tests/fuzz/requests.h"
#include "tests/fuzz/store_in_process.h"

namespace vitrine::fuzz {
namespace {

constexpr size_t kConnections = 4;
constexpr size_t kMostDescriptors = 16;
constexpr uint32_t kNobody = 65534;
constexpr int kPatienceMs = 20'000;
// For an answer that may never come.
constexpr int kMomentMs = 1;

class ServedStore {
 public:
  ServedStore() {
    auto server = store::Server::Start(store_.get(), path(), 0666);
    FUZZ_OK(server);
    server_ = *std::move(server);
    store_.ExpectNoHarm();
  }

  std::string path() const { return store_.path("socket"); }

  // Until it has dealt with the ends of all clients.
  void ExpectNoHarm() {
    FUZZ_CHECK(StoreInProcess::Settles([this] {
      const auto status = store::ToJson(server_->GetStatus());
      return status["connections"] == 0 && status["rings"]["open"] == 0 &&
             status["tasks_queued"] == 0;
    }));
    store_.ExpectNoHarm();
  }

 private:
  StoreInProcess store_;
  std::unique_ptr<store::Server> server_;
};

// Calls `call` as another user, if this process may.
template <typename Call>
auto AsNobody(Call call) {
  // The system calls themselves: libc's functions change all threads.
  const bool changed = ::syscall(SYS_setresuid, -1, kNobody, -1) == 0;
  auto result = call();
  if (changed) {
    FUZZ_CHECK(::syscall(SYS_setresuid, -1, ::getuid(), -1) == 0);
    // LeakSanitizer looks into this process.
    ::prctl(PR_SET_DUMPABLE, 1);
  }
  return result;
}

class Client {
 public:
  Client(Input* input, const std::string& path) : input_(input), path_(path) {}

  void TakeStep() {
    const uint8_t kind = input_->Byte();
    UniqueFd& socket = sockets_[kind % kConnections];
    if (!socket.valid()) socket = Connect(kind % 2 != 0);
    switch (kind / kConnections % 16) {
      case 0:
        socket = UniqueFd();
        return;
      case 1:
        return Send(&socket, input_->Text(2000));
      case 2:
        return Send(&socket, TakeDamaged());
      case 3:
        return UseDescriptor();
      default:
        return Send(&socket,
                    Pack<protocol::Request>(TakeRequest(input_, known_)));
    }
  }

 private:
  UniqueFd Connect(bool as_nobody) const {
    const auto connect = [this] {
      return ConnectPacketSocket(path_, std::chrono::seconds(20));
    };
    auto socket = as_nobody ? AsNobody(connect) : connect();
    FUZZ_OK(socket);
    return *std::move(socket);
  }

  std::string TakeDamaged() {
    std::string message = Pack<protocol::Request>(TakeRequest(input_, known_));
    for (int i = input_->Byte() % 4; i >= 0; --i) {
      message[input_->Take<uint16_t>() % message.size()] =
          static_cast<char>(input_->Byte());
    }
    return message;
  }

  void Send(UniqueFd* socket, const std::string& message) {
    if (message.empty()) return;
    std::vector<int> beside;
    if (input_->Byte() < 8) beside.push_back(socket->get());
    const auto sent = SendPacket(
        socket->get(),
        {reinterpret_cast<const uint8_t*>(message.data()), message.size()},
        beside, PacketWait::kDontWait);
    if (!sent) return Close(socket);
    if (*sent) AwaitAnswer(socket, MustBeAnswered(message));
  }

  // What the store says by itself is no answer.
  void AwaitAnswer(UniqueFd* socket, bool must_come) {
    for (;;) {
      pollfd readable = {socket->get(), POLLIN, 0};
      const int ready =
          ::poll(&readable, 1, must_come ? kPatienceMs : kMomentMs);
      if (ready == 0 && !must_come) return;
      FUZZ_CHECK(ready == 1);
      auto packet =
          ReceivePacket(socket->get(), buffer_, PacketWait::kDontWait);
      if (!packet || !packet->has_value()) return Close(socket);
      if (IsAnswer(Note(**packet))) return;
    }
  }
  static bool IsAnswer(protocol::ReplyBody type) {
    return type != protocol::ReplyBody::Recall &&
           type != protocol::ReplyBody::Event;
  }
  static void Close(UniqueFd* socket) { *socket = UniqueFd(); }

  // Checks what the store says, and keeps what can be used against it.
  protocol::ReplyBody Note(const Packet& packet) {
    flatbuffers::Verifier verifier(packet.bytes.data(), packet.bytes.size());
    FUZZ_CHECK(verifier.VerifyBuffer<protocol::Response>(nullptr));
    const auto& response =
        *flatbuffers::GetRoot<protocol::Response>(packet.bytes.data());
    for (const UniqueFd& fd : packet.fds) Keep(fd.get());
    if (const auto* hello = response.body_as_HelloReply()) {
      if (hello->session()->size() == 0) return response.body_type();
      known_.token.assign(hello->session()->begin(), hello->session()->end());
    } else if (const auto* created = response.body_as_CreateReply()) {
      known_.Note(created->number());
    } else if (const auto* blanks = response.body_as_BlanksReply()) {
      for (const uint64_t number : *blanks->numbers()) known_.Note(number);
    }
    return response.body_type();
  }

  void Keep(int fd) {
    descriptors_.emplace_front(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (descriptors_.size() > kMostDescriptors) descriptors_.pop_back();
  }

  // Whatever the kernel allows.
  void UseDescriptor() {
    const uint8_t kind = input_->Byte();
    if (descriptors_.empty()) return;
    const int fd = descriptors_[kind % descriptors_.size()].get();
    const auto place = static_cast<off_t>(input_->Take<uint32_t>() % (4 << 20));
    switch (kind / 16 % 5) {
      case 0:
        (void)!::ftruncate(fd, place);
        return;
      case 1: {
        const std::string bytes = input_->Text();
        (void)!::pwrite(fd, bytes.data(), bytes.size(), place);
        return;
      }
      case 2:
        (void)::fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, place,
                          1 + input_->Take<uint16_t>());
        return;
      case 3:
        return Map(fd);
      default:
        descriptors_.erase(descriptors_.begin() +
                           static_cast<ptrdiff_t>(kind % descriptors_.size()));
    }
  }
  void Map(int fd) {
    auto mapping = Mapping::Map(fd, 4096, PROT_READ | PROT_WRITE);
    if (!mapping) mapping = Mapping::Map(fd, 4096, PROT_READ);
    if (mapping) mappings_.push_back(std::move(*mapping));
  }

  Input* const input_;
  const std::string path_;
  Knowledge known_;
  std::array<UniqueFd, kConnections> sockets_;
  std::deque<UniqueFd> descriptors_;  // Newest first.
  std::vector<Mapping> mappings_;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(kMaxMessageBytes);
};

}  // namespace
}  // namespace vitrine::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace vitrine::fuzz;  // NOLINT: the names above.
  static ServedStore store;
  {
    Input input(data, size);
    Client client(&input, store.path());
    while (!input.at_end()) client.TakeStep();
  }
  store.ExpectNoHarm();
  return 0;
}
