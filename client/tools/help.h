// The help texts of `vitrine`.
#ifndef VITRINE_CLIENT_TOOLS_HELP_H_
#define VITRINE_CLIENT_TOOLS_HELP_H_

#include <CLI/CLI.hpp>
#include <string>

namespace vitrine::tools {

// CLI11's formatter, but with one line for each subcommand in the list, and no
// line of more than 80 columns.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

// Breaks `text` at spaces so that no line has more than `columns`, where
// words permit.
std::string WrapText(const std::string& text, size_t columns);

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_HELP_H_
