// One running store with its front ends.
#ifndef VITRINE_FUSEFS_DAEMON_H_
#define VITRINE_FUSEFS_DAEMON_H_

#include <vitrine/result.h>

#include <memory>
#include <string>

#include "fusefs/base/store_names.h"
#include "fusefs/mount.h"
#include "fusefs/options.h"
#include "fusefs/start_traces.h"
#include "store/server/server.h"

namespace vitrine::fusefs {

// Owns store, mount and server.  Destroying it ends the connections, unmounts
// and gives the memory back.  One thread.
class Daemon {
 public:
  // A start that fails leaves nothing behind, except what a killed store left.
  static Result<std::unique_ptr<Daemon>> Start(const DaemonOptions& options);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Memory, mount, socket and state that the store got, and why: one line.
  std::string ReadyLine() const;

 private:
  explicit Daemon(const DaemonOptions& options);

  Status StartMount();
  Status StartServer();

  const DaemonOptions options_;
  // Each uses those above it.
  StartTraces traces_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Mount> mount_;  // Null: no mount.
  std::unique_ptr<store::Server> server_;
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_DAEMON_H_
