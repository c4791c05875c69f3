// The value of a column of a row.
#ifndef VITRINE_SCHEMA_SQLITE_VALUE_H_
#define VITRINE_SCHEMA_SQLITE_VALUE_H_

#include <cstdint>
#include <string>
#include <variant>

namespace vitrine::sqlite {

struct Blob {
  std::string bytes;
};
// std::monostate is NULL.
using Value = std::variant<std::monostate, int64_t, double, std::string, Blob>;

}  // namespace vitrine::sqlite

#endif  // VITRINE_SCHEMA_SQLITE_VALUE_H_
