#include "client/ring/blank_stock.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "schema/protocol.h"

namespace vitrine {
namespace {

// After the store had no memory, or wanted it back.
constexpr std::chrono::milliseconds kRefusalPause{20};
constexpr std::chrono::seconds kRecallPause{1};

// Objects of one class differ by less than a quarter.
uint64_t SizeClass(uint64_t size_bytes) {
  const uint64_t step = std::max<uint64_t>(std::bit_floor(size_bytes) / 4, 1);
  return (size_bytes + step - 1) / step * step;
}

}  // namespace

size_t BlankStock::Kind::Target() const {
  if (takes < kSteadyTakes) return 0;
  return std::clamp<size_t>(kMostAheadBytes / 2 / size_bytes, 1, kMostAhead);
}

BlankStock::BlankStock(Parts parts)
    : parts_(std::move(parts)),
      fork_generation_(ForkGeneration()),
      state_(std::make_unique<State>()) {}

BlankStock::~BlankStock() {
  // A child does not inherit the mappings; their addresses may be in other use,
  // and a thread of the parent may have been changing the vectors.
  if (fork_generation_ != ForkGeneration()) (void)state_.release();
}

std::optional<Blank> BlankStock::Take(uint64_t size_bytes, unsigned mode) {
  if (refused_.load(std::memory_order_relaxed)) return std::nullopt;
  std::optional<Blank> taken;
  bool wants = false;
  {
    MutexLock lock(mutex_);
    if (state_->closed) return std::nullopt;
    const Deadline now = Clock::now();
    Kind& kind = *FindOrAdd(size_bytes, mode);
    kind.takes = now - kind.last_take < kPause ? kind.takes + 1 : 1;
    kind.takes = std::min(kind.takes, kSteadyTakes);
    kind.last_take = now;
    kind.size_bytes = std::max(kind.size_bytes, size_bytes);
    const auto fit = std::find_if(
        kind.ready.rbegin(), kind.ready.rend(),
        [&](const Blank& blank) { return blank.size_bytes >= size_bytes; });
    if (fit != kind.ready.rend()) {
      taken = std::move(*fit);
      kind.ready.erase(std::next(fit).base());
    } else {
      Discard(&kind.ready);  // Objects of this kind have become larger.
    }
    wants = IsWanting(kind, now) || !state_->unwanted.empty();
  }
  if (wants) parts_.wake();
  return taken;
}

BlankStock::Kind* BlankStock::FindOrAdd(uint64_t size_bytes, unsigned mode) {
  std::vector<Kind>& kinds = state_->kinds;
  const uint64_t size_class = SizeClass(size_bytes);
  const auto found = std::find_if(
      kinds.begin(), kinds.end(),
      [&](const Kind& kind) { return kind.IsFor(size_class, mode); });
  if (found != kinds.end()) return &*found;
  if (kinds.size() >= kMostKinds) {
    const auto oldest = std::min_element(
        kinds.begin(), kinds.end(),
        [](const Kind& a, const Kind& b) { return a.last_take < b.last_take; });
    Discard(&oldest->ready);
    kinds.erase(oldest);
  }
  kinds.push_back(
      {.size_class = size_class, .mode = mode, .size_bytes = size_bytes});
  return &kinds.back();
}

// Half of them are used up, so that the store refills many at once.
bool BlankStock::IsWanting(const Kind& kind, Deadline now) {
  return kind.Target() > 0 && kind.ready.size() * 2 <= kind.Target() &&
         now >= kind.not_before && now - kind.last_take < kIdle;
}

uint64_t BlankStock::ReadyBytes() const {
  uint64_t bytes = 0;
  for (const Kind& kind : state_->kinds) {
    for (const Blank& blank : kind.ready) bytes += blank.size_bytes;
  }
  return bytes;
}

void BlankStock::Discard(std::vector<Blank>* blanks) {
  for (const Blank& blank : *blanks) state_->unwanted.push_back(blank.number);
  blanks->clear();
}

void BlankStock::GiveBack(uint64_t number) {
  {
    MutexLock lock(mutex_);
    state_->unwanted.push_back(number);
  }
  parts_.wake();
}

void BlankStock::Recall() {
  MutexLock lock(mutex_);
  for (Kind& kind : state_->kinds) {
    Discard(&kind.ready);
    kind.not_before = Clock::now() + kRecallPause;
  }
}

void BlankStock::Close() {
  // A thread of the parent may have held the lock at the fork.
  if (fork_generation_ != ForkGeneration()) return;
  MutexLock lock(mutex_);
  state_->closed = true;
  state_->kinds.clear();
}

Deadline BlankStock::NextTending() const {
  Deadline next = kNoDeadline;
  MutexLock lock(mutex_);
  for (const Kind& kind : state_->kinds) {
    if (!kind.ready.empty()) next = std::min(next, kind.last_take + kIdle);
  }
  return next;
}

void BlankStock::Tend(int cancel_fd) {
  DiscardIdle();
  SendUnwanted(cancel_fd);
  while (const auto wish = NextWish()) {
    std::vector<Blank> blanks;
    const Status asked = Ask(*wish, cancel_fd, &blanks);
    Settle(*wish, asked, std::move(blanks));
  }
  SendUnwanted(cancel_fd);
}

void BlankStock::DiscardIdle() {
  MutexLock lock(mutex_);
  const Deadline before = Clock::now() - kIdle;
  for (Kind& kind : state_->kinds) {
    if (kind.last_take <= before) Discard(&kind.ready);
  }
}

void BlankStock::SendUnwanted(int cancel_fd) {
  protocol::DropBlanksT request;
  {
    MutexLock lock(mutex_);
    request.numbers.swap(state_->unwanted);
  }
  if (request.numbers.empty()) return;
  const std::vector<uint64_t> numbers = request.numbers;
  auto done = parts_.calls->Ask<protocol::Done>(std::move(request),
                                                Clock::now(), cancel_fd);
  if (done) return;
  // Another time: the store may know them still.
  MutexLock lock(mutex_);
  state_->unwanted.insert(state_->unwanted.end(), numbers.begin(),
                          numbers.end());
}

std::optional<BlankStock::Wish> BlankStock::NextWish() {
  if (refused_) return std::nullopt;
  MutexLock lock(mutex_);
  const Deadline now = Clock::now();
  const uint64_t ready_bytes = ReadyBytes();
  for (const Kind& kind : state_->kinds) {
    if (!IsWanting(kind, now)) continue;
    const uint64_t room =
        (kMostAheadBytes - std::min(kMostAheadBytes, ready_bytes)) /
        kind.size_bytes;
    const size_t count =
        std::min<size_t>(kind.Target() - kind.ready.size(), room);
    if (count == 0) continue;
    return Wish{kind.size_class, kind.mode, kind.size_bytes, count};
  }
  return std::nullopt;
}

Status BlankStock::Ask(const Wish& wish, int cancel_fd,
                       std::vector<Blank>* blanks) {
  auto ring = parts_.ring->Get();
  if (!ring) return ring.error();
  if (*ring == nullptr) {
    return Error{Code::kUnsupported, "this store has no rings"};
  }
  Status asked;
  while (asked && blanks->size() < wish.count) {
    asked = AskForSome(
        wish, std::min(wish.count - blanks->size(), kMaxBlanksPerRequest),
        cancel_fd, blanks);
  }
  if (blanks->empty()) return asked;
  // Invariant (2).  Any connection will do: the store serves all of them by one
  // thread.
  auto closed = parts_.calls->Ask<protocol::BlanksReply>(
      protocol::BlanksT{}, Clock::now(), cancel_fd);
  if (closed) return asked;
  MutexLock lock(mutex_);
  Discard(blanks);
  return closed.error();
}

Status BlankStock::AskForSome(const Wish& wish, size_t count, int cancel_fd,
                              std::vector<Blank>* blanks) {
  const uint64_t forks_before = ForksBegun();
  protocol::BlanksT request;
  request.size_bytes = wish.size_bytes;
  request.mode = wish.mode;
  request.count = static_cast<uint32_t>(count);
  auto answer = parts_.calls->Ask<protocol::BlanksReply>(request, Clock::now(),
                                                         cancel_fd);
  if (!answer) return answer.error();
  const auto* const numbers = (*answer)->numbers();
  const size_t made = numbers == nullptr ? 0 : numbers->size();
  if (made != answer->fds.size() || made > count) {
    return Error{Code::kCorruption, "the store sent other blanks"};
  }
  for (size_t i = 0; i < made; ++i) {
    const uint64_t number = numbers->Get(static_cast<uint32_t>(i));
    auto mapping = parts_.map(answer->fds[i], wish.size_bytes);
    if (mapping) {
      blanks->push_back({number, wish.size_bytes, wish.mode,
                         std::move(*mapping), forks_before});
    } else {
      GiveBack(number);
    }
  }
  if (made == count) return {};
  return Error{Code::kOutOfMemory, "the store gives no more blanks now"};
}

void BlankStock::Settle(const Wish& wish, const Status& asked,
                        std::vector<Blank> got) {
  if (!asked && asked.error().code == Code::kUnsupported) refused_ = true;
  MutexLock lock(mutex_);
  for (Kind& kind : state_->kinds) {
    if (!kind.IsFor(wish.size_class, wish.mode)) continue;
    if (!asked) kind.not_before = Clock::now() + kRefusalPause;
    for (Blank& blank : got) kind.ready.push_back(std::move(blank));
    return;
  }
  Discard(&got);  // The kind was given up meanwhile.
}

}  // namespace vitrine
