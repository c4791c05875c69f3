// What a change of the object table leaves behind: a journal record, so that a
// restart knows of it, and an event, so that the observers do.
//
// Invariant:
//  (1) Observers hear of changes in the order in which they happened.
#ifndef VITRINE_STORE_TABLE_CHANGE_LOG_H_
#define VITRINE_STORE_TABLE_CHANGE_LOG_H_

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "store/base/observer.h"
#include "store/journal/journal.h"
#include "store/table/object_record.h"

namespace vitrine::store {

// Owns the journal, not the observers.  Not thread-safe: the object table's
// lock guards it.
class ChangeLog {
 public:
  explicit ChangeLog(Journal journal) : journal_(std::move(journal)) {}

  void AddObserver(Observer* observer) { observers_.push_back(observer); }
  void RemoveObserver(Observer* observer) { std::erase(observers_, observer); }
  const std::vector<Observer*>& observers() const { return observers_; }

  // --- what a restart is to know; as Journal's methods of these names ---
  Status RecordSealed(const ObjectRecord& object) {
    return journal_.RecordSealed(object.Info(), object.metadata());
  }
  Status RecordSealedInSlabs(std::span<const JournaledObject> objects) {
    return journal_.RecordSealedInSlabs(objects);
  }
  Status RecordMoved(std::span<const JournaledObject> objects) {
    return journal_.RecordMoved(objects);
  }
  Status RecordHold(uint64_t number, bool hold) {
    return journal_.RecordHold(number, hold);
  }
  Status RecordDeparted(std::span<const ObjectRef> objects);
  Status RecordReturned(const JournaledObject& object) {
    return journal_.RecordReturned(object);
  }
  // A failure is logged: a record that outlives its segment is ignored by the
  // next restart.
  void RecordRemoved(std::span<const ObjectRef> objects);
  // The same, of what a restart found in the journal and cannot restore.
  void RecordLost(const JournaledObject& object);

  // `for_each` as for Journal::Rewrite, `tiers` as for SetTiers.
  Status RewriteFor(
      std::vector<uint64_t> tiers,
      const std::function<void(const Journal::Visitor&)>& for_each) {
    journal_.SetTiers(std::move(tiers));
    return journal_.Rewrite(for_each);
  }
  // The same, if most of the journal is dead.
  void RewriteIfWanted(
      const std::function<void(const Journal::Visitor&)>& for_each);
  uint64_t journal_bytes() const { return journal_.size_bytes(); }

  // --- what observers are to hear ---
  void Notify(ObjectEventKind kind, const ObjectRecord& object,
              const ObjectId& old_id) const;
  void Notify(ObjectEventKind kind, const ObjectRecord& object) const;
  void Tell(const ObjectEvent& event) const;

 private:
  Journal journal_;
  std::vector<Observer*> observers_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_CHANGE_LOG_H_
