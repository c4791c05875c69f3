// The workload that the settings name, for peers that can do it.
#ifndef VITRINE_BENCHMARKS_RUN_WORKLOAD_H_
#define VITRINE_BENCHMARKS_RUN_WORKLOAD_H_

#include "benchmarks/die.h"
#include "benchmarks/measure.h"
#include "benchmarks/peer.h"
#include "benchmarks/workload_crowd.h"
#include "benchmarks/workload_get.h"
#include "benchmarks/workload_handover.h"
#include "benchmarks/workload_put.h"

namespace vitrine {

template <typename P>
void RunWorkload(const Settings& settings) {
  if constexpr (GetPeer<P>) {
    if (settings.workload == "get") return RunGet<P>(settings);
  }
  if constexpr (PutPeer<P>) {
    if (settings.workload == "put") return RunPut<P>(settings);
  }
  if constexpr (WaitPeer<P>) {
    if (settings.workload == "handover") return RunHandover<P>(settings);
  }
  if constexpr (GetPeer<P> && WaitPeer<P>) {
    if (settings.workload == "crowd") return RunCrowd<P>(settings);
  }
  Die(settings.peer + " cannot run the workload " + settings.workload);
}

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_RUN_WORKLOAD_H_
