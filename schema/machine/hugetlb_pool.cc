#include "schema/machine/hugetlb_pool.h"

#include <algorithm>

#include "schema/machine/kernel_text.h"

namespace vitrine::machine {

HugetlbPool ReadHugetlbPool(uint64_t page_bytes, const std::string& root) {
  const std::string directory = (root == "/" ? "" : root) +
                                "/sys/kernel/mm/hugepages/hugepages-" +
                                std::to_string(page_bytes / 1024) + "kB/";
  const auto read = [&](const char* name) {
    return ReadNumber(directory + name).value_or(0);
  };
  HugetlbPool pool;
  pool.pages_file = directory + "nr_hugepages";
  const uint64_t overcommit = read("nr_overcommit_hugepages");
  // Surplus pages are counted among the pages, but overcommitted.
  const uint64_t surplus = std::min(overcommit, read("surplus_hugepages"));
  const uint64_t reserved = read("resv_hugepages");
  const uint64_t free = read("free_hugepages") + overcommit - surplus;
  pool.pages = read("nr_hugepages") + overcommit - surplus;
  pool.free_pages = free - std::min(free, reserved);
  return pool;
}

std::optional<uint64_t> DefaultHugePageBytes(const std::string& root) {
  return ReadMeminfoBytes("Hugepagesize:", root);
}

}  // namespace vitrine::machine
