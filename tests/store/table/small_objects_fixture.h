// A store that takes small objects, and calls that wait for their answers.
#ifndef VITRINE_TESTS_STORE_TABLE_SMALL_OBJECTS_FIXTURE_H_
#define VITRINE_TESTS_STORE_TABLE_SMALL_OBJECTS_FIXTURE_H_

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "store/store.h"
#include "tests/store/store_calls.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {

inline constexpr uint64_t kMiB = 1 << 20;
inline constexpr uint64_t kCapacity = 8 * kMiB;
inline constexpr uint64_t kSlabBytes = kCapacity / 64;  // 128 KiB.
inline constexpr uint64_t kOverhead = 344;  // Of each object with a short id.

inline ObjectId Id(const std::string& text) {
  return *ObjectId::FromText(text);
}

class SmallObjects : public testing::Test {
 protected:
  SmallObjects() {
    std::filesystem::create_directory(dir_.path() + "/memory");
    options_.capacity_bytes = kCapacity;
    options_.state_dir = dir_.path() + "/state";
    options_.memory_dir = dir_.path() + "/memory";
    Restart();
  }

  void Restart() {
    store_.reset();
    auto store = Store::Open(options_);
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = *std::move(store);
  }

  // Another process has the store, does `work`, and dies by SIGKILL.  There is
  // no store afterwards.
  void WorkAndDie(const std::function<void()>& work) {
    store_.reset();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::alarm(60);
      Restart();
      work();
      ::raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }

  Status AddRoom(std::chrono::milliseconds patience) {
    Answer<void> answer;
    store_->small().AddRoom(
        {.deadline = std::chrono::steady_clock::now() + patience},
        answer.callback());
    return answer.Get();
  }

  Status TryPut(const std::string& id, const std::string& data,
                std::chrono::milliseconds patience = std::chrono::seconds(20),
                Metadata metadata = {}) {
    const SmallObject object{Id(id), 0644, std::as_bytes(std::span(data)),
                             ShareMetadata(std::move(metadata))};
    for (;;) {
      std::vector<Status> results;
      store_->small().PutSmall({}, {&object, 1}, &results);
      if (!results.empty()) return results[0];
      if (Status room = AddRoom(patience); !room) return room;
    }
  }

  void Put(const std::string& id, const std::string& data) {
    const Status put = TryPut(id, data);
    EXPECT_TRUE(put) << id << ": " << put.error().ToString();
  }

  void PutLabelled(const std::string& id, const std::string& data,
                   Metadata metadata) {
    EXPECT_TRUE(TryPut(id, data, std::chrono::seconds(20), std::move(metadata)))
        << id;
  }

  // Null: it was evicted before it could be held.
  ObjectRef HoldIfThere(const std::string& id) {
    const auto object = store_->sealed().FindSealed(Id(id));
    const Status held = object ? store_->sealed().SetHold(*object, true, {})
                               : Status(object.error());
    EXPECT_TRUE(held || held.error().code == Code::kNotFound)
        << id << ": " << held.error().ToString();
    return held ? *object : nullptr;
  }

  Metadata MetadataOfSealed(const std::string& id) {
    const auto object = store_->sealed().FindSealed(Id(id));
    return object ? *store_->objects().GetMetadata(*object) : Metadata();
  }

  // What is put from now on is in another slab than what was.
  void NewSlab() {
    const uint64_t before = slab_count();
    std::vector<std::string> fillers;
    while (slab_count() == before) {
      fillers.push_back("filler-" + std::to_string(++fillers_));
      Put(fillers.back(), std::string(kSlabBytes / 8, 'f'));
    }
    for (const std::string& filler : fillers) {
      EXPECT_TRUE(store_->sealed().Delete(
          *store_->sealed().FindSealed(Id(filler)), {}));
    }
  }

  std::string Read(const std::string& id) {
    return ReadSealed(store_.get(), id);
  }

  Result<uint64_t> Evict(uint64_t bytes) {
    Answer<uint64_t> answer;
    store_->sealed().Evict(bytes, answer.callback());
    return answer.Get();
  }

  uint64_t used_bytes() { return store_->facts().GetUsage().used_bytes; }
  nlohmann::json slabs() { return store_->facts().StatusJson().at("slabs"); }
  uint64_t slab_count() { return slabs().at("count").get<uint64_t>(); }

  void ExpectUsedSoon(uint64_t bytes) {
    EXPECT_TRUE(Eventually([&] { return used_bytes() == bytes; }))
        << used_bytes();
  }

  ScratchDir dir_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
  int fillers_ = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_TABLE_SMALL_OBJECTS_FIXTURE_H_
