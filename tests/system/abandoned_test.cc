// Unsealed files of programs that were killed between close and rename.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/system/child_process.h"
#include "tests/system/files.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

class AbandonedTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string passthrough = GetParam();
    VITRINE_REQUIRE(passthrough == "on" ? WhyNoPassthrough() : WhyNoMount());
    store_.AddArguments({"--abandon-after", "2s"});
    const Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }
  uint64_t Aborted() const {
    return store_.GetStatus()["abandoned"]["aborted"].get<uint64_t>();
  }

  StoreProcess store_{{.capacity = "64M", .passthrough = GetParam()}};
};

TEST_P(AbandonedTest, WhatAKilledProgramLeftGoes) {
  {
    ChildProcess child([&](const ChildProcess::Parent& parent) {
      if (WriteContent(store_.unsealed("left"), "left", 100'000) != 0) {
        return false;
      }
      parent.Say();
      parent.Await();  // It is killed here, before its rename.
      return true;
    });
    ASSERT_TRUE(child.AwaitWord());
  }
  // Others are at work meanwhile: one has its file open, one has it mapped.
  const UniqueFd open(::open(store_.unsealed("open").c_str(),
                             O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_TRUE(open.valid());
  ASSERT_EQ(WriteContent(store_.unsealed("mapped"), "mapped", 100'000), 0);
  const Mapping mapped = MapFile(store_.unsealed("mapped"), PROT_READ);
  ASSERT_GT(mapped.size_bytes(), 0u);
  EXPECT_TRUE(Eventually([&] { return !Exists(store_.unsealed("left")); }));
  EXPECT_TRUE(Eventually([&] { return Aborted() == 1; }));
  // Another one, so that the time of those has passed, too.
  ASSERT_EQ(WriteContent(store_.unsealed("second"), "second", 10), 0);
  EXPECT_TRUE(Eventually([&] { return !Exists(store_.unsealed("second")); }));
  EXPECT_TRUE(Exists(store_.unsealed("open")));
  EXPECT_TRUE(Exists(store_.unsealed("mapped")));
  EXPECT_TRUE(FileHasContent(store_.unsealed("mapped"), "mapped", 100'000));
}

TEST_P(AbandonedTest, WhatANativeClientMakesBelongsToItsSession) {
  Client client = store_.Connect();
  auto writer = client.Create(*ObjectId::FromText("slow"), 1 << 20);
  ASSERT_TRUE(writer) << writer.error().ToString();
  ASSERT_EQ(WriteContent(store_.unsealed("left"), "left", 10), 0);
  EXPECT_TRUE(Eventually([&] { return Aborted() == 1; }));
  EXPECT_TRUE(writer->Seal());
}

INSTANTIATE_TEST_SUITE_P(Mounts, AbandonedTest, testing::Values("on", "off"),
                         [](const auto& tested) {
                           return std::string("Passthrough") +
                                  (tested.param[1] == 'n' ? "On" : "Off");
                         });

}  // namespace
}  // namespace vitrine
