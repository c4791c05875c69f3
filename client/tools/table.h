// Rows of text in aligned columns.
#ifndef VITRINE_CLIENT_TOOLS_TABLE_H_
#define VITRINE_CLIENT_TOOLS_TABLE_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::tools {

enum class Align : bool { kLeft, kRight };

// Not thread-safe.
class Table {
 public:
  // One column for each of `aligns`.
  explicit Table(std::vector<Align> aligns) : aligns_(std::move(aligns)) {}

  // `cells` beyond the columns are dropped, missing ones are empty.
  void Add(std::vector<std::string> cells);
  // Adds the rows of `other`, which has as many columns.
  void Append(Table other);
  bool empty() const { return rows_.empty(); }
  // The rows, two spaces between columns, none at the end of a line.
  std::string Text() const;

 private:
  std::vector<Align> aligns_;
  std::vector<std::vector<std::string>> rows_;
};

// Columns that `text` takes on a terminal: code points of UTF-8.
size_t DisplayWidth(std::string_view text);

// A field of RFC 4180, quoted if it must be.
std::string CsvField(std::string_view text);

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_TABLE_H_
