// A get of a resident object asks nobody: neither the store nor the kernel.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <vector>

#include "schema/base/sanitizers.h"
#include "tests/system/content.h"
#include "tests/system/store_process.h"
#include "tests/system/worker_process.h"

namespace vitrine {
namespace {

constexpr char kGets[] = "1000000";
constexpr char kMark[] = "getpgid(";

std::string WhyNoTracer() {
  std::string output;
  if (Shell("strace -o /dev/null true", &output) == 0) return "";
  return "strace cannot trace here: " + output;
}

// One line of `strace -f`: "<thread> <call>".
struct TracedCall {
  std::string thread;
  std::string call;
};

std::vector<TracedCall> ReadTrace(const std::string& path) {
  std::ifstream file(path);
  std::vector<TracedCall> calls;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    TracedCall traced;
    words >> traced.thread >> std::ws;
    std::getline(words, traced.call);
    calls.push_back(std::move(traced));
  }
  return calls;
}

class GetWithoutSystemCallsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kAddressSanitizer || kThreadSanitizer) {
      GTEST_SKIP() << "a sanitizer's allocator makes system calls of its own";
    }
    VITRINE_REQUIRE(WhyNoTracer());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    Client client = store_.Connect();
    for (int i = 0; i < 16; ++i) {
      ids_.push_back("object-" + std::to_string(i));
      std::vector<std::byte> bytes(static_cast<size_t>(1) << i * 5 / 4);
      FillContent(ids_.back(), bytes);
      Status put = client.Put(*ObjectId::FromText(ids_.back()), bytes);
      ASSERT_TRUE(put) << put.error().ToString();
    }
  }

  std::string Trace() const {
    const std::string trace = store_.dir() + "/trace";
    std::string command = "strace -f -o '" + trace + "' '" +
                          WorkerProgram("get_loop") + "' '" + store_.socket() +
                          "' " + kGets;
    for (const std::string& id : ids_) command += " " + id;
    std::string output;
    EXPECT_EQ(Shell(command, &output), 0) << output;
    return trace;
  }

  StoreProcess store_{{.capacity = "64M", .mount = false}};
  std::vector<std::string> ids_;
};

TEST_F(GetWithoutSystemCallsTest, AMillionGetsMakeNone) {
  const std::vector<TracedCall> calls = ReadTrace(Trace());
  std::string thread;
  int marks = 0;
  std::vector<std::string> between;
  for (const TracedCall& traced : calls) {
    if (traced.call.rfind("<... ", 0) == 0) continue;  // The end of a call.
    const bool is_mark = traced.call.rfind(kMark, 0) == 0;
    if (is_mark) {
      ++marks;
      thread = traced.thread;
    } else if (marks == 1 && traced.thread == thread) {
      between.push_back(traced.call);
    }
  }
  ASSERT_EQ(marks, 2) << "of " << calls.size() << " calls";
  EXPECT_EQ(between.size(), 0u) << "the first: " << between.front();
}

}  // namespace
}  // namespace vitrine
