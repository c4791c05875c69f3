// What the tests of the object table's parts have in common.
#ifndef VITRINE_TESTS_STORE_TABLE_TABLE_PARTS_H_
#define VITRINE_TESTS_STORE_TABLE_TABLE_PARTS_H_

#include <memory>
#include <string>

#include "store/table/object_record.h"

namespace vitrine::store {

inline ObjectRef MakeRecord(uint64_t number, const std::string& id,
                            ObjectState state = ObjectState::kSealed) {
  return std::make_shared<ObjectRecord>(
      ObjectInfo{.number = number,
                 .id = *ObjectId::FromText(id),
                 .state = state,
                 .size_bytes = 100 * number,
                 .charged_bytes = 4096,
                 .mode = 0644});
}

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_TABLE_TABLE_PARTS_H_
