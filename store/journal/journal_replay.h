// What a journal's records, one after the other, leave to be restored.
#ifndef VITRINE_STORE_JOURNAL_JOURNAL_REPLAY_H_
#define VITRINE_STORE_JOURNAL_JOURNAL_REPLAY_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "store/journal/journal_record.h"

namespace vitrine::store {

// Only notes what the records say, and finds out at the end: tables of a
// million objects would cost most of a restart.
class JournalReplay {
 public:
  void Apply(JournalRecord record);
  // The objects that live, each number and each id once: of two with one id the
  // one with the greater number counts.
  std::vector<JournaledObject> Finish() &&;

 private:
  // What a record says of an object that records before it have sealed.
  struct Mark {
    uint64_t number;
    size_t position;  // Of objects_, when it was made.
    enum { kRemoved, kHeld, kUnheld } what;
  };

  std::vector<size_t> OrderByNumber() const;
  void ApplyMarks(std::vector<bool>* gone);
  void FindReplaced(std::vector<bool>* gone) const;

  std::vector<JournaledObject> objects_;  // As they were sealed.
  std::vector<Mark> marks_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_JOURNAL_JOURNAL_REPLAY_H_
