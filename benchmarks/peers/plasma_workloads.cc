// Workloads against Plasma; the command line is that of ../workloads.cc.
// A program of its own: it needs the old ABI of libstdc++.
#include "benchmarks/measure.h"
#include "benchmarks/peers/plasma_peer.h"
#include "benchmarks/run_workload.h"

int main(int argc, char** argv) {
  const vitrine::Settings settings = vitrine::ParseSettings(argc, argv);
  vitrine::PinProcess(settings, 0);
  vitrine::RunWorkload<vitrine::PlasmaPeer>(settings);
}
