#ifndef VITRINE_TESTS_CLIENT_SCRATCH_DIR_H_
#define VITRINE_TESTS_CLIENT_SCRATCH_DIR_H_

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace vitrine {

// A directory under /dev/shm that others may enter; gone with this.
class ScratchDir {
 public:
  ScratchDir() {
    if (::mkdtemp(path_.data()) == nullptr) {
      throw std::runtime_error("mkdtemp " + path_);
    }
    ::chmod(path_.c_str(), 0755);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  ~ScratchDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const {
    return path_ + "/" + name;
  }

 private:
  std::string path_ = "/dev/shm/vitrine-client-test-XXXXXX";
};

}  // namespace vitrine

#endif  // VITRINE_TESTS_CLIENT_SCRATCH_DIR_H_
