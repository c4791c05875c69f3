// Readers for the files of /proc and /sys.
#ifndef VITRINE_SCHEMA_MACHINE_KERNEL_TEXT_H_
#define VITRINE_SCHEMA_MACHINE_KERNEL_TEXT_H_

#include <vitrine/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vitrine::machine {

Result<std::string> ReadText(const std::string& path);
// The number that the file starts with; none if it is missing or says "max".
std::optional<uint64_t> ReadNumber(const std::string& path);
// The bytes after `key` ("MemTotal:") in the text of /proc/meminfo, which
// counts in KiB.  None: there is no such line.
std::optional<uint64_t> FindMeminfoBytes(std::string_view meminfo,
                                         std::string_view key);
// The same in the file.  `root` is the directory of proc.
std::optional<uint64_t> ReadMeminfoBytes(std::string_view key,
                                         const std::string& root);

// The number after `key` in lines such as "CapEff: 00ff", read in `base`.
std::optional<uint64_t> FindNumber(std::string_view text, std::string_view key,
                                   int base);
// The word in brackets of "always [never] deny"; empty: there is none.
std::string SelectedWord(std::string_view line);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_KERNEL_TEXT_H_
