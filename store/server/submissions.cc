#include "store/server/submissions.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "schema/base/later.h"
#include "store/accounts/accounts.h"
#include "store/base/thread_setup.h"
#include "store/server/attention.h"
#include "store/server/server_timeouts.h"

namespace vitrine::store {
namespace {

using Clock = std::chrono::steady_clock;

// Under one hold of the object table's lock.
constexpr size_t kRecordsPerRound = 256;
// After this time without work, others that want the processor get it.
constexpr auto kImpatience = std::chrono::microseconds(50);
// The number of rounds in which even a full ring is read.
constexpr int kLastRounds = kRingBytes / kRecordAlignment / kRecordsPerRound;
// Each takes metadata of the records that wait, which is not charged, and a
// descriptor.
constexpr size_t kMostRingsOfAUser = 256;

Result<UniqueFd> MakeBell() {
  UniqueFd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell.valid()) return ErrnoError("eventfd", errno);
  return bell;
}

// A client's bell is edge-triggered and never read, because the client could
// make the read block.
Status Watch(int epoll, int bell, uint32_t events) {
  epoll_event event = {};
  event.events = events;
  event.data.fd = bell;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &event) == 0) return Status();
  return ErrnoError("watch a bell", errno);
}

bool ManyProcessors() { return std::thread::hardware_concurrency() > 1; }

}  // namespace

void Submissions::Inbox::Ring() const { ::eventfd_write(bell.get(), 1); }

Result<std::unique_ptr<Submissions>> Submissions::Start(Store* store) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return ErrnoError("epoll_create1", errno);
  auto bell = MakeBell();
  if (!bell) return bell.error();
  auto inbox = std::make_shared<Inbox>(std::move(*bell));
  if (Status ok = Watch(epoll.get(), inbox->bell.get(), EPOLLIN); !ok) {
    return ok.error();
  }
  return std::unique_ptr<Submissions>(
      new Submissions(store, std::move(epoll), std::move(inbox)));
}

Submissions::Submissions(Store* store, UniqueFd epoll,
                         std::shared_ptr<Inbox> inbox)
    : store_(store),
      epoll_(std::move(epoll)),
      inbox_(std::move(inbox)),
      thread_([this] { Run(); }) {}

Submissions::~Submissions() {
  stopping_ = true;
  inbox_->Ring();
  thread_.join();
}

Result<Submissions::Made> Submissions::Make(Credentials creator,
                                            const RingReader::Shape& shape) {
  // The first one is small; for a larger one nobody is to lose an object.
  auto charge = store_->memory().ShareWithClient(
      PayerOf(creator), RingFileBytes(shape.bytes),
      shape.bytes == kLeastRingBytes ? ClientMemoryNeed::kNow
                                     : ClientMemoryNeed::kIfThere);
  if (!charge) return charge.error();
  auto made = RingReader::Make(store_->small().small_object_bytes(), shape);
  if (!made) return made.error();
  auto bell = MakeBell();
  if (!bell) return bell.error();
  auto ring =
      std::make_shared<Ring>(std::move(made->reader), std::move(creator));
  ring->bell = UniqueFd(::fcntl(bell->get(), F_DUPFD_CLOEXEC, 0));
  if (!ring->bell.valid()) return ErrnoError("dup", errno);
  ring->charge = std::move(*charge);
  ring->reader.SetStoreSleeps(true);
  return Made{std::move(ring), {std::move(made->ring), std::move(*bell)}};
}

Status Submissions::Admit(uint64_t session, const Ring& ring) const {
  const auto found = rings_.find(session);
  if (found != rings_.end()) {
    const RingRef& former = found->second->former;
    if (former != nullptr && !former->forgotten) {
      return Error{Code::kTooMany,
                   "the session does not use its last ring yet"};
    }
    if (found->second->reader.bytes() < ring.reader.bytes()) return {};
    return Error{Code::kAlreadyExists, "the session has a ring as large"};
  }
  const auto of_user =
      std::count_if(rings_.begin(), rings_.end(), [&ring](const auto& entry) {
        return entry.second->creator.uid == ring.creator.uid;
      });
  if (static_cast<size_t>(of_user) < kMostRingsOfAUser) return {};
  return Error{Code::kUnsupported, "the user has as many rings as may be"};
}

