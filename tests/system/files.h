// What a program does with the files of a mount, in plain system calls.
//
// Errors are errno values; 0: none.
#ifndef VITRINE_TESTS_SYSTEM_FILES_H_
#define VITRINE_TESTS_SYSTEM_FILES_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"

namespace vitrine {

// Makes the file `path` with the first `size_bytes` of the content of `id`
// (see content.h), by write(2).
int WriteContent(const std::string& path, const std::string& id,
                 uint64_t size_bytes);
// The same by ftruncate and a shared mapping.
int MapContent(const std::string& path, const std::string& id,
               uint64_t size_bytes);

int Rename(const std::string& from, const std::string& to);
int Unlink(const std::string& path);
// What open(2) with `flags` says; the descriptor is closed at once.
int TryOpen(const std::string& path, int flags);
bool Exists(const std::string& path);

// Maps all of `path`, with `protection`, and keeps no descriptor.  Empty: it
// cannot be done (errno).
Mapping MapFile(const std::string& path, int protection);
// Is it the content of `id`, `size_bytes` long?
bool HasContent(const Mapping& mapping, const std::string& id,
                uint64_t size_bytes);
// The same, of the file's bytes as read(2) tells them.
bool FileHasContent(const std::string& path, const std::string& id,
                    uint64_t size_bytes);
bool DescriptorHasContent(int fd, const std::string& id, uint64_t size_bytes);

}  // namespace vitrine

#endif  // VITRINE_TESTS_SYSTEM_FILES_H_
