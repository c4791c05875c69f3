#include "client/index/session_stripe.h"

#include <atomic>
#include <cassert>

namespace vitrine {

size_t MyStripe() {
  static std::atomic<size_t> threads{0};
  static thread_local const size_t stripe =
      threads.fetch_add(1, std::memory_order_relaxed) % kPageStripes;
  return stripe;
}

int SessionStripe::Pin(uint32_t slot, uint64_t generation) {
  if (page_ == nullptr) return kNoPin;
  uint32_t pin = pins_high_water_;
  if (!free_pins_.empty()) {
    pin = free_pins_.back();
    free_pins_.pop_back();
  } else if (pin < kPinsPerStripe) {
    // Before the pin itself: the store's scan ends here.
    page_->pins_high_water.store(++pins_high_water_, std::memory_order_relaxed);
  } else {
    return kNoPin;
  }
  assert(page_->pins[pin].load(std::memory_order_relaxed) == 0);
  page_->pins[pin].store(MakePin(slot, generation), std::memory_order_seq_cst);
  return static_cast<int>(pin);
}

void SessionStripe::Unpin(int pin) {
  if (page_ == nullptr) return;
  // The pin is zero already if the store has freed the page: the session ended.
  const auto number = static_cast<uint16_t>(pin);
  page_->pins[number].store(0, std::memory_order_release);
  free_pins_.push_back(number);
}

void SessionStripe::Touch(uint32_t slot) {
  if (page_ == nullptr) return;
  page_->touches[touch_count_ % kTouchesPerStripe].store(
      slot, std::memory_order_relaxed);
  page_->touch_count.store(++touch_count_, std::memory_order_release);
}

}  // namespace vitrine