Result<Submissions::Ends> Submissions::Open(uint64_t session,
                                            Credentials creator,
                                            const RingReader::Shape& shape,
                                            std::function<void()> on_nonsense) {
  if (store_->small().small_object_bytes() == 0) {
    return Error{Code::kUnsupported, "this store takes no small objects"};
  }
  if (!IsRingSize(shape.bytes)) {
    return Error{Code::kInvalidArgument, "a ring of no such size"};
  }
  auto made = Make(std::move(creator), shape);
  if (!made) return made.error();
  made->ring->on_nonsense = std::move(on_nonsense);
  MutexLock lock(mutex_);
  if (Status ok = Admit(session, *made->ring); !ok) return ok.error();
  if (Status ok = WatchBell(*made->ring); !ok) return ok.error();
  RingRef& current = rings_[session];
  if (current != nullptr) {
    made->ring->blanks = current->blanks;
    made->ring->former = current;
    former_.push_back(current);
  }
  current = std::move(made->ring);
  ++changes_;
  return std::move(made->ends);
}

Status Submissions::WatchBell(const Ring& ring) const {
  return Watch(epoll_.get(), ring.bell.get(), EPOLLIN | EPOLLET);
}

void Submissions::Close(uint64_t session, bool client_left) {
  {
    MutexLock lock(mutex_);
    const auto found = rings_.find(session);
    if (found == rings_.end()) return;
    for (RingRef ring = found->second; ring != nullptr; ring = ring->former) {
      ring->frees_pages = client_left;
      ring->closed = true;
    }
  }
  inbox_->Ring();
}

Submissions::Numbers Submissions::Count() const {
  MutexLock lock(mutex_);
  return {.rings = rings_.size(),
          .sealed = sealed_,
          .blanks_sealed = blanks_sealed_,
          .refused = refused_,
          .sleeps = sleeps_};
}

std::shared_ptr<SessionBlanks> Submissions::BlanksOf(uint64_t session) const {
  MutexLock lock(mutex_);
  const auto found = rings_.find(session);
  return found == rings_.end() ? nullptr : found->second->blanks;
}

std::vector<Submissions::RingRef> Submissions::Rings() const {
  MutexLock lock(mutex_);
  std::vector<RingRef> rings;
  rings.reserve(former_.size() + rings_.size());
  // First: what they have was submitted before.
  rings.insert(rings.end(), former_.begin(), former_.end());
  for (const auto& [session, ring] : rings_) rings.push_back(ring);
  return rings;
}

void Submissions::Run() {
  SetUpThread("submissions", ThreadPriority::kNormal);
  const bool waits_awake = ManyProcessors();
  Attention attention;
  Clock::time_point last_work = Clock::now();
  Clock::time_point awake_since = last_work;
  while (!stopping_) {
    const Clock::time_point now = Clock::now();
    const auto idle = now - std::max(last_work, awake_since);
    if (Round()) {
      attention.NoteWorkAfter(now - last_work);
      last_work = Clock::now();
    } else if (!waits_awake || idle > attention.Length()) {
      Sleep();
      awake_since = Clock::now();
    } else if (idle > kImpatience) {
      std::this_thread::yield();
    }
  }
}

bool Submissions::Round() {
  const uint64_t changes = changes_;
  if (changes != known_changes_) {
    known_ = Rings();
    known_changes_ = changes;
  }
  bool busy = TakeAnswers();
  for (const RingRef& ring : known_) busy |= Drain(ring);
  // Another look at one of them would take memory for it again.
  std::erase_if(known_,
                [](const RingRef& ring) { return ring->forgotten.load(); });
  return busy;
}

bool Submissions::TakeAnswers() {
  std::vector<std::pair<RingRef, Status>> answers;
  {
    MutexLock lock(inbox_->mutex);
    answers.swap(inbox_->answers);
  }
  for (const auto& [ring, status] : answers) {
    if (ring->forgotten) continue;
    if (std::exchange(ring->seals, false)) {
      AnswerSeal(ring.get(), status);
    } else {
      ring->waits_for_room = false;
      if (!status) Refuse(ring.get(), status);
    }
    Put(ring);
  }
  return !answers.empty();
}

bool Submissions::Drain(const RingRef& ring) {
  // Read first: records from before the client's end are then seen below.
  // Another process that has the ring may go on writing for ever.
  const bool closed = ring->closed;
  bool busy = false;
  if (!ring->broken && !ring->waits() && ring->reader.HasMore()) {
    busy = true;
    // The client uses this one when it has all answers of the former.
    if (ring->former != nullptr) ring->former->closed = true;
    if (Status ok = ring->reader.Read(kRecordsPerRound, &ring->records); !ok) {
      ring->broken = true;
      spdlog::info("ring of process {}: {}", ring->creator.pid,
                   ok.error().ToString());
      if (ring->on_nonsense) ring->on_nonsense();
    }
    Put(ring);
  }
  const bool waits = ring->former != nullptr && !ring->former->forgotten;
  if (closed && !ring->seals && !waits &&
      (!busy || ++ring->rounds_closed > kLastRounds)) {
    Forget(ring);
  }
  // One that waits for memory, or for a seal, is heard of in the inbox.
  return busy || (closed && waits && !ring->former->waits());
}

