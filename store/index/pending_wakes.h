// Wake-ups that are delayed until a lock is given back.
#ifndef VITRINE_STORE_INDEX_PENDING_WAKES_H_
#define VITRINE_STORE_INDEX_PENDING_WAKES_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "schema/base/futex.h"

namespace vitrine::store {

// Its destructor wakes the sleepers of its futexes.  Declared before a lock, it
// is destroyed after the lock is given back: waking thousands takes long, and
// other threads should not wait for that.
class PendingWakes {
 public:
  PendingWakes() = default;
  PendingWakes(const PendingWakes&) = delete;
  PendingWakes& operator=(const PendingWakes&) = delete;
  ~PendingWakes() {
    std::sort(words_.begin(), words_.end());
    words_.erase(std::unique(words_.begin(), words_.end()), words_.end());
    for (const auto* word : words_) WakeFutex(word);
  }

  void Add(const std::atomic<uint32_t>* word) { words_.push_back(word); }

 private:
  std::vector<const std::atomic<uint32_t>*> words_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_INDEX_PENDING_WAKES_H_
