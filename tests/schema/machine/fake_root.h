// A directory that looks like the root of a machine.
#ifndef VITRINE_TESTS_SCHEMA_MACHINE_FAKE_ROOT_H_
#define VITRINE_TESTS_SCHEMA_MACHINE_FAKE_ROOT_H_

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/scratch_dir.h"

namespace vitrine::machine {

class FakeRoot {
 public:
  const std::string& path() const { return dir_.path(); }
  // `file` is below the root.
  void Write(const std::string& file, const std::string& text) const {
    const std::filesystem::path whole = dir_.path() + "/" + file;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }

 private:
  ScratchDir dir_{"/tmp"};
};

}  // namespace vitrine::machine

#endif  // VITRINE_TESTS_SCHEMA_MACHINE_FAKE_ROOT_H_
