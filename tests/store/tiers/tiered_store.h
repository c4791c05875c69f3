// A store with a tier, and objects that go there and come back.
#ifndef VITRINE_TESTS_STORE_TIERS_TIERED_STORE_H_
#define VITRINE_TESTS_STORE_TIERS_TIERED_STORE_H_

#include <chrono>
#include <memory>
#include <string>

#include "tests/store/store_calls.h"
#include "tests/store/table/small_objects_fixture.h"
#include "tests/store/tiers/fake_tier.h"

namespace vitrine::store {

class TieredStore : public SmallObjects {
 protected:
  TieredStore() {
    options_.tier = tier_;
    Restart();
  }

  static SpaceWait For(std::chrono::milliseconds patience) {
    return {.deadline = std::chrono::steady_clock::now() + patience};
  }

  static std::string Bytes(const std::string& id, uint64_t size) {
    std::string bytes = id + ":";
    while (bytes.size() < size) bytes += bytes;
    bytes.resize(size);
    return bytes;
  }

  // A sealed object with a segment of its own.
  ObjectRef PutLarge(const std::string& id, uint64_t size = kMiB) {
    Answer<ObjectRef> created;
    store_->memory().CreateSized(
        Id(id), size, {}, For(std::chrono::seconds(20)), created.callback());
    auto object = created.Get();
    EXPECT_TRUE(object) << object.error().ToString();
    {
      const auto fd = store_->unsealed().OpenForWriting(*object, kStoreItself);
      const std::string bytes = Bytes(id, size);
      EXPECT_EQ(::pwrite(fd->get(), bytes.data(), size, 0),
                static_cast<ssize_t>(size));
    }
    EXPECT_TRUE(SealNow(store_.get(), *object, Id(id)));
    return *object;
  }

  Status Want(const std::string& id,
              std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    Answer<void> answer;
    store_->sealed().Want(Id(id), For(patience), answer.callback());
    return answer.Get();
  }

  // All bytes, wherever they are.  Eviction may be as quick as the return.
  std::string ReadWanted(const std::string& id) {
    for (;;) {
      if (Status here = Want(id); !here) return here.error().ToString();
      const auto object = store_->sealed().FindSealed(Id(id));
      if (!object) return object.error().ToString();
      if (const auto file = store_->objects().Share(*object)) return Read(id);
    }
  }

  bool IsElsewhere(const ObjectRef& object) {
    return store_->objects().Info(object).elsewhere;
  }
  void SendElsewhere(const ObjectRef& object) {
    EXPECT_TRUE(Evict(store_->objects().Info(object).size_bytes));
    ASSERT_TRUE(IsElsewhere(object));
  }

  std::shared_ptr<FakeTier> tier_ = std::make_shared<FakeTier>();
};

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_TIERS_TIERED_STORE_H_
