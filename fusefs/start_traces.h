// What a start makes in the file system that no part of the store takes back
// by itself.
#ifndef VITRINE_FUSEFS_START_TRACES_H_
#define VITRINE_FUSEFS_START_TRACES_H_

#include <vitrine/result.h>

#include <string>
#include <vector>

#include "fusefs/options.h"

namespace vitrine::fusefs {

// Remembers which directories were missing before the start: those of the
// state, of the socket and of the mount.  Destroying it removes them again
// where they are empty, and the catalog as well if the start failed and there
// was none before.  Make it before, and destroy it after, everything else.
class StartTraces {
 public:
  explicit StartTraces(const DaemonOptions& options);
  StartTraces(const StartTraces&) = delete;
  StartTraces& operator=(const StartTraces&) = delete;
  ~StartTraces();

  // Makes the directory to mount on, if it is missing and its parent is there.
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
