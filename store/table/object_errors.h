// Errors that say which object they are about, and checks that give them.
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

inline Error Elsewhere(const ObjectRecord& object) {
  return Error{Code::kUnavailable,
               Quoted(object.id.text()) + " is not in memory"};
}

// kNotPermitted: sealed.  kNotFound: gone.
inline Status CheckIsUnsealed(const ObjectRecord& object) {
  if (object.state == ObjectState::kGone) return Gone(object);
  if (!object.writable()) {
    return Error{Code::kNotPermitted,
                 Quoted(object.id.text()) + " is sealed: it never changes"};
  }
  return Status();
}

// kInUse: a seal of it has begun.
inline Status CheckIsNotRenewing(const ObjectRecord& object) {
  if (object.own == nullptr || !object.own->renewing) return Status();
  return Error{Code::kInUse, "object " + std::to_string(object.number) +
                                 " is just being sealed"};
}

// It may be changed.  Errors as above.
inline Status CheckIsWritable(const ObjectRecord& object) {
  Status unsealed = CheckIsUnsealed(object);
  return unsealed ? CheckIsNotRenewing(object) : unsealed;
}

// kNotFound: it is no blank, or none any more.
inline Status CheckIsBlank(const ObjectRecord& object) {
  if (object.state == ObjectState::kBlank) return Status();
  return Error{Code::kNotFound,
               "blank " + std::to_string(object.number) + " is gone"};
}

// kNotFound: gone.  kNotSealed.  kNotPermitted: `who` is neither owner nor
// root.
inline Status CheckOwnedSealed(const ObjectRecord& object,
                               const Credentials& who) {
  if (object.state == ObjectState::kGone) return Gone(object);
  if (object.state != ObjectState::kSealed) {
    return Error{Code::kNotSealed,
                 Quoted(object.id.text()) + " is being written"};
  }
  if (!IsOwner(object.Info(), who)) {
    return Error{Code::kNotPermitted, Quoted(object.id.text()) +
                                          " belongs to user " +
                                          std::to_string(object.uid)};
  }
  return Status();
}

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_OBJECT_ERRORS_H_
