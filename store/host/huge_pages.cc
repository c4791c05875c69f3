#include "store/host/huge_pages.h"

namespace vitrine::store {
namespace {

using machine::MountEntry;
using machine::TmpfsHugePolicy;

Error CannotBeOn(const std::string& why) {
  return {Code::kUnsupported, "huge pages cannot be switched on: " + why};
}

// Why the kernel as a whole gives none.
std::string WhyNone(TmpfsHugePolicy policy) {
  if (policy == TmpfsHugePolicy::kMissing) {
    return "the kernel has none for tmpfs";
  }
  return std::string("the kernel denies them in ") +
         machine::kTmpfsHugePolicyFile;
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

Result<HugePages> HugePagesOn(const MountEntry& entry, TmpfsHugePolicy policy,
                              Switch wanted) {
  if (GivesNone(policy)) return Without(WhyNone(policy), wanted);
  const std::string option = policy == TmpfsHugePolicy::kForced
                                 ? "forced by the kernel"
                                 : machine::TmpfsHugeOption(entry);
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
                     machine::kTmpfsHugePolicyFile};
  }
  return HugePages{false, "4 KiB pages: switched off"};
}

}  // namespace vitrine::store
