#include "fusefs/start_traces.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "store/host/lock_file.h"

namespace vitrine::fusefs {
namespace {

namespace fs = std::filesystem;

class StartTracesTest : public testing::Test {
 protected:
  StartTracesTest() {
    std::string pattern = testing::TempDir() + "/vitrine-traces-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
    options_.store.state_dir = dir_ + "/a/state";
    options_.socket_path = dir_ + "/a/run/socket";
    options_.mount_dir = dir_ + "/mnt";
  }
  ~StartTracesTest() override { fs::remove_all(dir_); }

  // What a start makes.
  void MakeAll() const {
    fs::create_directories(options_.store.state_dir);
    fs::create_directories(dir_ + "/a/run");
    WriteCatalog();
  }
  void WriteCatalog() const {
    for (const char* name : {"/catalog.db", "/catalog.db-wal"}) {
      std::ofstream(options_.store.state_dir + name) << "x";
    }
  }

  std::string dir_;
  DaemonOptions options_;
};

TEST_F(StartTracesTest, AFailedStartLeavesNothing) {
  {
    const StartTraces traces(options_);
    MakeAll();
    EXPECT_TRUE(traces.MakeMountDir());
    EXPECT_TRUE(fs::is_directory(options_.mount_dir));
  }
  EXPECT_TRUE(fs::is_empty(dir_));
}

TEST_F(StartTracesTest, ACatalogThatWasThereStays) {
  MakeAll();
  { const StartTraces traces(options_); }
  EXPECT_TRUE(fs::exists(options_.store.state_dir + "/catalog.db"));
  EXPECT_TRUE(fs::exists(dir_ + "/a/run"));
}

TEST_F(StartTracesTest, TheCatalogOfAnotherStoreStays) {
  std::optional<StartTraces> traces(options_);
  MakeAll();
  const Result<store::LockFile> other =
      store::LockFile::Acquire(options_.store.state_dir);
  ASSERT_TRUE(other);
  traces.reset();
  EXPECT_TRUE(fs::exists(options_.store.state_dir + "/catalog.db"));
}

TEST_F(StartTracesTest, ACleanStopLeavesTheCatalog) {
  {
    StartTraces traces(options_);
    MakeAll();
    EXPECT_TRUE(traces.MakeMountDir());
    traces.Keep();
  }
  EXPECT_TRUE(fs::exists(options_.store.state_dir + "/catalog.db"));
  EXPECT_FALSE(fs::exists(dir_ + "/a/run"));
  EXPECT_FALSE(fs::exists(options_.mount_dir));
}

TEST_F(StartTracesTest, WhatOthersPutThereStays) {
  {
    const StartTraces traces(options_);
    MakeAll();
    std::ofstream(dir_ + "/a/run/other") << "x";
  }
  EXPECT_TRUE(fs::exists(dir_ + "/a/run/other"));
  EXPECT_FALSE(fs::exists(options_.store.state_dir));
}

TEST_F(StartTracesTest, AMountPointWithoutAParentCannotBeMade) {
  options_.mount_dir = dir_ + "/none/mnt";
  const StartTraces traces(options_);
  const Status made = traces.MakeMountDir();
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find(options_.mount_dir), std::string::npos);
  EXPECT_FALSE(fs::exists(dir_ + "/none"));
}

TEST_F(StartTracesTest, AMountPointThatWasThereStays) {
  fs::create_directory(options_.mount_dir);
  {
    const StartTraces traces(options_);
    EXPECT_TRUE(traces.MakeMountDir());
  }
  EXPECT_TRUE(fs::exists(options_.mount_dir));
}

}  // namespace
}  // namespace vitrine::fusefs
