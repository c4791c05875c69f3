#include "store/table/change_log.h"

#include <spdlog/spdlog.h>

namespace vitrine::store {
namespace {

void WarnIfFailed(const Status& recorded) {
  if (!recorded) spdlog::warn("journal: {}", recorded.error().ToString());
}

}  // namespace

Status ChangeLog::RecordDeparted(std::span<const ObjectRef> objects) {
  std::vector<uint64_t> numbers;
  numbers.reserve(objects.size());
  for (const ObjectRef& object : objects) numbers.push_back(object->number);
  return journal_.RecordDeparted(numbers);
}

void ChangeLog::RecordRemoved(std::span<const ObjectRef> objects) {
  std::vector<uint64_t> numbers;
  numbers.reserve(objects.size());
  Journal::Removed removed{};
  for (const ObjectRef& object : objects) {
    numbers.push_back(object->number);
    removed.bytes += SealedRecordBytes(object->id.text(), object->metadata(),
                                       object->in_slab());
    if (!object->elsewhere) ++removed.in_memory;
  }
  removed.numbers = numbers;
  WarnIfFailed(journal_.RecordRemoved(removed));
}

void ChangeLog::RecordLost(const JournaledObject& object) {
  const ObjectInfo& info = object.info;
  WarnIfFailed(journal_.RecordRemoved(
      {.numbers = {&info.number, 1},
       .bytes = SealedRecordBytes(info.id.text(), MetadataOf(object.metadata),
                                  info.in_slab()),
       .in_memory = info.elsewhere ? 0U : 1U}));
}

void ChangeLog::RewriteIfWanted(
    const std::function<void(const Journal::Visitor&)>& for_each) {
  if (journal_.WantsRewrite()) WarnIfFailed(journal_.Rewrite(for_each));
}

void ChangeLog::Notify(ObjectEventKind kind, const ObjectRecord& object,
                       const ObjectId& old_id) const {
  if (!observers_.empty()) Tell({kind, object.Info(), old_id});
}

void ChangeLog::Notify(ObjectEventKind kind, const ObjectRecord& object) const {
  if (!observers_.empty()) Notify(kind, object, object.id.ToObjectId());
}

void ChangeLog::Tell(const ObjectEvent& event) const {
  for (Observer* observer : observers_) observer->OnEvent(event);
}

}  // namespace vitrine::store
