// Extended attributes of objects: `user.<name>` is the object's metadata,
// `user.vitrine.<name>` are attributes that the store computes.
#ifndef VITRINE_FUSEFS_FILES_XATTR_H_
#define VITRINE_FUSEFS_FILES_XATTR_H_

#include <string>
#include <string_view>

#include "fusefs/base/store_names.h"
#include "fusefs/files/answer.h"

namespace vitrine::fusefs {

// `flags`: XATTR_CREATE, XATTR_REPLACE or 0.
Answer<void> SetXattr(Store* store, const ObjectRef& object,
                      std::string_view name, std::string_view value, int flags,
                      const Credentials& who);
Answer<void> RemoveXattr(Store* store, const ObjectRef& object,
                         std::string_view name, const Credentials& who);
Answer<std::string> GetXattr(Store* store, const ObjectRef& object,
                             std::string_view name);
// All names, each ended by a NUL.
Answer<std::string> ListXattr(Store* store, const ObjectRef& object);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_XATTR_H_
