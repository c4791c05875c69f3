// The command line and the configuration file of vitrined, with any words and
// any lines.
//
// Properties: an error is one line and the caller's mistake; what is accepted
// can be used as it is.
#include <fcntl.h>
#include <unistd.h>

#include <sstream>
#include <string>
#include <vector>

#include "fusefs/options.h"
#include "tests/fuzz/input.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::fuzz {
namespace {

class ConfigFile {
 public:
  ConfigFile()
      : path_(dir_.path() + "/config"),
        fd_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) {}

  const std::string& path() const { return path_; }
  void Write(const std::string& text) const {
    FUZZ_CHECK(::ftruncate(fd_.get(), 0) == 0);
    FUZZ_CHECK(::pwrite(fd_.get(), text.data(), text.size(), 0) ==
               static_cast<ssize_t>(text.size()));
  }

 private:
  ScratchDir dir_;
  const std::string path_;
  const UniqueFd fd_;
};

bool IsOneLine(const std::string& text) {
  return !text.empty() && text.find('\n') == std::string::npos;
}

void CheckOptions(const fusefs::DaemonOptions& options) {
  FUZZ_CHECK(options.store.state_dir.starts_with('/'));
  FUZZ_CHECK(options.store.capacity_bytes != 0U);
  for (const std::string& path :
       {options.store.memory_dir, options.mount_dir}) {
    FUZZ_CHECK(path.empty() || path.starts_with('/'));
  }
  FUZZ_CHECK((options.store.catalog_mode & ~0644U) == 0);
  FUZZ_CHECK(IsOneLine(options.log_level));
}

}  // namespace
}  // namespace vitrine::fuzz

// A line is an argument; behind a line `--` follows the configuration file.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace vitrine::fuzz;  // NOLINT: the names above.
  static const ConfigFile config;
  std::istringstream lines(Input(data, size).Rest());
  std::vector<std::string> arguments;
  std::string line;
  while (std::getline(lines, line) && line != "--") arguments.push_back(line);
  if (line == "--") {
    std::ostringstream rest;
    rest << lines.rdbuf();
    config.Write(rest.str());
    arguments.push_back("--config=" + config.path());
  }
  const auto parsed = vitrine::fusefs::ParseCommandLine(arguments);
  if (!parsed) {
    FUZZ_CHECK(parsed.error().code == vitrine::Code::kInvalidArgument);
    FUZZ_CHECK(IsOneLine(parsed.error().message));
  } else if (parsed->text.empty()) {
    CheckOptions(parsed->options);
  }
  return 0;
}
