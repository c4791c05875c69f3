// On which NUMA nodes the memory of segments is.
//
// A policy is set on a mapping of the file: on tmpfs the file keeps it, for
// whoever allocates its pages, be it the store or a program that writes through
// the mount; on hugetlbfs it is the mapping's own, so pages are allocated
// through that very mapping.
#ifndef VITRINE_STORE_HOST_NUMA_POLICY_H_
#define VITRINE_STORE_HOST_NUMA_POLICY_H_

#include <vitrine/result.h>

#include <cstddef>
#include <string>

#include "store/base/store_options.h"

namespace vitrine::store {

// Constant once made; thread-safe.
class NumaPolicy {
 public:
  // Where the thread runs that allocates.
  NumaPolicy() = default;
  // kInvalidArgument: there is no such node.  On a machine without NUMA, whose
  // memory is node 0, every policy does nothing.
  static Result<NumaPolicy> Make(const NumaOptions& options);

  // True if Apply does nothing.
  bool is_default() const { return mode_ == NumaOptions::Mode::kLocal; }
  // Sets the policy of the file pages behind the shared mapping `data`.
  Status Apply(void* data, size_t size_bytes) const;
  // "local", "interleave", "node:1".
  std::string Describe() const;

 private:
  NumaOptions::Mode mode_ = NumaOptions::Mode::kLocal;
  unsigned node_ = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_NUMA_POLICY_H_
