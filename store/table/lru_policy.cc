// Least recently used first: a list through the entries.
#include "store/table/eviction_policy.h"

namespace vitrine::store {
namespace {

// The list is a ring through `ends_`: ends_.next is the next victim,
// ends_.previous was used last.
class LruPolicy : public EvictionPolicy {
 public:
  LruPolicy() { ends_.previous = ends_.next = &ends_; }
  LruPolicy(const LruPolicy&) = delete;
  LruPolicy& operator=(const LruPolicy&) = delete;

  void Add(EvictionEntry* entry) override {
    Remove(entry);
    LinkLast(entry);
    ++size_;
  }

  void Remove(EvictionEntry* entry) override {
    if (!entry->known()) return;
    Unlink(entry);
    entry->previous = entry->next = nullptr;
    --size_;
  }

  void Touch(EvictionEntry* entry) override {
    if (!entry->known()) return;
    Unlink(entry);
    LinkLast(entry);
  }

  void Visit(const std::function<bool(EvictionEntry* entry)>& visit) override {
    for (EvictionEntry* entry = ends_.next; entry != &ends_;
         entry = entry->next) {
      if (!visit(entry)) return;
    }
  }

  size_t size() const override { return size_; }
  const char* name() const override { return "lru"; }

 private:
  static void Unlink(EvictionEntry* entry) {
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
  }

  void LinkLast(EvictionEntry* entry) {
    entry->previous = ends_.previous;
    entry->next = &ends_;
    ends_.previous->next = entry;
    ends_.previous = entry;
  }

  EvictionEntry ends_;
  size_t size_ = 0;
};

}  // namespace

std::unique_ptr<EvictionPolicy> MakeLruPolicy() {
  return std::make_unique<LruPolicy>();
}

}  // namespace vitrine::store
