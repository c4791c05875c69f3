#include "schema/machine/directory_acl.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>

namespace vitrine::machine {
namespace {

constexpr unsigned kAll = ACL_READ | ACL_WRITE | ACL_EXECUTE;
constexpr unsigned kEnter = ACL_READ | ACL_EXECUTE;

template <typename T>
void Append(const T& part, std::string* value) {
  value->append(reinterpret_cast<const char*>(&part), sizeof(part));
}

void AppendEntry(unsigned tag, unsigned permissions, uint32_t id,
                 std::string* value) {
  posix_acl_xattr_entry entry{};
  entry.e_tag = static_cast<uint16_t>(tag);
  entry.e_perm = static_cast<uint16_t>(permissions);
  entry.e_id = id;
  Append(entry, value);
}

}  // namespace

// All integers are little-endian, as this machine's are (index_layout.h).
std::string MakeDirectoryAcl(std::vector<uid_t> users) {
  constexpr auto kNone = static_cast<uint32_t>(ACL_UNDEFINED_ID);
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
  std::string value;
  Append(posix_acl_xattr_header{POSIX_ACL_XATTR_VERSION}, &value);
  AppendEntry(ACL_USER_OBJ, kAll, kNone, &value);
  for (const uid_t user : users) AppendEntry(ACL_USER, kEnter, user, &value);
  AppendEntry(ACL_GROUP_OBJ, 0, kNone, &value);
  AppendEntry(ACL_MASK, kEnter, kNone, &value);
  AppendEntry(ACL_OTHER, 0, kNone, &value);
  return value;
}

Status SetDirectoryAcl(const std::string& path, std::vector<uid_t> users) {
  const std::string value = MakeDirectoryAcl(std::move(users));
  if (::setxattr(path.c_str(), std::string(kAccessAcl).c_str(), value.data(),
                 value.size(), 0) == 0) {
    return Status();
  }
  return ErrnoError("set the access list of " + path, errno);
}

Status RemoveDirectoryAcl(const std::string& path) {
  if (::removexattr(path.c_str(), std::string(kAccessAcl).c_str()) == 0 ||
      errno == ENODATA || errno == EOPNOTSUPP) {
    return Status();
  }
  return ErrnoError("remove the access list of " + path, errno);
}

}  // namespace vitrine::machine
