// Files that a start makes and that no part of the store removes by itself.
#ifndef VITRINE_FUSEFS_START_TRACES_H_
#define VITRINE_FUSEFS_START_TRACES_H_

#include <vitrine/result.h>

#include <string>
#include <vector>

#include "fusefs/options.h"

namespace vitrine::fusefs {

// Remembers which directories were missing before the start: those of the
// state, of the socket and of the mount.  Its destructor removes them again if
// they are empty.  If the start failed, it also removes a catalog that was not
// there before.  Construct it before everything else, and destroy it last.
class StartTraces {
 public:
  explicit StartTraces(const DaemonOptions& options);
  StartTraces(const StartTraces&) = delete;
  StartTraces& operator=(const StartTraces&) = delete;
  ~StartTraces();

  // Makes the mount point if it is missing and its parent exists.
  Status MakeMountDir() const;
  // The start has succeeded: the catalog stays.
  void Keep() { keep_catalog_ = true; }

 private:
  void RemoveCatalog() const;

  const std::string state_dir_;
  const std::string mount_dir_;
  bool keep_catalog_;
  std::vector<std::string> missing_dirs_;  // Parents last.
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_START_TRACES_H_
