#include "client/tools/help.h"

#include <sstream>

namespace vitrine::tools {
namespace {

constexpr size_t kNameColumns = 26;
constexpr size_t kDescriptionColumns = 80 - kNameColumns;

}  // namespace

HelpFormatter::HelpFormatter() { column_width(kNameColumns); }

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  std::string summary = command->get_description();
  summary.erase(std::min(summary.find('\n'), summary.size()));
  std::ostringstream text;
  CLI::detail::format_help(text, command->get_name(),
                           WrapText(summary, kDescriptionColumns),
                           kNameColumns);
  return text.str();
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  return WrapText(CLI::Formatter::make_option_desc(option),
                  kDescriptionColumns);
}

std::string WrapText(const std::string& text, size_t columns) {
  std::string wrapped;
  size_t used = 0;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (used > 0 && used + 1 + word.size() > columns) {
      wrapped += '\n';
      used = 0;
    }
    if (used > 0) wrapped += ' ';
    wrapped += word;
    used += word.size() + (used > 0 ? 1 : 0);
  }
  return wrapped;
}

}  // namespace vitrine::tools
