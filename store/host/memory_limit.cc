#include "store/host/memory_limit.h"

#include "schema/base/size.h"
#include "schema/machine/hugetlb_pool.h"
#include "schema/machine/memory.h"
#include "schema/machine/memory_file_system.h"

namespace vitrine::store {
namespace {

using machine::MemoryFileSystem;

MemoryLimit LimitOfPool(const machine::HugetlbPool& pool, uint64_t page_bytes,
                        uint64_t own_pages) {
  return {(pool.free_pages + own_pages) * page_bytes,
          "what is free of the machine's " + std::to_string(pool.pages) +
              " huge pages of " + FormatSize(page_bytes),
          "reserve more of them in " + pool.pages_file};
}

MemoryLimit LimitOfMount(const std::string& path,
                         const MemoryFileSystem::Limit& limit,
                         uint64_t page_bytes, uint64_t own_pages) {
  return {(limit.free_pages + own_pages) * page_bytes,
          "what is free of the " + std::to_string(limit.pages) +
              " huge pages of " + FormatSize(page_bytes) +
              " that the hugetlbfs of " + path + " may have",
          "mount it with a larger size="};
}

}  // namespace

Result<MemoryLimit> LimitOfMachine() {
  const Result<machine::Memory> memory = machine::ReadMemory();
  if (!memory) return memory.error();
  return MemoryLimit{memory->usable_bytes(),
                     memory->cgroup_limit_bytes
                         ? "the limit of the memory cgroup"
                         : "the machine's memory"};
}

Result<MemoryLimit> LimitOfTmpfs(const std::string& path) {
  Result<MemoryLimit> limit = LimitOfMachine();
  if (!limit) return limit;
  const Result<MemoryFileSystem> tmpfs = machine::FileSystemOf(path);
  if (!tmpfs) return tmpfs.error();
  if (!tmpfs->limit) return limit;
  const uint64_t bytes = tmpfs->limit->pages * tmpfs->page_bytes;
  if (bytes >= limit->bytes) return limit;
  return MemoryLimit{bytes, "the tmpfs of " + path};
}

Result<MemoryLimit> LimitOfHugetlbfs(const std::string& path,
                                     uint64_t own_pages) {
  const Result<MemoryFileSystem> mount = machine::FileSystemOf(path);
  if (!mount) return mount.error();
  const machine::HugetlbPool pool = machine::ReadHugetlbPool(mount->page_bytes);
  if (mount->limit && mount->limit->free_pages < pool.free_pages) {
    return LimitOfMount(path, *mount->limit, mount->page_bytes, own_pages);
  }
  return LimitOfPool(pool, mount->page_bytes, own_pages);
}

}  // namespace vitrine::store
