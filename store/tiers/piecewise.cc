#include "store/tiers/piecewise.h"

#include <algorithm>
#include <utility>

namespace vitrine::store {
namespace {

constexpr size_t kBlocksInPiece = 4;
constexpr size_t kPieceBytes = kBlocksInPiece * kHashBlockBytes;

// Calls `work` with each piece: its first block, and how many it has.
template <typename Work>
Status ForEachPiece(size_t blocks, Crew* crew, const Work& work) {
  const size_t pieces = (blocks + kBlocksInPiece - 1) / kBlocksInPiece;
  return crew->ForEach(pieces, [&](size_t piece) {
    const size_t first = piece * kBlocksInPiece;
    return work(first, std::min(kBlocksInPiece, blocks - first));
  });
}

void HashSome(std::span<const std::byte> object, size_t first, size_t count,
              std::vector<PayloadHash>* hashes) {
  for (size_t block = first; block < first + count; ++block) {
    (*hashes)[block] = HashBlock(object, block);
  }
}

}  // namespace

std::vector<PayloadHash> HashInPieces(std::span<const std::byte> object,
                                      Crew* crew) {
  std::vector<PayloadHash> hashes(CountHashBlocks(object.size()));
  (void)ForEachPiece(hashes.size(), crew, [&](size_t first, size_t count) {
    HashSome(object, first, count, &hashes);
    return Status();
  });
  return hashes;
}

Result<PayloadHash> ReadInPieces(uint64_t sequence, uint64_t offset_bytes,
                                 std::span<std::byte> bytes, SpillIo* io,
                                 Crew* crew) {
  std::vector<PayloadHash> hashes(CountHashBlocks(bytes.size()));
  const Status read =
      ForEachPiece(hashes.size(), crew, [&](size_t first, size_t count) {
        const size_t begin = first * kHashBlockBytes;
        const size_t size = std::min(kPieceBytes, bytes.size() - begin);
        Status got = size == 0 ? Status()
                               : io->Get(sequence, offset_bytes + begin,
                                         bytes.subspan(begin, size));
        if (got) HashSome(bytes, first, count, &hashes);
        return got;
      });
  if (!read) return read.error();
  return CombineHashes(hashes);
}

}  // namespace vitrine::store
