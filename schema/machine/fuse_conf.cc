#include "schema/machine/fuse_conf.h"

#include <sstream>
#include <string_view>

#include "schema/machine/kernel_text.h"

namespace vitrine::machine {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";

// As fusermount3 reads a line: without a comment and the blanks around it.
std::string_view Strip(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const size_t begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace

bool FuseConfAllowsOthers(const std::string& root) {
  std::istringstream lines(ReadText(root + "/etc/fuse.conf").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (Strip(line) == "user_allow_other") return true;
  }
  return false;
}

}  // namespace vitrine::machine
