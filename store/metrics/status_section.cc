#include "store/metrics/status_section.h"

namespace vitrine::store {

void StatusSection::AddPart(std::string name, StatusSection section) {
  parts.push_back({std::move(name), std::move(section)});
}

void StatusSection::AddList(std::string name,
                            std::vector<StatusSection> sections) {
  lists.push_back({std::move(name), std::move(sections)});
}

}  // namespace vitrine::store
