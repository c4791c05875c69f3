// Least recently used first: lists through the entries, one of all of them and
// one for each owner.
#include <unordered_map>

#include "store/table/eviction_policy.h"

namespace vitrine::store {
namespace {

// A ring through `ends_`: its next is the next victim, its previous was used
// last.
template <EvictionLinks EvictionEntry::*kLinks>
class LruList {
 public:
  LruList() { Of(&ends_) = {&ends_, &ends_}; }
  LruList(const LruList&) = delete;
  LruList& operator=(const LruList&) = delete;

  void LinkLast(EvictionEntry* entry) {
    Of(entry) = {Of(&ends_).previous, &ends_};
    Of(Of(&ends_).previous).next = entry;
    Of(&ends_).previous = entry;
    ++size_;
  }

  void Unlink(EvictionEntry* entry) {
    Of(Of(entry).previous).next = Of(entry).next;
    Of(Of(entry).next).previous = Of(entry).previous;
    Of(entry) = {};
    --size_;
  }

  void Visit(const std::function<bool(EvictionEntry* entry)>& visit) {
    for (EvictionEntry* entry = Of(&ends_).next; entry != &ends_;
         entry = Of(entry).next) {
      if (!visit(entry)) return;
    }
  }

  size_t size() const { return size_; }

 private:
  static EvictionLinks& Of(EvictionEntry* entry) { return entry->*kLinks; }

  EvictionEntry ends_;
  size_t size_ = 0;
};

class LruPolicy : public EvictionPolicy {
 public:
  void Add(EvictionEntry* entry) override {
    Remove(entry);
    all_.LinkLast(entry);
    by_owner_[entry->owner].LinkLast(entry);
  }

  void Remove(EvictionEntry* entry) override {
    if (!entry->known()) return;
    all_.Unlink(entry);
    by_owner_[entry->owner].Unlink(entry);
  }

  void Touch(EvictionEntry* entry) override {
    if (entry->known()) Add(entry);
  }

  void Visit(const std::function<bool(EvictionEntry* entry)>& visit) override {
    all_.Visit(visit);
  }

  void VisitOf(
      uid_t owner,
      const std::function<bool(EvictionEntry* entry)>& visit) override {
    const auto found = by_owner_.find(owner);
    if (found != by_owner_.end()) found->second.Visit(visit);
  }

  size_t size() const override { return all_.size(); }
  size_t SizeOf(uid_t owner) const override {
    const auto found = by_owner_.find(owner);
    return found == by_owner_.end() ? 0 : found->second.size();
  }
  const char* name() const override { return "lru"; }

 private:
  LruList<&EvictionEntry::all> all_;
  std::unordered_map<uid_t, LruList<&EvictionEntry::of_owner>> by_owner_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> MakeLruPolicy() {
  return std::make_unique<LruPolicy>();
}

}  // namespace vitrine::store
