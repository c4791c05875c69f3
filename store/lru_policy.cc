// Least recently used first: an intrusive list through the entries of a hash
// table, so that an object costs one allocation and about 56 bytes (a node of
// 48 with malloc's header, and its share of the buckets).
#include <unordered_map>

#include "store/eviction_policy.h"

namespace vitrine {
namespace {

// The list is a ring through `ends_`: ends_.next is the next victim,
// ends_.previous was used last.  Entries stay where they are when the hash
// table grows, so the links stay valid.
class LruPolicy : public EvictionPolicy {
 public:
  LruPolicy() : ends_{0, &ends_, &ends_} {}
  LruPolicy(const LruPolicy&) = delete;
  LruPolicy& operator=(const LruPolicy&) = delete;

  void Add(uint64_t number) override {
    const auto [it, added] = entries_.try_emplace(number);
    Entry* entry = &it->second;
    if (added) {
      entry->number = number;
    } else {
      Unlink(entry);
    }
    LinkLast(entry);
  }

  void Remove(uint64_t number) override {
    const auto it = entries_.find(number);
    if (it == entries_.end()) return;
    Unlink(&it->second);
    entries_.erase(it);
  }

  void Touch(uint64_t number) override {
    const auto it = entries_.find(number);
    if (it == entries_.end()) return;
    Unlink(&it->second);
    LinkLast(&it->second);
  }

  void Visit(const std::function<bool(uint64_t number)>& visit) override {
    for (const Entry* entry = ends_.next; entry != &ends_;
         entry = entry->next) {
      if (!visit(entry->number)) return;
    }
  }

  size_t size() const override { return entries_.size(); }
  const char* name() const override { return "lru"; }

 private:
  struct Entry {
    uint64_t number = 0;
    Entry* previous = nullptr;
    Entry* next = nullptr;
  };

  static void Unlink(Entry* entry) {
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
  }

  void LinkLast(Entry* entry) {
    entry->previous = ends_.previous;
    entry->next = &ends_;
    ends_.previous->next = entry;
    ends_.previous = entry;
  }

  Entry ends_;
  std::unordered_map<uint64_t, Entry> entries_;
};

}  // namespace

std::unique_ptr<EvictionPolicy> MakeLruPolicy() {
  return std::make_unique<LruPolicy>();
}

}  // namespace vitrine
