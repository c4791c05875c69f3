// Tries whether an external store keeps the promises of external_store.h.
//
//   external_store_check URL
//
// It should be empty.  Exit status: 0: as far as can be seen from outside; 1:
// no, and the line that found it; 2: there is no such store.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "store/tiers/external_store.h"

namespace vitrine::store {
namespace {

using HandlePtr = std::unique_ptr<ExternalStoreHandle>;

[[noreturn]] void Fail(int line, const std::string& what) {
  std::fprintf(stderr, "line %d: %s\n", line, what.c_str());
  std::exit(1);
}

#define CHECK_TRUE(condition)                     \
  do {                                            \
    if (!(condition)) Fail(__LINE__, #condition); \
  } while (false)
#define CHECK_OK(result)                                         \
  do {                                                           \
    if (const auto& checked = (result); !checked) {              \
      Fail(__LINE__, #result ": " + checked.error().ToString()); \
    }                                                            \
  } while (false)

std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

HandlePtr Connect(const char* url) {
  auto handle = ExternalStore::Connect(url);
  if (handle) return *std::move(handle);
  std::fprintf(stderr, "%s\n", handle.error().ToString().c_str());
  std::exit(2);
}

Status Put(ExternalStoreHandle* handle, const std::string& name,
           const std::string& value) {
  const ExternalStoreHandle::Part part = AsBytes(value);
  return handle->Put(name, {&part, 1});
}

Result<std::string> Get(ExternalStoreHandle* handle, const std::string& name,
                        uint64_t offset_bytes, size_t size) {
  std::string value(size, '?');
  const Status got =
      handle->Get(name, offset_bytes, std::as_writable_bytes(std::span(value)));
  if (!got) return got.error();
  return value;
}

Code CodeOf(const Result<std::string>& result) {
  CHECK_TRUE(!result);
  return result.error().code;
}

std::map<std::string, uint64_t> List(ExternalStoreHandle* handle) {
  std::map<std::string, uint64_t> listed;
  CHECK_OK(handle->List([&listed](std::string_view name, uint64_t size_bytes) {
    listed.emplace(name, size_bytes);
  }));
  return listed;
}

void CheckValues(ExternalStoreHandle* handle) {
  const std::string half(100'000, 'h');
  const std::vector<ExternalStoreHandle::Part> parts = {
      AsBytes(half), {}, AsBytes(half), AsBytes("end")};
  CHECK_OK(handle->Put("check-a", parts));
  CHECK_OK(handle->Put("check-a", parts));
  CHECK_OK(Put(handle, "check.b", ""));
  const auto whole = Get(handle, "check-a", 0, 200'003);
  CHECK_OK(whole);
  CHECK_TRUE(*whole == half + half + "end");
  const auto range = Get(handle, "check-a", 199'999, 3);
  CHECK_OK(range);
  CHECK_TRUE(*range == "hen");
  CHECK_TRUE(CodeOf(Get(handle, "check-a", 200'000, 4)) == Code::kCorruption);
  CHECK_TRUE(CodeOf(Get(handle, "check-c", 0, 1)) == Code::kNotFound);
}

void CheckReplacing(ExternalStoreHandle* handle) {
  CHECK_OK(Put(handle, "check-a", "short"));
  const auto replaced = Get(handle, "check-a", 0, 5);
  CHECK_OK(replaced);
  CHECK_TRUE(*replaced == "short");
  const auto listed = List(handle);
  CHECK_TRUE(listed.contains("check-a") && listed.at("check-a") == 5);
  CHECK_TRUE(listed.contains("check.b") && listed.at("check.b") == 0);
}

void CheckDeletion(ExternalStoreHandle* handle) {
  const std::vector<std::string> names = {"check-a", "check-c", "check.b"};
  CHECK_OK(handle->Delete(names));
  CHECK_OK(handle->Delete(names));
  CHECK_TRUE(CodeOf(Get(handle, "check-a", 0, 1)) == Code::kNotFound);
  CHECK_TRUE(!List(handle).contains("check-a"));
}

// A reader sees one value or the other, whole.
void CheckAtomicity(const char* url) {
  constexpr size_t kSize = 3'000'000;
  const HandlePtr reader = Connect(url);
  CHECK_OK(Put(reader.get(), "check-a", std::string(kSize, 'a')));
  std::atomic<bool> done{false};
  std::thread writer([url, &done] {
    const HandlePtr handle = Connect(url);
    for (int round = 0; round < 20; ++round) {
      const char letter = round % 2 == 0 ? 'b' : 'a';
      CHECK_OK(Put(handle.get(), "check-a", std::string(kSize, letter)));
    }
    done = true;
  });
  while (!done) {
    const auto value = Get(reader.get(), "check-a", 0, kSize);
    CHECK_OK(value);
    CHECK_TRUE(value->find_first_not_of((*value)[0]) == std::string::npos);
  }
  writer.join();
}

int Main(const char* url) {
  const HandlePtr handle = Connect(url);
  CheckValues(handle.get());
  CheckReplacing(Connect(url).get());
  CheckDeletion(handle.get());
  CheckAtomicity(url);
  CheckDeletion(handle.get());
  std::printf("%s keeps its promises\n", url);
  return 0;
}

}  // namespace
}  // namespace vitrine::store

int main(int argc, char** argv) {
  if (argc == 2) return vitrine::store::Main(argv[1]);
  std::fprintf(stderr, "usage: external_store_check URL\n");
  return 2;
}
