// A store of its own for each benchmark program, and bare tmpfs to compare it
// with.  Failures end the program: a benchmark without its store says nothing.
#ifndef VITRINE_BENCHMARKS_BENCHMARK_STORE_H_
#define VITRINE_BENCHMARKS_BENCHMARK_STORE_H_

#include <sys/types.h>
#include <vitrine/client.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "benchmarks/die.h"
#include "schema/base/unique_fd.h"

namespace vitrine {

// The value, or the end of the program.
template <typename T>
T OrDie(Result<T> result) {
  if (!result) Die(result.error().ToString());
  return std::move(*result);
}
void OrDie(const Status& status);

// A directory of its own under `parent`; goes with all that is in it.
class TempDir {
 public:
  explicit TempDir(const std::string& parent);
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Runs a `vitrined` in directories of its own until destruction.
class BenchmarkStore {
 public:
  enum class WithMount { kNo, kYes };

  // `more`: further arguments of vitrined.
  BenchmarkStore(uint64_t capacity_bytes, WithMount with_mount,
                 const std::vector<std::string>& more = {});
  BenchmarkStore(const BenchmarkStore&) = delete;
  BenchmarkStore& operator=(const BenchmarkStore&) = delete;
  ~BenchmarkStore();

  const std::string& socket_path() const { return socket_path_; }
  const std::string& mount_path() const { return mount_path_; }
  // A new connection.
  Client Connect() const;
  // Lets other users connect.
  void OpenToOthers() const;
  nlohmann::json GetStatus() const;
  // Waits until `bytes` are free: what was removed has been given back.
  void WaitUntilFree(uint64_t bytes) const;

 private:
  TempDir dir_;
  std::string socket_path_;
  std::string mount_path_;
  pid_t pid_ = -1;
};

// A tmpfs with the same `huge=` option as the file system on which `path` is.
// Needs root.  It has no name but that of our descriptor, so that it goes with
// this process, however that ends.
class BareTmpfs {
 public:
  BareTmpfs(const std::string& path, uint64_t size_bytes);

  // Good for every process while this lives.
  const std::string& path() const { return path_; }

 private:
  UniqueFd fd_;
  std::string path_;
};

// Starts `arguments` (the first is sought in PATH) and waits for its end.
void RunProgram(const std::vector<std::string>& arguments);
// The same, without what it prints.
void RunProgramQuietly(const std::vector<std::string>& arguments);

// Writes `size_bytes` of numbered words to a new file, by write(2) after its
// size was set.
void WriteFile(const std::string& path, uint64_t size_bytes);

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_BENCHMARK_STORE_H_
