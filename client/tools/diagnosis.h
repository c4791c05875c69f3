// The conclusions of `vitrine doctor` from the facts that it found.
#ifndef VITRINE_CLIENT_TOOLS_DIAGNOSIS_H_
#define VITRINE_CLIENT_TOOLS_DIAGNOSIS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "client/tools/machine_facts.h"

namespace vitrine::tools {

enum class Verdict : uint8_t { kOk, kWarn, kFail };

// "ok", "warn", "fail".
const char* VerdictName(Verdict verdict);

struct Finding {
  std::string check;
  Verdict verdict;
  std::string detail;
  std::string remedy;  // What to do; may be empty.
};

// What a store gives if this user starts it on this machine (README.md: "What
// you get where").
enum class Tier : uint8_t {
  kNone,         // It cannot work.
  kNoMount,      // Native clients only.
  kUserMount,    // A mount through fusermount3: one copy in the page cache.
  kRootMount,    // A mount of root's, without passthrough: the same.
  kPassthrough,  // The mount is zero-copy.
};

// "passthrough", ...
const char* TierName(Tier tier);
// What it means for a user, in one line.
const char* TierMeaning(Tier tier);
Tier TierOf(const MachineFacts& facts);
// What brings the next better tier; empty: this is the best.
std::string NextTier(const MachineFacts& facts);

// One for each check of the machine.
std::vector<Finding> DiagnoseMachine(const MachineFacts& facts);

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_DIAGNOSIS_H_
