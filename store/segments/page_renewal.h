// Gives a segment new pages that have the same bytes, in place.
//
// What was pinned before, by whom ever, is no part of the segment afterwards.
// Its name, number and readers stay.  It takes no memory beside the segment but
// one huge page, which keeps the bytes while they are in no file.
#ifndef VITRINE_STORE_SEGMENTS_PAGE_RENEWAL_H_
#define VITRINE_STORE_SEGMENTS_PAGE_RENEWAL_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "store/segments/segment_dir.h"
#include "store/segments/segment_file.h"

namespace vitrine::store {

// One thread at a time.  `segments` must outlive it.
class PageRenewal {
 public:
  // Of the first `size_bytes` of `file`, which is the segment `number`, and of
  // what shares huge pages with them.  Nobody writes to it or changes its size
  // before the renewal ends.
  static Result<PageRenewal> Begin(SegmentDir* segments, uint64_t number,
                                   std::shared_ptr<SegmentFile> file,
                                   uint64_t size_bytes);

  // One more huge page.  Usually the segment is whole afterwards, even if that
  // failed.  If not, others took the memory that was just given back; the bytes
  // are kept here, and another call tries again.  kNotFound: the segment is
  // gone.
  Status Step();
  // The segment has all of its bytes.
  bool whole() const { return kept_.empty(); }
  bool done() const { return whole() && next_bytes_ >= end_bytes_; }
  uint64_t renewed_bytes() const { return next_bytes_; }
  uint64_t end_bytes() const { return end_bytes_; }
  // Makes good what it changed besides.
  Status Finish();

 private:
  PageRenewal(SegmentDir* segments, uint64_t number,
              std::shared_ptr<SegmentFile> file)
      : segments_(segments), number_(number), file_(std::move(file)) {}

  Status MakeBuffer();
  Status Keep();
  Status PutBack();

  SegmentDir* segments_;
  uint64_t number_;
  std::shared_ptr<SegmentFile> file_;
  uint64_t end_bytes_ = 0;
  uint64_t next_bytes_ = 0;
  int64_t modified_ns_ = 0;
  std::vector<std::byte> buffer_;
  // The bytes at `next_bytes_` that are, or may be, only here.
  std::span<const std::byte> kept_;
  Status taken_out_;  // Whether their old pages are gone from the file.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_PAGE_RENEWAL_H_
