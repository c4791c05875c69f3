// Who is to be woken once a lock is given up.
#ifndef VITRINE_STORE_INDEX_PENDING_WAKES_H_
#define VITRINE_STORE_INDEX_PENDING_WAKES_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "schema/base/futex.h"

namespace vitrine::store {

// Futexes whose sleepers wake when this goes.  Made before a lock is taken, it
// goes after the lock: waking thousands takes long, and nobody else should wait
// for that.
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
