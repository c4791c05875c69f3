// Workloads against one peer: vitrine, or what one would use without a store.
//
//   workloads --workload get|put|handover|crowd|fill|scale
//     --peer vitrine|shm|file|memcpy|futex --address SOCKET_OR_DIRECTORY ...
//
// benchmarks/run starts it; see measure.h for the other options.
#include <cstdint>
#include <string>

#include "benchmarks/die.h"
#include "benchmarks/measure.h"
#include "benchmarks/plain_peers.h"
#include "benchmarks/run_workload.h"
#include "benchmarks/vitrine_peer.h"
#include "benchmarks/workload_scale.h"

namespace vitrine {
namespace {

void Run(const Settings& settings) {
  if (settings.workload == "fill") {
    RunFill(settings);
  } else if (settings.workload == "scale") {
    RunScale(settings);
  } else if (settings.peer == "vitrine") {
    RunWorkload<VitrinePeer>(settings);
  } else if (settings.peer == "shm") {
    RunWorkload<ShmPeer>(settings);
  } else if (settings.peer == "file") {
    RunWorkload<FilePeer>(settings);
  } else if (settings.peer == "memcpy") {
    RunWorkload<MemcpyPeer>(settings);
  } else if (settings.peer == "futex") {
    RunWorkload<FutexPeer>(settings);
  } else {
    Die("no such peer: " + settings.peer);
  }
}

}  // namespace
}  // namespace vitrine

int main(int argc, char** argv) {
  const vitrine::Settings settings = vitrine::ParseSettings(argc, argv);
  vitrine::PinProcess(settings, 0);
  vitrine::Run(settings);
}
