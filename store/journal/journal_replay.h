// Replays a journal's records and finds the objects to be restored.
#ifndef VITRINE_STORE_JOURNAL_JOURNAL_REPLAY_H_
#define VITRINE_STORE_JOURNAL_JOURNAL_REPLAY_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "store/journal/journal_record.h"

namespace vitrine::store {

// Bytes of a journal that are no records.
struct JournalDamage {
  uint64_t places = 0;
  uint64_t bytes = 0;
};

struct JournalContents {
  // The live objects, each number and each id once.  Of two with the same id,
  // the one with the greater number is taken.
  std::vector<JournaledObject> objects;
  std::vector<uint64_t> removed;  // Numbers, in order.
  uint64_t highest_number = 0;    // Of all objects and slabs, dead or alive.
  JournalDamage damage;
  bool unreadable = false;  // It is empty, or not even its head can be read.
  bool missing() const { return unreadable && damage.bytes == 0; }
};

// Only collects the records, and evaluates them at the end: hash tables of a
// million objects would take most of a restart's time.
class JournalReplay {
 public:
  void Apply(JournalRecord record);
  // Adds what was applied to `contents`.
  void Finish(JournalContents* contents) &&;

 private:
  // A change (removal or hold) of an object that an earlier record has sealed.
  struct Mark {
    uint64_t number;
    size_t position;  // Of objects_, when it was made.
    enum { kRemoved, kHeld, kUnheld } what;
  };

  void NoteNumbers(JournalContents* contents) const;
  std::vector<size_t> OrderByNumber() const;
  void ApplyMarks(std::vector<bool>* gone);
  void FindReplaced(std::vector<bool>* gone) const;

  std::vector<JournaledObject> objects_;  // As they were sealed.
  std::vector<Mark> marks_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_JOURNAL_JOURNAL_REPLAY_H_
