// A store inside a Vitrine mount, another's or its own, is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/system/store_process.h"

namespace vitrine {
namespace {

class PlacesTest : public testing::Test {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNoMount());
    const Status started = other_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }
  // One line that names `option`.
  static void ExpectRefusal(const std::string& option,
                            const std::string& path) {
    StoreProcess store(
        {.capacity = "32M", .mount = false, .more = {option + "=" + path}});
    const Status started = store.Start();
    ASSERT_FALSE(started) << option << " " << path;
    const std::string& said = started.error().message;
    EXPECT_NE(said.find("vitrined: " + option), said.npos) << said;
    EXPECT_NE(said.find("Vitrine mount"), said.npos) << said;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  }

  StoreProcess other_{{.capacity = "32M"}};
};

TEST_F(PlacesTest, NothingLiesInAnothersMount) {
  for (const char* inside :
       {"/sealed", "/unsealed", "/info", "/missing/deep"}) {
    ExpectRefusal("--mount", other_.mount() + inside);
  }
  const std::string link = other_.dir() + "/link";
  std::filesystem::create_directory_symlink(other_.mount(), link);
  for (const std::string& mount : {other_.mount(), link}) {
    ExpectRefusal("--mount", mount + "/sealed");
  }
  EXPECT_EQ(other_.Stop(), 0);
}

TEST_F(PlacesTest, AKilledStoresMountIsReplacedButHoldsNothing) {
  other_.Kill();
  ExpectRefusal("--mount", other_.mount() + "/sealed");
  const Status started = other_.Start();
  EXPECT_TRUE(started) << started.error().ToString();
}

// StoreProcess gives its own --state-dir and --socket first; these are by file.
TEST_F(PlacesTest, NoFilesLieInAMount) {
  for (const std::string option : {"state-dir", "memory-dir", "socket"}) {
    for (const std::string& mount :
         {other_.mount(), other_.dir() + "/own-mount"}) {
      const bool own = mount != other_.mount();
      std::string output;
      const std::string command =
          "'" + ProgramDir() + "/vitrined' -m 16M" +
          (option != "state-dir" ? " --state-dir " + other_.dir() + "/s" : "") +
          (option != "socket" ? " --socket " + other_.dir() + "/x" : "") +
          (own ? " --mount " + mount : "") + " --" + option + " " + mount +
          "/sealed/file";
      EXPECT_EQ(Shell(command, &output), 2) << command;
      EXPECT_NE(output.find("vitrined: --" + option), output.npos) << output;
      EXPECT_NE(output.find("lies in the"), output.npos) << output;
    }
  }
  EXPECT_FALSE(std::filesystem::exists(other_.dir() + "/s"));
}

}  // namespace
}  // namespace vitrine
