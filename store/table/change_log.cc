#include "store/table/change_log.h"

#include <spdlog/spdlog.h>

namespace vitrine::store {
namespace {

void WarnIfFailed(const Status& recorded) {
  if (!recorded) spdlog::warn("journal: {}", recorded.error().ToString());
}

}  // namespace

void ChangeLog::RecordRemoved(std::span<const ObjectRef> objects) {
  std::vector<uint64_t> numbers;
  numbers.reserve(objects.size());
  uint64_t bytes = 0;
  for (const ObjectRef& object : objects) {
    numbers.push_back(object->number);
    bytes += SealedRecordBytes(object->id.text(), object->metadata(),
                               object->in_slab());
  }
  WarnIfFailed(journal_.RecordRemoved(numbers, bytes));
}

void ChangeLog::RecordLost(const JournaledObject& object) {
  WarnIfFailed(journal_.RecordRemoved(
      {&object.info.number, 1},
      SealedRecordBytes(object.info.id.text(), MetadataOf(object.metadata),
                        object.info.in_slab())));
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
