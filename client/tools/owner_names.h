// User and group names, looked up once each.
#ifndef VITRINE_CLIENT_TOOLS_OWNER_NAMES_H_
#define VITRINE_CLIENT_TOOLS_OWNER_NAMES_H_

#include <map>
#include <string>

namespace vitrine::tools {

// A number that has no name is its own.  Not thread-safe.
class OwnerNames {
 public:
  const std::string& User(unsigned uid);
  const std::string& Group(unsigned gid);

 private:
  std::map<unsigned, std::string> users_;
  std::map<unsigned, std::string> groups_;
};

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_OWNER_NAMES_H_
