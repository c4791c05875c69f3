#include "client/tools/machine_facts.h"

#include <linux/magic.h>
#include <mntent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "client/tools/machine_probes.h"

namespace vitrine::tools {
namespace {

constexpr int kCapSysAdmin = 21;  // linux/capability.h

// Empty if it cannot be read.
std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return file ? text.str() : std::string();
}

uint64_t ReadNumber(const std::string& path) {
  return FindNumber(ReadText(path), "", 10).value_or(0);
}

struct Mount {
  std::string dir;
  std::string type;
  std::string options;
};

std::vector<Mount> ReadMounts() {
  struct End {
    void operator()(std::FILE* file) const { ::endmntent(file); }
  };
  std::vector<Mount> mounts;
  const std::unique_ptr<std::FILE, End> file(
      ::setmntent("/proc/self/mounts", "r"));
  if (file == nullptr) return mounts;
  mntent entry{};
  std::array<char, 8192> buffer;
  while (::getmntent_r(file.get(), &entry, buffer.data(),
                       static_cast<int>(buffer.size())) != nullptr) {
    mounts.push_back({entry.mnt_dir, entry.mnt_type, entry.mnt_opts});
  }
  return mounts;
}

bool HasSysAdmin() {
  const auto effective =
      FindNumber(ReadText("/proc/self/status"), "CapEff:", 16);
  if (!effective || (*effective >> kCapSysAdmin & 1) == 0) return false;
  // Root of a user namespace is not root.
  std::istringstream map(ReadText("/proc/self/uid_map"));
  uint64_t inside = 1, outside = 1, count = 0;
  map >> inside >> outside >> count;
  return inside == 0 && outside == 0 && count == UINT32_MAX;
}

void FindFusermount(MachineFacts* facts) {
  const char* path = std::getenv("PATH");
  std::istringstream dirs(std::string(path == nullptr ? "" : path) +
                          ":/usr/bin:/bin:/usr/local/bin");
  for (std::string dir; std::getline(dirs, dir, ':');) {
    const std::string file = dir + "/fusermount3";
    struct stat info {};
    if (::access(file.c_str(), X_OK) != 0) continue;
    if (::stat(file.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    facts->fusermount = file;
    facts->fusermount_setuid =
        (info.st_mode & S_ISUID) != 0 && info.st_uid == 0;
    return;
  }
}

void GatherShm(const std::vector<Mount>& mounts, MachineFacts* facts) {
  struct statfs info {};
  if (::statfs("/dev/shm", &info) != 0) {
    facts->shm.why_not = std::strerror(errno);
    return;
  }
  if (info.f_type != TMPFS_MAGIC) {
    facts->shm.why_not = "it is not a tmpfs";
    return;
  }
  if (::access("/dev/shm", W_OK | X_OK) != 0) {
    facts->shm.why_not = std::strerror(errno);
    return;
  }
  facts->shm.works = true;
  const auto block = static_cast<uint64_t>(info.f_bsize);
  facts->shm_total_bytes = info.f_blocks * block;
  facts->shm_free_bytes = info.f_bavail * block;
  for (const Mount& mount : mounts) {
    if (mount.dir == "/dev/shm") {
      facts->shm_huge = MountOption(mount.options, "huge");
    }
  }
  facts->tmpfs_leases = ProbeLeases("/dev/shm");
}

void GatherHugetlb(const std::vector<Mount>& mounts, MachineFacts* facts) {
  HugetlbFacts& hugetlb = facts->hugetlb;
  const std::string memory = ReadText("/proc/meminfo");
  hugetlb.page_bytes =
      FindNumber(memory, "Hugepagesize:", 10).value_or(0) * 1024;
  hugetlb.total_pages = FindNumber(memory, "HugePages_Total:", 10).value_or(0);
  hugetlb.free_pages = FindNumber(memory, "HugePages_Free:", 10).value_or(0);
  for (const Mount& mount : mounts) {
    if (mount.type != "hugetlbfs" ||
        ::access(mount.dir.c_str(), W_OK | X_OK) != 0) {
      continue;
    }
    hugetlb.mount_point = mount.dir;
    facts->hugetlb_leases = ProbeLeases(mount.dir);
    return;
  }
}

// The least limit of our control group (version 2) and those above it.
uint64_t ControlGroupLimit() {
  std::istringstream lines(ReadText("/proc/self/cgroup"));
  uint64_t limit = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("0::")) continue;
    for (std::string group = line.substr(3);;
         group.erase(group.find_last_of('/'))) {
      const auto here = FindNumber(
          ReadText("/sys/fs/cgroup" + group + "/memory.max"), "", 10);
      if (here) limit = limit == 0 ? *here : std::min(limit, *here);
      if (group.find('/') == std::string::npos) break;
    }
  }
  return limit;
}

void GatherLimits(MachineFacts* facts) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    facts->max_descriptors = limit.rlim_max;
  }
  facts->max_mappings = ReadNumber("/proc/sys/vm/max_map_count");
  facts->memory_bytes =
      FindNumber(ReadText("/proc/meminfo"), "MemTotal:", 10).value_or(0) * 1024;
  facts->memory_limit_bytes = ControlGroupLimit();
}

}  // namespace

