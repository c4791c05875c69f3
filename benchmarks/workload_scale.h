// Vitrine with many objects, beside itself with few: `fill` puts them, `scale`
// gets them at random and lists them.
#ifndef VITRINE_BENCHMARKS_WORKLOAD_SCALE_H_
#define VITRINE_BENCHMARKS_WORKLOAD_SCALE_H_

#include "benchmarks/measure.h"

namespace vitrine {

void RunFill(const Settings& settings);
void RunScale(const Settings& settings);

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_WORKLOAD_SCALE_H_