void Submissions::Forget(const RingRef& ring) {
  ring->forgotten = true;
  if (ring->waits_for_room) store_->small().EndWaitsForRoom(ring.get());
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, ring->bell.get(), nullptr);
  ring->bell = UniqueFd();
  bool was_last = false;
  {
    MutexLock lock(mutex_);
    ++changes_;
    was_last = std::erase(former_, ring) == 0;
    std::erase_if(rings_,
                  [&](const auto& entry) { return entry.second == ring; });
  }
  if (!was_last) return;  // The session's next ring may seal the blanks.
  for (const Ring* one = ring.get(); one != nullptr; one = one->former.get()) {
    if (one->frees_pages) one->reader.FreePages();
  }
  for (ObjectRef& blank : ring->blanks->Close()) {
    store_->blanks().DropBlank(std::move(blank));
  }
}

void Submissions::Put(const RingRef& ring) {
  const Records& records = ring->records;
  while (!records.empty() && !ring->waits()) {
    if (!records[0].content) {
      Refuse(ring.get(), records[0].content.error());
    } else if (records[0].blank() != nullptr) {
      SealBlank(ring);
    } else {
      PutSmall(ring);
    }
  }
}

void Submissions::PutSmall(const RingRef& ring) {
  std::vector<SmallObject> objects;
  for (const RingReader::Record& record : ring->records) {
    if (record.small() == nullptr) break;
    objects.push_back(*record.small());
  }
  std::vector<Status> answers;
  store_->small().PutSmall(ring->creator, objects, &answers);
  const bool full = answers.size() < objects.size();
  AnswerFirst(ring.get(), answers);
  if (full) WaitForRoom(ring);
}

void Submissions::SealBlank(const RingRef& ring) {
  const auto sealed = std::make_shared<Later<Status>>();
  SessionBlanks::SealOne(
      ring->blanks, &store_->blanks(), *ring->records[0].blank(),
      [sealed](Status status) { sealed->Arrive(std::move(status)); });
  if (const auto status = sealed->Take()) {
    return AnswerSeal(ring.get(), *status);
  }
  // A large one is copied.  Other rings go on meanwhile.
  ring->seals = true;
  sealed->Then(AnswerLater(ring));
}

std::function<void(Status)> Submissions::AnswerLater(
    const RingRef& ring) const {
  return [inbox = inbox_, ring](Status status) {
    {
      MutexLock lock(inbox->mutex);
      inbox->answers.emplace_back(ring, std::move(status));
    }
    inbox->Ring();
  };
}

void Submissions::AnswerSeal(Ring* ring, const Status& sealed) {
  if (sealed) ++blanks_sealed_;
  AnswerFirst(ring, {sealed});
}

void Submissions::AnswerFirst(Ring* ring, const std::vector<Status>& answers) {
  for (const Status& answer : answers) ++(answer ? sealed_ : refused_);
  // A record behind one that was refused has waited as long as that one.
  const bool any_sealed =
      std::any_of(answers.begin(), answers.end(),
                  [](const Status& answer) { return answer.has_value(); });
  if (any_sealed) ring->waiting_since.reset();
  ring->reader.Answer(answers);
  ring->records.erase(
      ring->records.begin(),
      ring->records.begin() + static_cast<ptrdiff_t>(answers.size()));
}

void Submissions::Refuse(Ring* ring, const Status& why) {
  if (!ring->records.empty()) AnswerFirst(ring, {why});
}

void Submissions::WaitForRoom(const RingRef& ring) {
  ring->waits_for_room = true;
  // If others took the room first, the ring gets no more time.
  if (!ring->waiting_since) ring->waiting_since = Clock::now();
  const SpaceWait wait{.deadline = server::DeadlineAfter(
                           ring->records[0].timeout_ms, *ring->waiting_since),
                       .uid = ring->creator.uid};
  store_->small().AddRoom(wait, AnswerLater(ring), ring.get());
}

// A ring that is opened later wakes the thread by its bell.
void Submissions::Sleep() {
  for (const RingRef& ring : known_) ring->reader.SetStoreSleeps(true);
  bool more = false;
  for (const RingRef& ring : known_) {
    more |= !ring->broken && !ring->waits() && ring->reader.HasMore();
  }
  if (!more) {
    ++sleeps_;
    std::array<epoll_event, 16> events;
    (void)::epoll_wait(epoll_.get(), events.data(),
                       static_cast<int>(events.size()), -1);
    eventfd_t rings = 0;
    ::eventfd_read(inbox_->bell.get(), &rings);
  }
  for (const RingRef& ring : known_) ring->reader.SetStoreSleeps(false);
}

}  // namespace vitrine::store
