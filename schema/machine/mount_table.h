// The table of mounts.
#ifndef VITRINE_SCHEMA_MACHINE_MOUNT_TABLE_H_
#define VITRINE_SCHEMA_MACHINE_MOUNT_TABLE_H_

#include <vitrine/result.h>

#include <optional>
#include <string>
#include <vector>

namespace vitrine::machine {

// A line of /proc/self/mountinfo.
struct MountEntry {
  std::string device;  // "major:minor"
  std::string mount_point;
  std::string type;           // "tmpfs"
  std::string source;         // Who mounted it, by custom.
  std::string options;        // Of this mount: "rw,nosuid".
  std::string super_options;  // Of the file system: "rw,size=8388608k".

  // The value of the super option `name`.  "": the option has no value.  None:
  // there is no such option.
  std::optional<std::string> SuperOption(const std::string& name) const;
};

// Reads `text` in mountinfo's format.  Lines that make no sense are left out.
std::vector<MountEntry> ParseMountInfo(const std::string& text);

// All mounts that this process sees, those on top last.
Result<std::vector<MountEntry>> ReadMounts();
// The mount on `mount_point` itself; the topmost, if there are several.
// The path must have no symbolic links in it.
Result<std::optional<MountEntry>> FindMount(const std::string& mount_point);
// The mount that the file `path` is on.
Result<std::optional<MountEntry>> FindMountOf(const std::string& path);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_MOUNT_TABLE_H_
