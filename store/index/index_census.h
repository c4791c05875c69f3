// What the index of a killed store says there was.
#ifndef VITRINE_STORE_INDEX_INDEX_CENSUS_H_
#define VITRINE_STORE_INDEX_INDEX_CENSUS_H_

#include <vitrine/result.h>

#include <cstdint>
#include <string>
#include <vector>

namespace vitrine::store {

struct CountedObject {
  uint64_t number;
  uint64_t size_bytes;
};

// The sealed objects in the index at `path`, by number, each once.  The index
// may have been changing when the store was killed, so this tells how many
// objects there were, and never what they are.  None: there is no index, or it
// makes no sense.
Result<std::vector<CountedObject>> TakeCensus(const std::string& path);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_INDEX_INDEX_CENSUS_H_
