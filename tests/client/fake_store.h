// A store whose every message a test determines, for messages that a real store
// never sends.
#ifndef VITRINE_TESTS_CLIENT_FAKE_STORE_H_
#define VITRINE_TESTS_CLIENT_FAKE_STORE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vitrine/client.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "schema/base/unique_fd.h"
#include "schema/client_page.h"
#include "schema/index_layout.h"
#include "schema/packet_socket.h"
#include "schema/protocol.h"
#include "tests/client/index/index_file.h"
#include "tests/client/scratch_dir.h"

namespace vitrine {

// Serves all connections with one thread.
class FakeStore {
 public:
  struct Answer {
    protocol::ResponseT response;
    std::vector<int> fds = {};
    bool hang_up = false;
    bool garbage = false;
    bool silent = false;
    std::vector<protocol::ResponseT> more = {};  // Said after that.
  };
  using Answerer = std::function<Answer(const protocol::RequestT&)>;

  FakeStore() {
    ::mkdir(segments().c_str(), 0755);
    segment_dir_ = UniqueFd(::open(segments().c_str(), O_PATH | O_CLOEXEC));
    page_ = UniqueFd(::memfd_create("page", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(page_.get(), sizeof(ClientPage)), 0);
    Listen();
  }
  FakeStore(const FakeStore&) = delete;
  FakeStore& operator=(const FakeStore&) = delete;
  ~FakeStore() { Stop(); }

  void Listen() {
    ::unlink(path().c_str());
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const auto address = MakeSocketAddress(path());
    ASSERT_TRUE(address);
    ASSERT_EQ(
        ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&*address),
               sizeof(*address)),
        0);
    ASSERT_EQ(::listen(listener_.get(), 64), 0);
    stopped_ = false;
    thread_ = std::thread([this] { Run(); });
  }
  void Stop() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
    listener_ = UniqueFd();
  }

  std::string path() const { return dir_ / "socket"; }
  std::string segments() const { return dir_ / "segments"; }
  IndexFile& index() { return index_; }
  int page_fd() const { return page_.get(); }
  int sessions() const { return sessions_; }
  int requests() const { return requests_; }

  void WriteSegment(uint64_t number, const std::string& content) {
    char name[kSegmentNameChars + 1];
    WriteSegmentName(number, name);
    std::ofstream(segments() + "/" + name, std::ios::binary) << content;
  }
  // Says it on the session connection.
  void SaySoon(protocol::ResponseT response) {
    const std::lock_guard lock(mutex_);
    said_ = std::move(response);
    say_ = true;
  }
  bool HasSaid() const { return !say_; }

  ConnectOptions Options(int timeout_ms = 5000) const {
    ConnectOptions options;
    options.socket_path = path();
    options.timeout = Timeout(timeout_ms);
    return options;
  }

  template <typename Body>
  static protocol::ResponseT Say(Body body) {
    protocol::ResponseT response;
    response.body.Set(std::move(body));
    return response;
  }
  Answer Welcome() const {
    protocol::HelloReplyT reply;
    reply.version = version;
    reply.session.resize(token_bytes);
    reply.page_bytes = page_bytes;
    reply.small_object_bytes = small_object_bytes;
    return Answer{Say(std::move(reply)),
                  {index_.fd(), page_.get(), segment_dir_.get()}};
  }

  // The answer to a Hello for a session; without it, Welcome().
  void SetWelcome(std::function<Answer()> welcome) {
    const std::lock_guard lock(mutex_);
    welcome_ = std::move(welcome);
  }
  // The answer to all other requests.
  void SetAnswer(Answerer answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }

  std::atomic<uint32_t> version = kProtocolVersion;
  std::atomic<size_t> token_bytes = kSessionTokenBytes;
  std::atomic<uint64_t> page_bytes = 4096;
  std::atomic<uint64_t> small_object_bytes = 0;

 private:
  struct Peer {
    UniqueFd fd;
    bool is_session;
  };

  void Run() {
    std::list<Peer> peers;
    while (!stopped_) {
      std::vector<pollfd> fds = {{listener_.get(), POLLIN, 0}};
      for (const Peer& peer : peers) {
        fds.push_back({peer.fd.get(), POLLIN, 0});
      }
      ::poll(fds.data(), fds.size(), 5);
      size_t i = 1;
      for (auto peer = peers.begin(); peer != peers.end(); ++i) {
        const bool keep = fds[i].revents == 0 || Serve(&*peer);
        peer = keep ? std::next(peer) : peers.erase(peer);
      }
      if (fds[0].revents != 0) {
        peers.push_back(Peer{UniqueFd(::accept4(listener_.get(), nullptr,
                                                nullptr, SOCK_CLOEXEC)),
                             false});
      }
      if (say_) {
        const std::lock_guard lock(mutex_);
        for (const Peer& peer : peers) {
          if (peer.is_session) Send(peer, Answer{said_});
        }
        say_ = false;
      }
    }
  }
  bool Serve(Peer* peer) {
    alignas(8) static thread_local std::array<uint8_t, kMaxMessageBytes> buffer;
    auto packet = ReceivePacket(peer->fd.get(), buffer, PacketWait::kDontWait);
    if (!packet) return false;
    if (!packet->has_value()) return true;
    protocol::RequestT request;
    flatbuffers::GetRoot<protocol::Request>((*packet)->bytes.data())
        ->UnPackTo(&request);
    return Send(*peer, AnswerTo(request, peer));
  }
  Answer AnswerTo(const protocol::RequestT& request, Peer* peer) {
    const protocol::HelloT* const hello = request.body.AsHello();
    if (hello != nullptr && hello->role == protocol::Role::kSession) {
      ++sessions_;
      peer->is_session = true;
      const std::lock_guard lock(mutex_);
      return welcome_ ? welcome_() : Welcome();
    }
    if (hello != nullptr) return Answer{Say(protocol::HelloReplyT())};
    ++requests_;
    const std::lock_guard lock(mutex_);
    return answer_(request);
  }
  bool Send(const Peer& peer, const Answer& said) {
    if (said.hang_up) return false;
    if (said.silent) return true;
    static constexpr std::array<uint8_t, 40> kGarbage = {255, 255, 255, 127};
    flatbuffers::FlatBufferBuilder builder;
    std::span<const uint8_t> bytes = kGarbage;
    if (!said.garbage) {
      builder.Finish(protocol::Response::Pack(builder, &said.response));
      bytes = {builder.GetBufferPointer(), builder.GetSize()};
    }
    if (!SendPacket(peer.fd.get(), bytes, said.fds, PacketWait::kWait)) {
      return false;
    }
    return std::all_of(said.more.begin(), said.more.end(),
                       [&](const auto& next) { return Send(peer, {next}); });
  }

  std::mutex mutex_;
  std::function<Answer()> welcome_;
  Answerer answer_;
  ScratchDir dir_;
  IndexFile index_;
  UniqueFd segment_dir_;
  UniqueFd page_;
  UniqueFd listener_;
  std::thread thread_;
  std::atomic<bool> stopped_{false};
  std::atomic<int> sessions_{0};
  std::atomic<int> requests_{0};
  protocol::ResponseT said_;
  std::atomic<bool> say_{false};
};

}  // namespace vitrine

#endif  // VITRINE_TESTS_CLIENT_FAKE_STORE_H_
