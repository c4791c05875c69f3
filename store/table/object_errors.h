// Errors that say which object they are about.
#ifndef VITRINE_STORE_TABLE_OBJECT_ERRORS_H_
#define VITRINE_STORE_TABLE_OBJECT_ERRORS_H_

#include <vitrine/object_id.h>
#include <vitrine/result.h>

#include <string>
#include <string_view>

#include "store/table/object_record.h"

namespace vitrine::store {

inline std::string Quoted(std::string_view id) {
  return "`" + std::string(id) + "`";
}

inline Error Gone(const ObjectRecord& object) {
  return Error{Code::kNotFound, Quoted(object.id.text()) + " is gone"};
}

inline Error Taken(const ObjectId& id) {
  return Error{Code::kAlreadyExists, Quoted(id.text()) + " is taken"};
}

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_OBJECT_ERRORS_H_
