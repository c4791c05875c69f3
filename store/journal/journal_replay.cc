#include "store/journal/journal_replay.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>
#include <utility>

namespace vitrine::store {

void JournalReplay::AddMarks(const std::vector<uint64_t>& numbers,
                             Mark::What what) {
  for (const uint64_t number : numbers) {
    marks_.push_back({number, objects_.size(), what});
  }
}

// Removals, departures and holds of unknown objects are ignored: they may have
// been recorded twice.
void JournalReplay::Apply(JournalRecord record) {
  if (auto* sealed = std::get_if<std::vector<JournaledObject>>(&record)) {
    for (JournaledObject& object : *sealed) {
      objects_.push_back(std::move(object));
    }
  } else if (const auto* removal = std::get_if<JournaledRemoval>(&record)) {
    AddMarks(removal->numbers, Mark::kRemoved);
  } else if (const auto* gone = std::get_if<JournaledDeparture>(&record)) {
    AddMarks(gone->numbers, Mark::kDeparted);
  } else if (const auto* hold = std::get_if<JournaledHold>(&record)) {
    marks_.push_back({hold->number, objects_.size(),
                      hold->hold ? Mark::kHeld : Mark::kUnheld});
  } else if (auto* tiers = std::get_if<JournaledTiers>(&record)) {
    tiers_ = std::move(tiers->numbers);
  }
}

void JournalReplay::NoteNumbers(JournalContents* contents) const {
  uint64_t& highest = contents->highest_number;
  for (const JournaledObject& object : objects_) {
    highest = std::max(highest, object.info.number);
    // One that was rewritten while it was elsewhere has no slab.
    if (object.info.slab != kLeftSlab) {
      highest = std::max(highest, object.info.slab);
    }
  }
  for (const Mark& mark : marks_) {
    highest = std::max(highest, mark.number);
    if (mark.what == Mark::kRemoved) contents->removed.push_back(mark.number);
  }
  std::sort(contents->removed.begin(), contents->removed.end());
}

void JournalReplay::Finish(JournalContents* contents) && {
  contents->tiers = std::move(tiers_);
  NoteNumbers(contents);
  std::vector<bool> gone(objects_.size());
  ApplyMarks(&gone);
  FindReplaced(&gone);
  size_t kept = 0;
  for (size_t i = 0; i < objects_.size(); ++i) {
    if (gone[i]) continue;
    if (kept != i) objects_[kept] = std::move(objects_[i]);
    ++kept;
  }
  objects_.erase(objects_.begin() + static_cast<ptrdiff_t>(kept),
                 objects_.end());
  contents->objects = std::move(objects_);
}

// Objects with the same number stay in the order of their records.
std::vector<size_t> JournalReplay::OrderByNumber() const {
  const auto number_of = [this](size_t i) { return objects_[i].info.number; };
  std::vector<size_t> order(objects_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // They are sorted, unless the journal was rewritten.
  const auto less = [&](size_t left, size_t right) {
    return number_of(left) < number_of(right);
  };
  if (!std::is_sorted(order.begin(), order.end(), less)) {
    std::stable_sort(order.begin(), order.end(), less);
  }
  return order;
}

// Walks through objects and marks by number, side by side.
void JournalReplay::ApplyMarks(std::vector<bool>* gone) {
  std::stable_sort(marks_.begin(), marks_.end(),
                   [](const Mark& left, const Mark& right) {
                     return left.number < right.number;
                   });
  auto mark = marks_.begin();
  const std::vector<size_t> order = OrderByNumber();
  for (size_t place = 0; place < order.size(); ++place) {
    const size_t i = order[place];
    const uint64_t number = objects_[i].info.number;
    const bool last = place + 1 == order.size() ||
                      objects_[order[place + 1]].info.number != number;
    if (!last) {  // A later one takes its place.
      (*gone)[i] = true;
      continue;
    }
    while (mark != marks_.end() && mark->number < number) ++mark;
    for (; mark != marks_.end() && mark->number == number; ++mark) {
      if (mark->position <= i) continue;
      if (mark->what == Mark::kRemoved) (*gone)[i] = true;
      Change(&objects_[i].info, mark->what);
    }
  }
}

void JournalReplay::Change(ObjectInfo* info, Mark::What what) {
  if (what == Mark::kHeld || what == Mark::kUnheld) {
    info->hold = what == Mark::kHeld;
  } else if (what == Mark::kDeparted) {
    MarkElsewhere(info);
  }
}

void JournalReplay::FindReplaced(std::vector<bool>* gone) const {
  std::vector<std::pair<size_t, size_t>> hashes;  // And where it is.
  hashes.reserve(objects_.size());
  for (size_t i = 0; i < objects_.size(); ++i) {
    if ((*gone)[i]) continue;
    hashes.emplace_back(std::hash<ObjectId>()(objects_[i].info.id), i);
  }
  std::sort(hashes.begin(), hashes.end());
  for (size_t first = 0; first < hashes.size(); ++first) {
    for (size_t next = first + 1;
         next < hashes.size() && hashes[next].first == hashes[first].first;
         ++next) {
      const ObjectInfo& left = objects_[hashes[first].second].info;
      const ObjectInfo& right = objects_[hashes[next].second].info;
      if (left.id != right.id) continue;
      const size_t older = left.number < right.number ? first : next;
      (*gone)[hashes[older].second] = true;
    }
  }
}

}  // namespace vitrine::store
