#include "client/calls/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <span>
#include <utility>

#include "schema/packet_socket.h"

namespace vitrine {
namespace {

// The longest wait for a store with a full backlog, in each attempt.
constexpr std::chrono::milliseconds kConnectTimeout{100};
constexpr size_t kBufferWords = kMaxMessageBytes / sizeof(uint64_t);

Error CorruptAnswer(const char* what) {
  return Error{Code::kCorruption, std::string("the store sent ") + what};
}

// True if an answer may still come after the error: the next call would take
// that answer for its own.
bool EndsConversation(Code code) {
  return code == Code::kTimeout || code == Code::kDisconnected ||
         code == Code::kCorruption || code == Code::kInterrupted ||
         code == Code::kIoError;
}

}  // namespace

Code ToCode(uint8_t number) {
  if (number < static_cast<uint8_t>(Code::kNotFound) ||
      number > static_cast<uint8_t>(kLastCode)) {
    return Code::kCorruption;
  }
  return static_cast<Code>(number);
}

Error ToError(const protocol::Failure& failure) {
  return Error{ToCode(failure.code()),
               failure.message() != nullptr ? failure.message()->str() : ""};
}

bool IsRefusal(Code code) {
  return code == Code::kOverQuota || code == Code::kTooMany;
}

Error CannotCall(const Error& error) {
  return IsRefusal(error.code) ? error
                               : Error{Code::kDisconnected, error.message};
}

Result<std::unique_ptr<Connection>> Connection::Open(const std::string& path) {
  const ForkDelay delay;
  auto fd = ConnectPacketSocket(path, kConnectTimeout);
  if (!fd) return fd.error();
  return std::unique_ptr<Connection>(new Connection(PrivateFd(std::move(*fd))));
}

Connection::Connection(PrivateFd fd)
    : fd_(std::move(fd)),
      fork_generation_(ForkGeneration()),
      buffer_(std::make_unique_for_overwrite<uint64_t[]>(kBufferWords)) {}

Status Connection::Send(const protocol::RequestT& request) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(protocol::Request::Pack(builder, &request));
  if (builder.GetSize() > kMaxMessageBytes) {
    return Error{Code::kInvalidArgument, "the request is too large"};
  }
  auto sent = SendPacket(
      fd_.get(), std::span(builder.GetBufferPointer(), builder.GetSize()), {},
      PacketWait::kWait);
  if (sent) return {};
  broken_ = true;
  return sent.error();
}

Status Connection::WaitUntilReadable(Deadline deadline, int cancel_fd) {
  pollfd fds[2] = {{fd_.get(), POLLIN, 0}, {cancel_fd, POLLIN, 0}};
  while (true) {
    const int ready = ::poll(fds, 2, PollTimeoutMs(deadline));
    if (ready < 0 && errno != EINTR) return ErrnoError("poll", errno);
    if (ready > 0 && fds[1].revents != 0) {
      return Error{Code::kInterrupted, "the client is being closed"};
    }
    if (ready > 0) return {};
    if (RemainingMs(deadline) == 0) {
      return Error{Code::kTimeout, "the store did not answer in time"};
    }
  }
}

Result<Connection::Message> Connection::ReceiveNow() {
  const ForkDelay delay;  // Descriptors may come.
  const std::span buffer(reinterpret_cast<uint8_t*>(buffer_.get()),
                         kBufferWords * sizeof(uint64_t));
  auto packet = ReceivePacket(fd_.get(), buffer, PacketWait::kDontWait);
  if (!packet) return packet.error();
  Message message;
  if (!packet->has_value()) return message;  // Somebody else was faster.
  for (UniqueFd& fd : (*packet)->fds) {
    message.fds.emplace_back(std::move(fd));
  }
  const auto bytes = (*packet)->bytes;
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  if (!verifier.VerifyBuffer<protocol::Response>(nullptr)) {
    return CorruptAnswer("bytes that are no message");
  }
  message.response = flatbuffers::GetRoot<protocol::Response>(bytes.data());
  return message;
}

Result<Connection::Message> Connection::Receive(Deadline deadline,
                                                int cancel_fd) {
  while (true) {
    auto ready = WaitUntilReadable(deadline, cancel_fd);
    if (!ready) return ready.error();
    auto message = ReceiveNow();
    if (!message || message->response != nullptr) return message;
  }
}

// A store that refuses a connection says why and closes it, maybe before it was
// asked.
Error Connection::WhyClosed(Error error) {
  if (error.code != Code::kDisconnected) return error;
  auto message = ReceiveNow();
  if (!message || message->response == nullptr) return error;
  const auto* failure = message->response->body_as_Failure();
  return failure != nullptr ? ToError(*failure) : error;
}

Result<Connection::Message> Connection::Ask(const protocol::RequestT& request,
                                            Deadline deadline, int cancel_fd) {
  auto sent = Send(request);
  if (!sent) return WhyClosed(sent.error());
  auto message = Receive(deadline, cancel_fd);
  if (!message) {
    broken_ = EndsConversation(message.error().code);
    return message;
  }
  const auto* failure = message->response->body_as_Failure();
  if (failure != nullptr) return ToError(*failure);
  return message;
}

void Connection::Shutdown() {
  // In a forked child this would end the parent's connection.
  if (fork_generation_ != ForkGeneration()) return;
  ::shutdown(fd_.get(), SHUT_RDWR);
}

}  // namespace vitrine
