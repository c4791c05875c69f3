#include "client/session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <utility>

#include "client/client_core.h"

namespace vitrine {
namespace {

#ifndef MADV_POPULATE_WRITE
constexpr int MADV_POPULATE_WRITE = 23;
#endif

constexpr uint64_t kSmallestPageBytes = 4096;
constexpr uint64_t kLargestPageBytes = uint64_t{16} << 30;

Error CorruptStore(const std::string& what) {
  return Error{Code::kCorruption, what};
}

Error LookAgain() { return Error{Code::kInterrupted, "the object changed"}; }

bool IsPageSize(uint64_t bytes) {
  return bytes >= kSmallestPageBytes && bytes <= kLargestPageBytes &&
         (bytes & (bytes - 1)) == 0;
}

std::string TextOf(const flatbuffers::String* text) {
  return text != nullptr ? text->str() : "";
}

// The size of the regular file behind `fd`.
Result<uint64_t> FileSize(int fd) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return ErrnoError("fstat", errno);
  if (!S_ISREG(info.st_mode)) return CorruptStore("a segment that is no file");
  return static_cast<uint64_t>(info.st_size);
}

// The client's page, writable.  A shorter file would mean SIGBUS later.
Result<Mapping> MapPage(int fd) {
  auto size_bytes = FileSize(fd);
  if (!size_bytes) return size_bytes.error();
  if (*size_bytes < sizeof(ClientPage)) {
    return CorruptStore("the client's page is too short");
  }
  return Mapping::Map(fd, sizeof(ClientPage), PROT_READ | PROT_WRITE);
}

Status CheckHelloReply(const protocol::HelloReply& reply, size_t fds) {
  if (reply.version() != kProtocolVersion) {
    return Error{Code::kVersionMismatch, "the store speaks version " +
                                             std::to_string(reply.version()) +
                                             " of the protocol, not " +
                                             std::to_string(kProtocolVersion)};
  }
  if (reply.session() == nullptr ||
      reply.session()->size() != kSessionTokenBytes || fds != 3 ||
      !IsPageSize(reply.page_bytes())) {
    return CorruptStore("the store's welcome makes no sense");
  }
  return {};
}

Result<PrivateFd> MakeBell() {
  const ForkDelay delay;
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.valid()) return ErrnoError("eventfd", errno);
  return PrivateFd(std::move(fd));
}

}  // namespace

struct Session::Welcome {
  std::vector<uint8_t> token;
  std::string state_dir;
  uint64_t page_bytes;
  uint64_t small_object_bytes;
  IndexReader index;
  Mapping page;
  PrivateFd segment_dir;
};

Result<Session::Welcome> Session::TakeWelcome(Connection::Message message) {
  const auto* reply = message.response->body_as_HelloReply();
  if (reply == nullptr)
    return CorruptStore("the store answered something else");
  auto sound = CheckHelloReply(*reply, message.fds.size());
  if (!sound) return sound.error();
  auto index = IndexReader::Open(message.fds[0].get());
  if (!index) return index.error();
  auto page = MapPage(message.fds[1].get());
  if (!page) return page.error();
  return Welcome{{reply->session()->begin(), reply->session()->end()},
                 TextOf(reply->state_dir()),
                 reply->page_bytes(),
                 reply->small_object_bytes(),
                 std::move(*index),
                 std::move(*page),
                 std::move(message.fds[2])};
}

Result<std::shared_ptr<Session>> Session::Open(std::shared_ptr<ClientCore> core,
                                               const std::string& path,
                                               const std::string& name,
                                               Deadline deadline,
                                               int cancel_fd) {
  auto connection = Connection::Open(path);
  if (!connection) return connection.error();
  protocol::HelloT hello;
  hello.version = kProtocolVersion;
  hello.role = protocol::Role::kSession;
  hello.name = name;
  auto message =
      (*connection)->Ask(MakeRequest(std::move(hello)), deadline, cancel_fd);
  if (!message) return message.error();
  auto welcome = TakeWelcome(std::move(*message));
  if (!welcome) return welcome.error();
  auto bell = MakeBell();
  if (!bell) return bell.error();
  std::shared_ptr<Session> session(
      new Session(std::move(core), path, name, std::move(*connection),
                  std::move(*welcome), std::move(*bell)));
  session->core_->Add(session.get());
  return session;
}

