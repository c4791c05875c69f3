#include "store/base/restart_report.h"

#include "schema/base/size.h"

namespace vitrine::store {
namespace {

std::string Counted(uint64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

std::string RestartReport::Describe() const {
  std::string text;
  const auto add = [&text](const std::string& part) {
    text += (text.empty() ? "" : ", ") + part;
  };
  if (damaged_places > 0) {
    add("journal damaged in " + Counted(damaged_places, "place"));
  }
  if (lost_objects > 0) {
    add(Counted(lost_objects, "object") + " lost (" + FormatSize(lost_bytes) +
        ")");
  }
  if (freed_segments > 0) {
    add(Counted(freed_segments, "segment") + " without a name given back (" +
        FormatSize(freed_bytes) + ")");
  }
  if (evicted_objects > 0) {
    add(Counted(evicted_objects, "object") + " evicted to fit the capacity (" +
        FormatSize(evicted_bytes) + ")");
  }
  if (text.empty()) return text;
  return Counted(restored_objects, "object") + " restored, " + text;
}

}  // namespace vitrine::store
