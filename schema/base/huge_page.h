#ifndef VITRINE_SCHEMA_BASE_HUGE_PAGE_H_
#define VITRINE_SCHEMA_BASE_HUGE_PAGE_H_

#include <cstdint>

namespace vitrine {

// The size of tmpfs's huge pages.
inline constexpr uint64_t kTmpfsHugePageBytes = uint64_t{2} << 20;

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_HUGE_PAGE_H_
