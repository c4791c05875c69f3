#include "store/host/huge_pages.h"

#include <fstream>
#include <sstream>

namespace vitrine::store {
namespace {

constexpr const char* kPolicyFile =
    "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

Error CannotBeOn(const std::string& why) {
  return {Code::kUnsupported, "huge pages cannot be switched on: " + why};
}

// Why the kernel as a whole gives none.
std::string WhyNone(TmpfsHugePolicy policy) {
  if (policy == TmpfsHugePolicy::kMissing) {
    return "the kernel has none for tmpfs";
  }
  return std::string("the kernel denies them in ") + kPolicyFile;
}

bool GivesNone(TmpfsHugePolicy policy) {
  return policy == TmpfsHugePolicy::kMissing ||
         policy == TmpfsHugePolicy::kDenied;
}

Result<HugePages> Without(const std::string& why, Switch wanted) {
  if (wanted == Switch::kOn) return CannotBeOn(why);
  return HugePages{false, "4 KiB pages: " + why};
}

}  // namespace

TmpfsHugePolicy ReadTmpfsHugePolicy(const std::string& root) {
  std::ifstream file(root + kPolicyFile);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return TmpfsHugePolicy::kMissing;
  const std::string words = text.str();
  if (words.find("[deny]") != std::string::npos) {
    return TmpfsHugePolicy::kDenied;
  }
  if (words.find("[force]") != std::string::npos) {
    return TmpfsHugePolicy::kForced;
  }
  return TmpfsHugePolicy::kAsMounted;
}

Result<HugePages> HugePagesOn(const MountEntry& entry, TmpfsHugePolicy policy,
                              Switch wanted) {
  if (GivesNone(policy)) return Without(WhyNone(policy), wanted);
  const std::string option = policy == TmpfsHugePolicy::kForced
                                 ? "forced by the kernel"
                                 : entry.SuperOption("huge").value_or("never");
  if (option == "never") {
    return Without(entry.mount_point + " is mounted without huge=within_size",
                   wanted);
  }
  if (wanted == Switch::kOff) {
    return Error{Code::kUnsupported,
                 "huge pages cannot be switched off: " + entry.mount_point +
                     " has huge pages " + option};
  }
  return HugePages{true, "huge pages " + option};
}

Result<HugePages> ChooseHugePages(TmpfsHugePolicy policy, Switch wanted,
                                  std::string* option) {
  if (GivesNone(policy)) {
    option->clear();
    return Without(WhyNone(policy), wanted);
  }
  if (wanted != Switch::kOff) {
    *option = "huge=within_size";
    return HugePages{true, "huge pages within_size"};
  }
  *option = "huge=never";
  if (policy == TmpfsHugePolicy::kForced) {
    return Error{Code::kUnsupported,
                 std::string("huge pages cannot be switched off: the kernel "
                             "forces them in ") +
                     kPolicyFile};
  }
  return HugePages{false, "4 KiB pages: switched off"};
}

}  // namespace vitrine::store
