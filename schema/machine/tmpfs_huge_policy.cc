#include "schema/machine/tmpfs_huge_policy.h"

#include <algorithm>

#include "schema/base/huge_page.h"
#include "schema/machine/kernel_text.h"

namespace vitrine::machine {

TmpfsHugePolicy ReadTmpfsHugePolicy(const std::string& root) {
  const std::string word =
      SelectedWord(ReadText(root + kTmpfsHugePolicyFile).value_or(""));
  if (word.empty()) return TmpfsHugePolicy::kMissing;
  if (word == "deny") return TmpfsHugePolicy::kDenied;
  if (word == "force") return TmpfsHugePolicy::kForced;
  return TmpfsHugePolicy::kAsMounted;
}

uint64_t LargestTmpfsPageBytes(const std::string& root) {
  const auto bytes =
      ReadNumber(root + "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
  return std::max(bytes.value_or(0), kTmpfsHugePageBytes);
}

std::string TmpfsHugeOption(const MountEntry& entry) {
  // The kernel does not say what is its default.
  return entry.SuperOption("huge").value_or("never");
}

}  // namespace vitrine::machine
