// Texts of the kernel and of the machine's owner, with any bytes: mountinfo,
// meminfo, cgroups, fuse.conf, /proc/PID/stat; and the pid in a lock file.
//
// Properties: no reader takes more out of a text than is in it.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

#include "fusefs/kernel/process_state.h"
#include "schema/base/unique_fd.h"
#include "schema/machine/cgroup_memory.h"
#include "schema/machine/fuse_conf.h"
#include "schema/machine/hugetlb_pool.h"
#include "schema/machine/kernel_text.h"
#include "schema/machine/memory.h"
#include "schema/machine/mount_table.h"
#include "schema/machine/tmpfs_huge_policy.h"
#include "store/host/lock_holder.h"
#include "tests/fuzz/input.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::fuzz {
namespace {

// A machine whose files all have the same text.
class FakeMachine {
 public:
  FakeMachine() : text_(Open("text")) {
    for (const char* file :
         {"proc/meminfo", "proc/self/mountinfo", "proc/self/cgroup",
          "etc/fuse.conf", "sys/fs/cgroup/memory.max",
          "sys/fs/cgroup/a/memory.max",
          "sys/kernel/mm/transparent_hugepage/shmem_enabled",
          "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
          "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"}) {
      const std::filesystem::path path = root() + file;
      std::filesystem::create_directories(path.parent_path());
      std::filesystem::create_hard_link(root() + "text", path);
    }
  }

  std::string root() const { return dir_.path() + "/"; }
  int fd() const { return text_.get(); }
  void Write(const std::string& text) const {
    FUZZ_CHECK(::ftruncate(fd(), 0) == 0);
    FUZZ_CHECK(::pwrite(fd(), text.data(), text.size(), 0) ==
               static_cast<ssize_t>(text.size()));
  }

 private:
  UniqueFd Open(const std::string& name) const {
    return UniqueFd(
        ::open((root() + name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  }

  ScratchDir dir_;
  const UniqueFd text_;
};

void ReadMounts(const std::string& text) {
  for (const auto& entry : machine::ParseMountInfo(text)) {
    FUZZ_CHECK(!entry.device.empty() && !entry.type.empty());
    FUZZ_CHECK(entry.mount_point.size() + entry.super_options.size() <
               text.size());
    const auto size = entry.SuperOption("size");
    FUZZ_CHECK(!size || size->size() <= entry.super_options.size());
    machine::TmpfsHugeOption(entry);
  }
}

// As the kernel writes a name.
std::string Escape(const std::string& name) {
  std::string text;
  for (const char c : name) {
    if (c != ' ' && c != '\t' && c != '\n' && c != '\\') {
      text += c;
      continue;
    }
    std::array<char, 5> octal = {};
    std::snprintf(octal.data(), octal.size(), "\\%03o",
                  static_cast<unsigned>(c));
    text += octal.data();
  }
  return text;
}

// Whoever may mount gives any names, also an empty source.
void ReadMountOf(const std::string& names) {
  const size_t end = names.find('\0');
  if (end == std::string::npos) return;
  const std::string mount_point = '/' + names.substr(0, end);
  const std::string source = names.substr(end + 1);
  const auto entries = machine::ParseMountInfo(
      "36 35 0:50 / " + Escape(mount_point) + " rw shared:1 - tmpfs " +
      Escape(source) + " rw,size=4k\n");
  FUZZ_CHECK(entries.size() == 1);
  FUZZ_CHECK(entries[0].mount_point == mount_point);
  FUZZ_CHECK(entries[0].source == source);
  FUZZ_CHECK(entries[0].SuperOption("size") == "4k");
}

void ReadMachine(const FakeMachine& machine) {
  const std::string root = machine.root();
  machine::ReadCgroupMemoryLimit(root);
  machine::FuseConfAllowsOthers(root);
  machine::ReadTmpfsHugePolicy(root);
  machine::ReadHugetlbPool(2 << 20, root);
  machine::DefaultHugePageBytes(root);
  if (const auto memory = machine::ReadMemory(root); memory) {
    FUZZ_CHECK(memory->usable_bytes() <= memory->total_bytes);
  }
  const auto pid = store::PidIn(machine.fd());
  FUZZ_CHECK(!pid || *pid > 0);
}

}  // namespace
}  // namespace vitrine::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace vitrine::fuzz;  // NOLINT: the names above.
  static const FakeMachine machine;
  const std::string text = Input(data, size).Rest();
  machine.Write(text);
  ReadMachine(machine);
  ReadMounts(text);
  ReadMountOf(text);
  vitrine::fusefs::SaysKilledBySignal(text);
  vitrine::machine::FindNumber(text, "CapEff:", 16);
  FUZZ_CHECK(vitrine::machine::SelectedWord(text).size() <= size);
  return 0;
}
