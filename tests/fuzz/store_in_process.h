// One store for all inputs of a fuzzer, and what must hold after each.
#ifndef VITRINE_TESTS_FUZZ_STORE_IN_PROCESS_H_
#define VITRINE_TESTS_FUZZ_STORE_IN_PROCESS_H_

#include <spdlog/spdlog.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "store/store.h"
#include "tests/fuzz/input.h"
#include "tests/store/store_calls.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::fuzz {

class StoreInProcess {
 public:
  static constexpr uint64_t kCapacityBytes = 16 << 20;

  StoreInProcess() {
    spdlog::set_level(spdlog::level::off);
    std::filesystem::create_directory(dir_.path() + "/memory");
    std::filesystem::permissions(dir_.path(), std::filesystem::perms(0755));
    store::StoreOptions options;
    options.capacity_bytes = kCapacityBytes;
    options.state_dir = dir_.path() + "/state";
    options.memory_dir = dir_.path() + "/memory";
    auto opened = store::Store::Open(options);
    FUZZ_OK(opened);
    store_ = *std::move(opened);
    ExpectNoHarm();
    used_bytes_ = UsedBytes();
  }

  store::Store& operator*() const { return *store_; }
  store::Store* operator->() const { return store_.get(); }
  store::Store* get() const { return store_.get(); }
  std::string path(const std::string& name) const {
    return dir_.path() + "/" + name;
  }

  // Whatever was done to it, the store takes an object, gives it out as it was,
  // and has all memory back afterwards.
  void ExpectNoHarm() {
    DeleteAll();
    ExpectPuts();
    FUZZ_CHECK(Settles([this] {
      DeleteAll();
      return UsedBytes() <= used_bytes_ && Unsealed().empty();
    }));
  }

  // True as soon as it holds.  Sleeps less than Eventually at first, because
  // the next input waits for it.
  template <typename Condition>
  static bool Settles(Condition condition) {
    for (int i = 0; i < 200; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    return Eventually(condition);
  }

 private:
  uint64_t UsedBytes() const { return store_->facts().GetUsage().used_bytes; }
  std::vector<store::ObjectRef> Unsealed() const {
    return store_->objects().List(store::ObjectState::kUnsealed);
  }

  void DeleteAll() {
    for (const auto& object :
         store_->objects().List(store::ObjectState::kSealed)) {
      const Status gone = store_->sealed().Delete(object, {});
      FUZZ_CHECK(gone || gone.error().code == Code::kNotFound);
    }
  }

  void ExpectPuts() {
    static const std::string kText = "the store still works";
    const store::SmallObject object{*ObjectId::FromText("witness"), 0644,
                                    std::as_bytes(std::span(kText))};
    std::vector<Status> results;
    FUZZ_CHECK(Settles([&] { return TryPut(object, &results); }));
    FUZZ_OK(results.at(0));
    FUZZ_CHECK(store::ReadSealed(store_.get(), "witness") == kText);
  }
  // False: there is no room yet.
  bool TryPut(const store::SmallObject& object, std::vector<Status>* results) {
    store_->small().PutSmall({}, std::span(&object, 1), results);
    if (!results->empty()) return true;
    store_->small().AddRoom({.deadline = store::Deadline::min()},
                            [](const Status&) {});
    return false;
  }

  ScratchDir dir_;
  std::unique_ptr<store::Store> store_;
  uint64_t used_bytes_ = kCapacityBytes;  // When there are no objects.
};

}  // namespace vitrine::fuzz

#endif  // VITRINE_TESTS_FUZZ_STORE_IN_PROCESS_H_
