#include "fusefs/files/xattr.h"

#include <sys/xattr.h>

#include <cerrno>
#include <optional>
#include <utility>

namespace vitrine::fusefs {
namespace {

constexpr std::string_view kUserPrefix = "user.";
constexpr std::string_view kOwnPrefix = "vitrine.";
constexpr std::string_view kHold = "vitrine.hold";

// The attributes that every object has.
constexpr std::string_view kComputed[] = {
    "vitrine.state",   "vitrine.size",   "vitrine.tier", "vitrine.use-count",
    "vitrine.creator", "vitrine.in-use", "vitrine.hold"};

// The name after `user.`; empty: another kind of attribute.
std::optional<std::string_view> UserName(std::string_view name) {
  if (!name.starts_with(kUserPrefix)) return std::nullopt;
  return name.substr(kUserPrefix.size());
}

const char* StateName(ObjectState state) {
  switch (state) {
    case ObjectState::kUnsealed:
      return "unsealed";
    case ObjectState::kSealed:
      return "sealed";
    case ObjectState::kBlank:  // No file shows a blank.
    case ObjectState::kGone:
      break;
  }
  return "gone";
}

// No value: there is no such attribute, or it is not known.
std::optional<std::string> Compute(Store* store, const ObjectRef& object,
                                   std::string_view name) {
  if (name == "vitrine.in-use")
    return store->objects().InUse(object) ? "1" : "0";
  const ObjectInfo info = store->objects().Info(object);
  if (name == "vitrine.tier") return store::TierName(info);
  if (name == "vitrine.state") return StateName(info.state);
  if (name == "vitrine.size") return std::to_string(info.size_bytes);
  if (name == "vitrine.use-count") return std::to_string(info.use_count);
  if (name == "vitrine.creator") return std::to_string(info.creator_pid);
  if (name == kHold) return info.hold ? "1" : "0";
  return std::nullopt;
}

Answer<void> SetHold(Store* store, const ObjectRef& object,
                     std::string_view value, const Credentials& who) {
  if (value != "0" && value != "1") return Errno{EINVAL};
  return store->sealed().SetHold(object, value == "1", who);
}

// The errors of CheckMetadata: too large, or a bad name.
Answer<void> MetadataAnswer(const Status& status) {
  if (status) return Answer<void>();
  if (status.error().code == Code::kInvalidArgument) return Errno{E2BIG};
  if (status.error().code == Code::kNotFound) return Errno{ENODATA};
  return status;
}

}  // namespace

Answer<void> SetXattr(Store* store, const ObjectRef& object,
                      std::string_view name, std::string_view value, int flags,
                      const Credentials& who) {
  const auto user = UserName(name);
  if (!user) return Errno{EOPNOTSUPP};
  if (user->empty()) return Errno{EINVAL};
  if (*user == kHold) {
    if ((flags & XATTR_CREATE) != 0) return Errno{EEXIST};
    return SetHold(store, object, value, who);
  }
  if (user->starts_with(kOwnPrefix)) return Errno{EPERM};
  if (user->size() > kMaxMetadataNameBytes) return Errno{ERANGE};
  const std::string key(*user);
  const bool exists = store->objects().GetMetadata(object)->contains(key);
  if ((flags & XATTR_CREATE) != 0 && exists) return Errno{EEXIST};
  if ((flags & XATTR_REPLACE) != 0 && !exists) return Errno{ENODATA};
  return MetadataAnswer(
      store->unsealed().SetMetadata(object, key, std::string(value)));
}

Answer<void> RemoveXattr(Store* store, const ObjectRef& object,
                         std::string_view name, const Credentials& who) {
  const auto user = UserName(name);
  if (!user) return Errno{EOPNOTSUPP};
  if (*user == kHold) return SetHold(store, object, "0", who);
  if (user->starts_with(kOwnPrefix)) return Errno{EPERM};
  const std::string key(*user);
  if (store->objects().Info(object).state == ObjectState::kSealed)
    return Errno{EPERM};
  if (!store->objects().GetMetadata(object)->contains(key))
    return Errno{ENODATA};
  return MetadataAnswer(
      store->unsealed().SetMetadata(object, key, std::nullopt));
}

Answer<std::string> GetXattr(Store* store, const ObjectRef& object,
                             std::string_view name) {
  const auto user = UserName(name);
  if (!user) return Errno{EOPNOTSUPP};
  if (user->starts_with(kOwnPrefix)) {
    auto value = Compute(store, object, *user);
    if (!value) return Errno{ENODATA};
    return *std::move(value);
  }
  const auto metadata = store->objects().GetMetadata(object);
  const auto it = metadata->find(std::string(*user));
  if (it == metadata->end()) return Errno{ENODATA};
  return it->second;
}

Answer<std::string> ListXattr(Store* store, const ObjectRef& object) {
  std::string names;
  const auto append = [&names](std::string_view name) {
    names.append(kUserPrefix).append(name).push_back('\0');
  };
  const auto metadata = store->objects().GetMetadata(object);
  for (const auto& [name, value] : *metadata) append(name);
  for (const std::string_view name : kComputed) append(name);
  return names;
}

}  // namespace vitrine::fusefs