Session::Session(std::shared_ptr<ClientCore> core, const std::string& path,
                 const std::string& name, std::unique_ptr<Connection> life_line,
                 Welcome welcome, PrivateFd blanks_bell)
    : core_(std::move(core)),
      path_(path),
      state_dir_(std::move(welcome.state_dir)),
      page_bytes_(welcome.page_bytes),
      small_object_bytes_(welcome.small_object_bytes),
      life_line_(std::move(life_line)),
      segment_dir_(std::move(welcome.segment_dir)),
      index_(std::move(welcome.index)),
      page_(std::move(welcome.page)),
      blanks_bell_(std::move(blanks_bell)) {
  auto* const page = reinterpret_cast<ClientPage*>(page_.data());
  for (size_t i = 0; i < kPageStripes; ++i) {
    stripes_.push_back(
        std::make_unique<SessionStripe>(&core_->stripe(i), &page->stripes[i]));
  }
  waits_ = std::make_unique<IndexWaits>(&index_, page);
  segments_ = std::make_unique<SegmentCache>(&stripes_, &page->kept_mappings);
  calls_ = std::make_unique<CallPool>(path, std::move(welcome.token), name,
                                      [this] { Break(); });
  ring_ = std::make_unique<SessionRing>(
      calls_.get(), &core_->put_failures(), [this] { Break(); }, core_->spin());
  blanks_ = std::make_unique<BlankStock>(BlankStock::Parts{
      .calls = calls_.get(),
      .ring = ring_.get(),
      .map = [this](const PrivateFd& fd,
                    uint64_t size_bytes) { return MapBlank(fd, size_bytes); },
      .wake = [this] { ::eventfd_write(blanks_bell_.get(), 1); }});
}

Session::~Session() { core_->Remove(this); }

uint64_t Session::RoundToPages(uint64_t size_bytes) const {
  return (size_bytes + page_bytes_ - 1) & ~(page_bytes_ - 1);
}

Result<Mapping> Session::MapSegment(const IndexReader::Entry& entry,
                                    const std::string& id) {
  auto fd = OpenSegment(entry, id);
  if (!fd) return fd.error();
  auto file_bytes = FileSize(fd->get());
  if (!file_bytes) return file_bytes.error();
  if (entry.offset > *file_bytes ||
      entry.size_bytes > *file_bytes - entry.offset ||
      *file_bytes > RoundToPages(*file_bytes)) {
    return CorruptStore("the segment of '" + id +
                        "' is shorter than the object");
  }
  return Mapping::Map(fd->get(), RoundToPages(*file_bytes), PROT_READ);
}

Result<PrivateFd> Session::OpenSegment(const IndexReader::Entry& entry,
                                       const std::string& id) {
  if ((entry.flags & kSlotReadableByAll) == 0) {
    return AskForDescriptor(entry, id);
  }
  auto fd = OpenByName(entry);
  if (!fd && fd.error().code == Code::kInterrupted) return fd;
  // During the open the segment may have become another object's.  From here on
  // the store sees that a process has it open.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!index_.StillTrue(entry)) return LookAgain();
  return fd ? std::move(fd) : AskForDescriptor(entry, id);
}

