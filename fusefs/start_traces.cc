#include "fusefs/start_traces.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "store/host/lock_file.h"

namespace vitrine::fusefs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCatalogFiles[] = {"catalog.db-wal", "catalog.db-shm",
                                         "catalog.db"};

// True only if there is no file at `path`; a dead mount counts as one.
bool IsMissing(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) != 0 && errno == ENOENT;
}

// `path` and the directories above it that are missing.
std::vector<std::string> MissingDirs(const fs::path& path) {
  std::vector<std::string> missing;
  for (fs::path dir = path; dir.has_relative_path() && IsMissing(dir);
       dir = dir.parent_path()) {
    missing.push_back(dir);
  }
  return missing;
}

}  // namespace

StartTraces::StartTraces(const DaemonOptions& options)
    : state_dir_(options.store.state_dir),
      mount_dir_(options.mount_dir),
      keep_catalog_(!IsMissing(state_dir_ + "/catalog.db")) {
  std::vector<std::string> wanted = {
      state_dir_, fs::path(options.socket_path).parent_path()};
  if (!mount_dir_.empty()) wanted.push_back(mount_dir_);
  for (const std::string& path : wanted) {
    for (std::string& dir : MissingDirs(path)) {
      missing_dirs_.push_back(std::move(dir));
    }
  }
  // Deeper directories first.
  std::stable_sort(missing_dirs_.begin(), missing_dirs_.end(),
                   [](const std::string& a, const std::string& b) {
                     return a.size() > b.size();
                   });
}

StartTraces::~StartTraces() {
  if (!keep_catalog_) RemoveCatalog();
  for (const std::string& dir : missing_dirs_) {
    ::rmdir(dir.c_str());  // Stays if it is not empty.
  }
}

Status StartTraces::MakeMountDir() const {
  if (::mkdir(mount_dir_.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return ErrnoError("make the mount point " + mount_dir_, errno);
}

void StartTraces::RemoveCatalog() const {
  if (IsMissing(state_dir_)) return;
  // Without the lock the catalog would be that of another store, because of
  // which this start failed.
  const Result<store::LockFile> lock = store::LockFile::Acquire(state_dir_);
  if (!lock) return;
  for (const char* name : kCatalogFiles) {
    ::unlink((state_dir_ + "/" + name).c_str());
  }
}

}  // namespace vitrine::fusefs
