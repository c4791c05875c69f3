#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "client/tools/catalog_reader.h"
#include "client/tools/command.h"
#include "client/tools/json_text.h"
#include "client/tools/table.h"
#include "client/tools/text.h"

namespace vitrine::tools {
namespace {

using Json = nlohmann::ordered_json;

struct SqlOptions {
  std::string sql;
  std::string state_dir;
  bool json = false;
  bool csv = false;
};

std::string Text(const sqlite::Value& value) {
  struct Visitor {
    std::string operator()(std::monostate) const { return ""; }
    std::string operator()(int64_t number) const {
      return std::to_string(number);
    }
    std::string operator()(double number) const {
      return Dump(Json(number), -1);
    }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const sqlite::Blob& blob) const {
      return Hex(blob.bytes);
    }
  };
  return std::visit(Visitor(), value);
}

Json ToJson(const sqlite::Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return nullptr;
  if (const auto* number = std::get_if<int64_t>(&value)) return *number;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return Text(value);
}

// Aligned columns under a header, as `sqlite3 -header -column`.
class ColumnSink : public RowSink {
 public:
  void Begin(const std::vector<std::string>& columns) override {
    Finish();
    header_ = columns;
    numeric_.assign(columns.size(), true);
  }
  void Row(const std::vector<sqlite::Value>& values) override {
    std::vector<std::string> cells;
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::holds_alternative<std::string>(values[i]) ||
          std::holds_alternative<sqlite::Blob>(values[i])) {
        numeric_[i] = false;
      }
      cells.push_back(Printable(Text(values[i])));
    }
    rows_.push_back(std::move(cells));
  }
  void Finish() {
    if (rows_.empty()) return;
    std::vector<Align> aligns;
    std::vector<std::string> rule;
    for (size_t i = 0; i < header_.size(); ++i) {
      aligns.push_back(numeric_[i] ? Align::kRight : Align::kLeft);
      rule.emplace_back(Width(i), '-');
    }
    Table table(std::move(aligns));
    table.Add(header_);
    table.Add(std::move(rule));
    for (auto& row : rows_) table.Add(std::move(row));
    Print(table.Text());
    rows_.clear();
  }

 private:
  size_t Width(size_t column) const {
    size_t width = DisplayWidth(header_[column]);
    for (const auto& row : rows_) {
      width = std::max(width, DisplayWidth(row[column]));
    }
    return width;
  }

  std::vector<std::string> header_;
  std::vector<bool> numeric_;
  std::vector<std::vector<std::string>> rows_;
};

class CsvSink : public RowSink {
 public:
  void Begin(const std::vector<std::string>& columns) override {
    PrintFields(columns);
  }
  void Row(const std::vector<sqlite::Value>& values) override {
    std::vector<std::string> fields;
    for (const sqlite::Value& value : values) fields.push_back(Text(value));
    PrintFields(fields);
  }

 private:
  static void PrintFields(const std::vector<std::string>& fields) {
    std::string line;
    for (size_t i = 0; i < fields.size(); ++i) {
      if (i > 0) line += ',';
      line += CsvField(fields[i]);
    }
    Print(line + "\n");
  }
};

// One array for each statement; rows are printed as they come.
class JsonSink : public RowSink {
 public:
  void Begin(const std::vector<std::string>& columns) override {
    Finish();
    columns_ = columns;
    Print("[");
    open_ = true;
  }
  void Row(const std::vector<sqlite::Value>& values) override {
    Json row = Json::object();
    for (size_t i = 0; i < values.size(); ++i) {
      row[columns_[i]] = ToJson(values[i]);
    }
    Print((first_ ? "\n  " : ",\n  ") + Dump(row, -1));
    first_ = false;
  }
  void Finish() {
    if (open_) Print(first_ ? "]\n" : "\n]\n");
    open_ = false;
    first_ = true;
  }

 private:
  std::vector<std::string> columns_;
  bool open_ = false;
  bool first_ = true;
};

Status Query(CatalogReader& reader, const SqlOptions& options) {
  if (options.csv) {
    CsvSink sink;
    return reader.Query(options.sql, sink);
  }
  if (options.json) {
    JsonSink sink;
    Status status = reader.Query(options.sql, sink);
    sink.Finish();
    return status;
  }
  ColumnSink sink;
  Status status = reader.Query(options.sql, sink);
  sink.Finish();
  return status;
}

std::optional<std::string> FindStateDir(const CommandLine& line,
                                        const SqlOptions& options,
                                        int* exit_code) {
  if (!options.state_dir.empty()) return options.state_dir;
  auto client = Connect(line, kPoll, exit_code);
  if (!client) return std::nullopt;
  auto dir = client->StateDir();
  if (dir) return std::move(*dir);
  *exit_code = Fail("sql", dir.error());
  return std::nullopt;
}

int RunSql(const CommandLine& line, const SqlOptions& options) {
  if (options.json && options.csv) {
    return FailUsage("sql", "--json and --csv exclude each other");
  }
  int exit_code = kExitOk;
  const auto dir = FindStateDir(line, options, &exit_code);
  if (!dir) return exit_code;
  auto reader = CatalogReader::Open(*dir);
  if (!reader) return FailWith("sql", reader.error().message);
  const Status status = Query(*reader, options);
  // Not Fail: a catalog that is unavailable does not mean that no store runs.
  return FinishOutput(status ? kExitOk
                             : FailWith("sql", Explain(status.error())));
}

}  // namespace

void AddSqlCommand(CLI::App* app, CommandLine* line) {
  auto options = std::make_shared<SqlOptions>();
  CLI::App* command = app->add_subcommand(
      "sql",
      "Ask the catalog with SQL, read-only.\n"
      "\n"
      "Works while the store runs; the catalog is at most 50 ms behind it.\n"
      "Examples:\n"
      "  vitrine sql 'SELECT id, size_bytes FROM sealed ORDER BY used_ns'\n"
      "  vitrine sql 'SELECT name, sql FROM sqlite_schema'");
  AddText(command, "SQL", &options->sql, "One or more SELECT statements")
      ->required();
  AddText(command, "--state-dir", &options->state_dir,
          "Read the catalog there; needs no running store")
      ->type_name("DIR");
  command->add_flag("--json", options->json, "An array of objects");
  command->add_flag("--csv", options->csv, "Comma-separated, with a header");
  command->callback(
      [=] { line->run = [=] { return RunSql(*line, *options); }; });
}

}  // namespace vitrine::tools
