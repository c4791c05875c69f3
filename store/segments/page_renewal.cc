#include "store/segments/page_renewal.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "store/segments/segment_calls.h"

namespace vitrine::store {

Result<PageRenewal> PageRenewal::Begin(SegmentDir* segments, uint64_t number,
                                       std::shared_ptr<SegmentFile> file,
                                       uint64_t size_bytes) {
  const auto extent = file->Stat();
  if (!extent) return extent.error();
  const uint64_t piece_bytes = segments->largest_page_bytes();
  PageRenewal renewal(segments, number, std::move(file));
  renewal.modified_ns_ = extent->modified_ns;
  renewal.end_bytes_ =
      std::min(RoundUpTo(size_bytes, piece_bytes), extent->size_bytes);
  return renewal;
}

Status PageRenewal::Step() {
  if (whole()) {
    if (Status ok = Keep(); !ok) return ok;
  }
  if (Status ok = PutBack(); !ok) return ok;
  return std::exchange(taken_out_, Status());
}

// Not before its turn: many may wait for theirs.
Status PageRenewal::MakeBuffer() {
  const uint64_t piece_bytes = segments_->largest_page_bytes();
  try {
    buffer_.resize(std::min(end_bytes_, piece_bytes));
    return Status();
  } catch (const std::bad_alloc&) {
    return Error{
        Code::kOutOfMemory,
        "no memory for a copy of " + std::to_string(piece_bytes) + " bytes"};
  }
}

Status PageRenewal::Keep() {
  if (Status ok = MakeBuffer(); !ok) return ok;
  const uint64_t piece_bytes = segments_->largest_page_bytes();
  const std::span piece(buffer_.data(),
                        std::min(piece_bytes, end_bytes_ - next_bytes_));
  const auto read = file_->ReadAt(next_bytes_, piece);
  if (!read) return read.error();
  if (*read < piece.size()) {
    return Error{Code::kCorruption, "the segment was cut"};
  }
  kept_ = piece;
  taken_out_ = segments_->TakeOutPages(number_, next_bytes_, piece_bytes);
  return Status();
}

Status PageRenewal::PutBack() {
  Status put = segments_->PutInPages(number_, next_bytes_, kept_);
  if (!put) return put;
  next_bytes_ += kept_.size();
  kept_ = {};
  return Status();
}

Status PageRenewal::Finish() {
  if (segments_->collapses()) segments_->Collapse(number_, end_bytes_);
  return segments_->SetModified(number_, modified_ns_);
}

}  // namespace vitrine::store
