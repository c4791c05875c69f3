// How much more memory there is, under each limit that this process is under.
#ifndef VITRINE_SCHEMA_MACHINE_MEMORY_ROOM_H_
#define VITRINE_SCHEMA_MACHINE_MEMORY_ROOM_H_

#include <cstdint>
#include <string>
#include <vector>

namespace vitrine::machine {

struct MemoryRoom {
  std::string limit;  // "the machine's memory", or the file that says it.
  uint64_t limit_bytes;
  // What can still be taken.  The kernel gives cached files up for it; it is
  // not taken to swap anything.
  uint64_t room_bytes;
  // Of what is taken, memory of a tmpfs and other shared memory.
  uint64_t shared_bytes;
};

// The machine's, and those of our cgroup and of those above it that have a
// limit below the machine's memory.  What cannot be read is left out.  `root`
// is the directory of proc and sys.
std::vector<MemoryRoom> ReadMemoryRooms(const std::string& root = "/");

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_MEMORY_ROOM_H_
