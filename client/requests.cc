// Methods that are one request to the store.
#include <algorithm>
#include <utility>

#include "client/calls/messages.h"
#include "client/client_impl.h"

namespace vitrine {
namespace {

constexpr uint32_t kListPage = 1024;
// The store may have to write evicted objects to another tier.
constexpr std::chrono::minutes kEvictPatience{60};

Error CorruptReply(const char* what) {
  return Error{Code::kCorruption, std::string("the store sent ") + what};
}

// Adds a page of objects.  True: it was the last one.
Result<bool> TakePage(const protocol::ListReply& reply, uint64_t* after,
                      std::vector<ObjectStat>* objects) {
  if (reply.objects() != nullptr) {
    for (const protocol::ObjectInfo* info : *reply.objects()) {
      auto stat = UnpackStat(*info);
      if (!stat) return stat.error();
      objects->push_back(std::move(*stat));
    }
  }
  if (reply.done()) return true;
  if (reply.next_after() <= *after)
    return CorruptReply("a list without an end");
  *after = reply.next_after();
  return false;
}

template <typename Body>
Status AskForDone(ClientCore& core, Body body) {
  auto session = core.Current();
  if (!session) return session.error();
  auto answer = (*session)->calls().Ask<protocol::Done>(std::move(body));
  if (!answer) return answer.error();
  return {};
}

}  // namespace

Result<ObjectStat> ClientImpl::Stat(const ObjectId& id) {
  auto session = core_->Current();
  if (!session) return session.error();
  auto answer = (*session)->calls().Ask<protocol::StatReply>(
      protocol::StatT{{}, id.text()});
  if (!answer) return answer.error();
  return UnpackStat(*(*answer)->info());
}

Result<Metadata> ClientImpl::GetMetadata(const ObjectId& id) {
  auto session = core_->Current();
  if (!session) return session.error();
  return AskForMetadata((*session)->calls(), id.text());
}

Result<std::vector<ObjectStat>> ClientImpl::List(Listed which) {
  auto session = core_->Current();
  if (!session) return session.error();
  std::vector<ObjectStat> objects;
  uint64_t after = 0;
  while (true) {
    auto answer = (*session)->calls().Ask<protocol::ListReply>(
        protocol::ListT{{}, after, kListPage, which == Listed::kUnsealed});
    if (!answer) return answer.error();
    auto last = TakePage(*answer->table, &after, &objects);
    if (!last) return last.error();
    if (*last) return objects;
  }
}

Result<std::vector<Status>> ClientImpl::DeleteMany(
    std::span<const ObjectId> ids) {
  std::vector<Status> results;
  results.reserve(ids.size());
  for (size_t first = 0; first < ids.size(); first += kMaxIdsPerRequest) {
    auto done = DeleteSome(
        ids.subspan(first, std::min(kMaxIdsPerRequest, ids.size() - first)),
        &results);
    if (!done) return done.error();
  }
  if (ids.empty()) {
    auto session = core_->Current();
    if (!session) return session.error();
  }
  return results;
}

Status ClientImpl::DeleteSome(std::span<const ObjectId> ids,
                              std::vector<Status>* results) {
  auto session = core_->Current();
  if (!session) return session.error();
  protocol::DeleteT request;
  std::vector<uint64_t> segments;
  for (const ObjectId& id : ids) {
    request.ids.push_back(id.text());
    IndexReader::Entry entry;
    // An object at an offset is one of many in a segment that is still needed.
    if (core_->TryFind(id, &entry).outcome == ClientCore::Outcome::kGot &&
        entry.offset == 0) {
      segments.push_back(entry.segment);
    }
  }
  auto answer =
      (*session)->calls().Ask<protocol::DeleteReply>(std::move(request));
  if (!answer) return answer.error();
  const auto* codes = (*answer)->codes();
  if (codes == nullptr || codes->size() != ids.size()) {
    return CorruptReply("results for other ids");
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    const uint8_t code = codes->Get(static_cast<uint32_t>(i));
    results->push_back(
        code == 0 ? Status()
                  : Status(Error{ToCode(code), "'" + ids[i].text() + "'"}));
  }
  // The memory is freed with the last mapping.
  (*session)->segments().Drop(segments);
  return {};
}

Result<uint64_t> ClientImpl::Evict(uint64_t bytes) {
  auto session = core_->Current();
  if (!session) return session.error();
  auto answer = (*session)->calls().Ask<protocol::EvictReply>(
      protocol::EvictT{{}, bytes}, Clock::now() + kEvictPatience);
  if (!answer) return answer.error();
  return (*answer)->bytes();
}

Status ClientImpl::SetHold(const ObjectId& id, bool hold) {
  return AskForDone(*core_, protocol::SetHoldT{{}, id.text(), hold});
}

Status ClientImpl::SealByName(const ObjectId& id) {
  return AskForDone(*core_, protocol::SealByNameT{{}, id.text()});
}

Status ClientImpl::AbortByName(const ObjectId& id) {
  return AskForDone(*core_, protocol::AbortByNameT{{}, id.text()});
}

Result<std::vector<Account>> ClientImpl::GetAccounts() {
  auto session = core_->Current();
  if (!session) return session.error();
  return AskForAccounts((*session)->calls());
}

Status ClientImpl::SetQuota(Account::Kind kind, std::optional<uint32_t> id,
                            const std::string& limits) {
  protocol::SetQuotaT request;
  request.group = kind == Account::Kind::kGroup;
  request.each = !id;
  request.id = id.value_or(0);
  request.limits = limits;
  return AskForDone(*core_, std::move(request));
}

Result<std::string> ClientImpl::GetStatus() {
  auto session = core_->Current();
  if (!session) return session.error();
  return AskForStatus((*session)->calls());
}

Result<std::string> ClientImpl::StateDir() {
  auto session = core_->Current();
  if (!session) return session.error();
  return (*session)->state_dir();
}

}  // namespace vitrine