MachineFacts GatherMachineFacts() {
  MachineFacts facts;
  utsname name{};
  if (::uname(&name) == 0) facts.kernel_release = name.release;
  facts.sys_admin = HasSysAdmin();
  facts.fuse_device = ProbeFuseDevice();
  const MountProbes probes = ProbeMounts();
  facts.passthrough = probes.passthrough;
  facts.own_tmpfs = probes.tmpfs;
  facts.huge_tmpfs = probes.huge_tmpfs;
  facts.tmpfs_leases = probes.tmpfs_leases;
  FindFusermount(&facts);
  facts.user_allow_other =
      HasConfLine(ReadText("/etc/fuse.conf"), "user_allow_other");
  facts.tmpfs_huge = SelectedWord(
      ReadText("/sys/kernel/mm/transparent_hugepage/shmem_enabled"));
  const auto mounts = ReadMounts();
  GatherShm(mounts, &facts);
  GatherHugetlb(mounts, &facts);
  GatherLimits(&facts);
  return facts;
}

bool KernelIsAtLeast(std::string_view release, int major, int minor) {
  const char* const end = release.data() + release.size();
  int has_major = 0;
  const auto first = std::from_chars(release.data(), end, has_major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') {
    return false;
  }
  int has_minor = 0;
  const auto second = std::from_chars(first.ptr + 1, end, has_minor);
  if (second.ec != std::errc()) return false;
  return has_major > major || (has_major == major && has_minor >= minor);
}

std::string SelectedWord(std::string_view line) {
  const size_t open = line.find('[');
  const size_t close = line.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos ||
      close < open) {
    return "";
  }
  return std::string(line.substr(open + 1, close - open - 1));
}

bool HasConfLine(std::string_view text, std::string_view option) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos) continue;
    const size_t end = line.find_last_not_of(" \t\r");
    if (line.substr(begin, end - begin + 1) == option) return true;
  }
  return false;
}

std::optional<uint64_t> FindNumber(std::string_view text, std::string_view key,
                                   int base) {
  size_t at = 0;
  // Only at the start of a line.
  while (text.substr(at, key.size()) != key) {
    at = text.find('\n', at);
    if (at == std::string_view::npos) return std::nullopt;
    ++at;
  }
  text.remove_prefix(std::min(text.size(), at + key.size()));
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(
      text.data() + begin, text.data() + text.size(), number, base);
  if (error != std::errc()) return std::nullopt;
  return number;
}

std::string MountOption(std::string_view options, std::string_view option) {
  std::istringstream words{std::string(options)};
  for (std::string word; std::getline(words, word, ',');) {
    const size_t equals = word.find('=');
    if (equals != std::string::npos && word.substr(0, equals) == option) {
      return word.substr(equals + 1);
    }
  }
  return "";
}

}  // namespace vitrine::tools
