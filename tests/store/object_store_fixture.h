// A store in this process, and calls that wait for their answers.
#ifndef VITRINE_TESTS_STORE_OBJECT_STORE_FIXTURE_H_
#define VITRINE_TESTS_STORE_OBJECT_STORE_FIXTURE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "schema/base/mapping.h"
#include "store/segments/segment_file.h"
#include "store/store.h"
#include "tests/store/store_calls.h"
#include "tests/support/eventually.h"

namespace vitrine::store {

inline constexpr uint64_t kMiB = 1 << 20;
inline constexpr uint64_t kCapacity = 64 * kMiB;

inline ObjectId Id(const std::string& text) {
  return *ObjectId::FromText(text);
}

inline SpaceWait NoWait() { return {.deadline = Deadline::min()}; }

inline SpaceWait WaitFor(std::chrono::milliseconds time) {
  return {.deadline = std::chrono::steady_clock::now() + time};
}

class ObjectStoreTest : public testing::Test {
 protected:
  ObjectStoreTest() {
    std::string name = "/dev/shm/object-store-test-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
    std::filesystem::create_directory(dir_ + "/memory");
    options_.capacity_bytes = kCapacity;
    options_.state_dir = dir_ + "/state";
    options_.memory_dir = dir_ + "/memory";
    Restart();
  }

  ~ObjectStoreTest() override {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  void Restart() {
    store_.reset();
    auto store = Store::Open(options_);
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = *std::move(store);
  }

  Result<ObjectRef> TryCreate(const std::string& id, uint64_t size_bytes,
                              SpaceWait wait) {
    Answer<ObjectRef> answer;
    store_->memory().CreateSized(Id(id), size_bytes, {}, wait,
                                 answer.callback());
    return answer.Get();
  }

  ObjectRef Create(const std::string& id, uint64_t size_bytes) {
    auto object = TryCreate(id, size_bytes, WaitFor(std::chrono::seconds(10)));
    EXPECT_TRUE(object) << object.error().ToString();
    return *object;
  }

  ObjectRef CreateSealed(const std::string& id, uint64_t size_bytes) {
    ObjectRef object = Create(id, size_bytes);
    Write(object, id);
    const Status sealed = SealNow(store_.get(), object, Id(id));
    EXPECT_TRUE(sealed) << sealed.error().ToString();
    return object;
  }

  void Write(const ObjectRef& object, const std::string& text) {
    auto fd = store_->unsealed().OpenForWriting(object, kStoreItself);
    ASSERT_TRUE(fd);
    ASSERT_EQ(::pwrite(fd->get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
  }

  std::string Read(const ObjectRef& object, size_t size_bytes) {
    auto fd = store_->objects().OpenForReading(object);
    if (!fd) return fd.error().ToString();
    std::string text(size_bytes, '\0');
    EXPECT_EQ(::pread(fd->get(), text.data(), size_bytes, 0),
              static_cast<ssize_t>(size_bytes));
    return text;
  }

  uint64_t used_bytes() { return store_->facts().GetUsage().used_bytes; }

  // Orphans are looked after in the background.
  void ExpectUsedSoon(uint64_t bytes) {
    EXPECT_TRUE(Eventually([&] { return used_bytes() == bytes; }))
        << used_bytes();
  }

  std::string dir_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
};

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_OBJECT_STORE_FIXTURE_H_