Result<PrivateFd> Session::OpenByName(const IndexReader::Entry& entry) {
  char name[kSegmentNameChars + 1];
  WriteSegmentName(entry.segment, name);
  // The open does not wait for the store's lease, so the fork delay is short.
  const ForkDelay delay;
  UniqueFd fd(::openat(segment_dir_.get(), name,
                       O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (fd.valid()) return PrivateFd(std::move(fd));
  if (errno == EWOULDBLOCK || errno == EINTR) return LookAgain();
  return ErrnoError("open segment " + std::string(name), errno);
}

Result<PrivateFd> Session::AskForDescriptor(const IndexReader::Entry& entry,
                                            const std::string& id) {
  auto answer = calls_->Ask<protocol::OpenReply>(protocol::OpenT{{}, id});
  if (!answer) {
    const bool gone = answer.error().code == Code::kNotFound;
    return gone ? LookAgain() : answer.error();
  }
  // The object was deleted, and the id made anew, in between.
  if ((*answer)->segment() != entry.segment) return LookAgain();
  if (answer->fds.size() != 1)
    return CorruptStore("the store sent no descriptor");
  return std::move(answer->fds[0]);
}

Result<Mapping> Session::MapForWriting(const PrivateFd& fd,
                                       uint64_t size_bytes) const {
  if (size_bytes == 0) return Mapping();
  auto file_bytes = FileSize(fd.get());
  if (!file_bytes) return file_bytes.error();
  if (*file_bytes < size_bytes) {
    return CorruptStore("the segment of a new object is too short");
  }
  const ForkDelay delay;  // A child's copy would keep it from being sealed.
  auto mapping =
      Mapping::Map(fd.get(), RoundToPages(size_bytes), PROT_READ | PROT_WRITE);
  if (!mapping) return mapping;
  if (::madvise(mapping->data(), mapping->size_bytes(), MADV_DONTFORK) != 0) {
    return ErrnoError("madvise", errno);
  }
  return mapping;
}

Result<Mapping> Session::MapBlank(const PrivateFd& fd,
                                  uint64_t size_bytes) const {
  auto mapping = MapForWriting(fd, size_bytes);
  // Without it (before Linux 5.14) the writer has the faults.
  if (mapping) {
    (void)::madvise(mapping->data(), mapping->size_bytes(),
                    MADV_POPULATE_WRITE);
  }
  return mapping;
}

Status Session::AwaitMessage(int cancel_fd) {
  std::array<pollfd, 3> ready = {pollfd{life_line_->fd(), POLLIN, 0},
                                 pollfd{cancel_fd, POLLIN, 0},
                                 pollfd{blanks_bell_.get(), POLLIN, 0}};
  while (true) {
    const Deadline next = blanks_->NextTending();
    if (::poll(ready.data(), ready.size(), PollTimeoutMs(next)) < 0 &&
        errno != EINTR) {
      return ErrnoError("poll", errno);
    }
    if (ready[1].revents != 0) {
      return Error{Code::kInterrupted, "the client is closing"};
    }
    if (ready[0].revents != 0) return {};
    eventfd_t rings = 0;
    const bool rang = ::eventfd_read(blanks_bell_.get(), &rings) == 0;
    if (rang || Clock::now() >= next) blanks_->Tend(cancel_fd);
  }
}

Error Session::Serve(int cancel_fd) {
  while (true) {
    auto awaited = AwaitMessage(cancel_fd);
    if (!awaited) return awaited.error();
    auto message = life_line_->Receive(kNoDeadline, cancel_fd);
    if (!message) return message.error();
    const auto* recall = message->response->body_as_Recall();
    if (recall == nullptr)
      return CorruptStore("the store said something unasked");
    if (recall->blanks()) {
      blanks_->Recall();
      blanks_->Tend(cancel_fd);
    }
    if (recall->segments() == nullptr) continue;
    segments_->Drop({recall->segments()->data(), recall->segments()->size()});
  }
}

void Session::Release(size_t number, int pin, LocalSegment* segment) {
  SessionStripe& own = stripe(number);
  uint64_t segment_number = 0;
  {
    SpinLockHolder lock(own.lock());
    if (pin != SessionStripe::kNoPin) own.Unpin(pin);
    bool recalled = false;
    if (segment != nullptr) {
      recalled = --segment->references == 0 && segment->recalled;
      segment_number = segment->number;
    }
    if (!own.retired && !recalled) {
      --own.in_hand;
      return;
    }
  }
  ReleaseAndUnmap(number, segment_number);
}

void Session::ReleaseAndUnmap(size_t number, uint64_t segment) {
  segments_->Drop({&segment, 1});
  SessionStripe& own = stripe(number);
  std::shared_ptr<Session> last;  // Dropped when nothing is locked.
  SpinLockHolder lock(own.lock());
  if (--own.in_hand == 0 && own.retired) last = std::move(own.keep_alive);
}

void Session::Retire() {
  calls_->Close();
  life_line_->Shutdown();
  waits_->End();
  blanks_->Close();
  std::vector<std::shared_ptr<Session>> unused;
  for (const auto& own : stripes_) {
    SpinLockHolder lock(own->lock());
    own->retired = true;
    if (own->in_hand == 0) unused.push_back(std::move(own->keep_alive));
  }
  segments_->DropAll();
}

void Session::BecomeChilds() {
  for (const auto& own : stripes_) {
    own->retired = true;
    own->ForgetPage();
  }
  segments_->DropAllInChild();
}

}  // namespace vitrine
