// Memory is given back only when nobody uses it any more, by whichever path.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <vector>

#include "tests/system/child_process.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uint64_t kBytes = 3 << 20;
constexpr uint64_t kPressureBytes = 1 << 20;
constexpr int kPressureRounds = 4;
constexpr uint64_t kCapacity = 48 << 20;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

// Maps `path`, keeps no descriptor, and checks every byte when it is told to.
bool HoldMapping(const std::string& path, const std::string& id,
                 const ChildProcess::Parent& parent) {
  const Mapping mapping = MapFile(path, PROT_READ);
  if (mapping.size_bytes() != kBytes) return false;
  parent.Say();
  parent.Await();
  return HasContent(mapping, id, kBytes);
}

bool HoldDescriptor(const std::string& path, const std::string& id,
                    const ChildProcess::Parent& parent) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return false;
  parent.Say();
  parent.Await();
  return DescriptorHasContent(fd.get(), id, kBytes);
}

class EvictionInUseTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string passthrough = GetParam();
    VITRINE_REQUIRE(passthrough == "on" ? WhyNoPassthrough() : WhyNoMount());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }

  void Put(const std::string& id) {
    ASSERT_EQ(WriteContent(store_.unsealed(id), id, kBytes), 0);
    ASSERT_EQ(Rename(store_.unsealed(id), store_.sealed(id)), 0);
  }

  // A process that has `id`, from now on.
  template <typename Hold>
  void Start(const std::string& id, const std::string& path, Hold hold) {
    children_.push_back(std::make_unique<ChildProcess>(
        [&](const auto& parent) { return hold(path, id, parent); }));
    ASSERT_TRUE(children_.back()->AwaitWord()) << id;
  }

  // Makes several times as many objects as there is room for, through both
  // front ends.
  void Press() {
    Client client = store_.Connect("pressure");
    std::vector<std::byte> bytes(kPressureBytes);
    const int count =
        static_cast<int>(kPressureRounds * kCapacity / kPressureBytes);
    for (int i = 0; i < count; ++i) {
      const std::string id = "pressure-" + std::to_string(++pressed_);
      if (i % 2 == 0) {
        FillContent(id, bytes);
        Status put = client.Put(Id(id), bytes);
        ASSERT_TRUE(put) << put.error().ToString();
      } else {
        ASSERT_EQ(WriteContent(store_.unsealed(id), id, kPressureBytes), 0);
        ASSERT_EQ(Rename(store_.unsealed(id), store_.sealed(id)), 0);
      }
    }
  }

  bool IsThere(const std::string& id) {
    const bool native = *store_.Connect().Contains(Id(id));
    EXPECT_EQ(Exists(store_.sealed(id)), native) << id;
    return native;
  }

  void LetGo() {
    for (auto& child : children_) child->Tell();
    for (auto& child : children_) EXPECT_TRUE(child->Succeeded());
    children_.clear();
  }

  StoreProcess store_{
      {.capacity = std::to_string(kCapacity), .passthrough = GetParam()}};
  std::vector<std::unique_ptr<ChildProcess>> children_;
  int pressed_ = 0;
};

TEST_P(EvictionInUseTest, WhatSomebodyUsesIsNeverTaken) {
  const std::vector<std::string> ids = {"mapped", "opened", "direct", "native",
                                        "held"};
  for (const std::string& id : ids) ASSERT_NO_FATAL_FAILURE(Put(id));
  ASSERT_NO_FATAL_FAILURE(
      Start("mapped", store_.sealed("mapped"), HoldMapping));
  ASSERT_NO_FATAL_FAILURE(
      Start("opened", store_.sealed("opened"), HoldDescriptor));
  ASSERT_NO_FATAL_FAILURE(
      Start("direct", store_.mount() + "/direct/direct", HoldMapping));
  Client client = store_.Connect();
  auto native = client.Get(Id("native"));
  ASSERT_TRUE(native) << native.error().ToString();
  ASSERT_TRUE(client.Hold(Id("held")));
  ASSERT_NO_FATAL_FAILURE(Put("victim"));

  ASSERT_NO_FATAL_FAILURE(Press());
  EXPECT_FALSE(IsThere("victim")) << "there was no pressure";
  for (const std::string& id : ids) EXPECT_TRUE(IsThere(id)) << id;
  EXPECT_EQ(CheckContent("native", native->bytes()), kBytes);
  EXPECT_TRUE(FileHasContent(store_.sealed("held"), "held", kBytes));
  EXPECT_GT(store_.GetStatus()["eviction"]["evicted_objects"], 100);
  LetGo();
}

TEST_P(EvictionInUseTest, WhatNobodyUsesAnyMoreIsTakenExceptHeldOnes) {
  for (const char* id : {"mapped", "opened", "direct", "native", "held"}) {
    ASSERT_NO_FATAL_FAILURE(Put(id));
  }
  ASSERT_NO_FATAL_FAILURE(
      Start("mapped", store_.sealed("mapped"), HoldMapping));
  ASSERT_NO_FATAL_FAILURE(
      Start("opened", store_.sealed("opened"), HoldDescriptor));
  ASSERT_NO_FATAL_FAILURE(
      Start("direct", store_.mount() + "/direct/direct", HoldMapping));
  Client client = store_.Connect();
  std::optional<Object> native = *client.Get(Id("native"));
  ASSERT_TRUE(client.Hold(Id("held")));
  LetGo();
  native.reset();
  ASSERT_NO_FATAL_FAILURE(Press());
  for (const char* id : {"mapped", "opened", "direct", "native"}) {
    EXPECT_FALSE(IsThere(id)) << id;
  }
  EXPECT_TRUE(IsThere("held"));
}

TEST_P(EvictionInUseTest, AskingForAllOfItTakesNothingThatIsInUse) {
  ASSERT_NO_FATAL_FAILURE(Put("mapped"));
  ASSERT_NO_FATAL_FAILURE(Put("idle"));
  ASSERT_NO_FATAL_FAILURE(
      Start("mapped", store_.sealed("mapped"), HoldMapping));
  Client client = store_.Connect();
  auto evicted = client.Evict(UINT64_MAX);
  ASSERT_TRUE(evicted) << evicted.error().ToString();
  EXPECT_GE(*evicted, kBytes);
  EXPECT_TRUE(IsThere("mapped"));
  EXPECT_FALSE(IsThere("idle"));
  LetGo();
}

// The name goes at once, the memory with its last user.
TEST_P(EvictionInUseTest, WhatIsDeletedStaysWholeForItsUsers) {
  ASSERT_NO_FATAL_FAILURE(Put("mapped"));
  ASSERT_NO_FATAL_FAILURE(Put("opened"));
  ASSERT_NO_FATAL_FAILURE(
      Start("mapped", store_.sealed("mapped"), HoldMapping));
  ASSERT_NO_FATAL_FAILURE(
      Start("opened", store_.sealed("opened"), HoldDescriptor));
  ASSERT_EQ(Unlink(store_.sealed("mapped")), 0);
  ASSERT_TRUE(store_.Connect().Delete(Id("opened")));
  EXPECT_FALSE(IsThere("mapped"));
  EXPECT_FALSE(IsThere("opened"));
  ASSERT_NO_FATAL_FAILURE(Press());
  LetGo();
}

INSTANTIATE_TEST_SUITE_P(Passthrough, EvictionInUseTest,
                         testing::Values("on", "off"), [](const auto& tested) {
                           return std::string(tested.param);
                         });

}  // namespace
}  // namespace vitrine
