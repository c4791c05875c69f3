// Put, in each of its ways: through the submission ring, into a blank, in a
// message, or by writing to a segment of its own.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "client/base/large_copy.h"
#include "client/calls/messages.h"
#include "client/client_impl.h"
#include "client/ring/ring_writer.h"
#include "client/segment_writer.h"
#include "client/writer_state.h"
#include "schema/base/write_all.h"

namespace vitrine {
namespace {

constexpr unsigned kReadableByOthers = 0004;

}  // namespace

Status ClientImpl::PutBy(const PutWay& way, const ObjectId& id,
                         std::span<const std::byte> bytes,
                         const CreateOptions& options) {
  auto mode = ModeOf(options);
  if (!mode) return mode.error();
  auto put = PutWithoutMessage(way, id, bytes, options, *mode);
  if (!put) return put.error();
  return *put ? Status() : PutDirectly(id, bytes, options, *mode);
}

Result<bool> ClientImpl::PutWithoutMessage(const PutWay& way,
                                           const ObjectId& id,
                                           std::span<const std::byte> bytes,
                                           const CreateOptions& options,
                                           unsigned mode) {
  Status put;
  {
    const HeldSession session = core_->Hold();
    auto ring = RingFor(session, bytes.size(), options.metadata, mode);
    if (!ring) return ring.error();
    if (*ring != nullptr) {
      const auto metadata = PackMetadataList(options.metadata);
      put = ((*ring)->*way.put)(
          SmallPut{id, bytes, mode, ProtocolMs(options.timeout), metadata});
      if (put) return true;
      if (put.error().code != RingWriter::kWouldWaitTooLong) return put.error();
      return false;
    }
  }
  auto in_blank = WriteToBlank(id, bytes.size(), options);
  if (!in_blank) return in_blank.error();
  if (*in_blank == nullptr) return false;
  put = PutInBlank(way, std::move(*in_blank), bytes);
  if (!put) return put.error();
  return true;
}

Status ClientImpl::PutInBlank(const PutWay& way,
                              std::unique_ptr<WriterState> writer,
                              std::span<const std::byte> bytes) const {
  CopyLarge(writer->bytes(), bytes, copy_threads_);
  return (writer.get()->*way.seal)();
}

Status ClientImpl::Put(const ObjectId& id, std::span<const std::byte> bytes,
                       const CreateOptions& options) {
  return PutBy({&RingWriter::Put, &WriterState::Seal}, id, bytes, options);
}

Status ClientImpl::PutLater(const ObjectId& id,
                            std::span<const std::byte> bytes,
                            const CreateOptions& options) {
  return PutBy({&RingWriter::PutLater, &WriterState::SealLater}, id, bytes,
               options);
}

Result<std::vector<FailedPut>> ClientImpl::Flush(Timeout timeout) {
  auto own = core_->CheckFork();
  if (!own) return own.error();
  const HeldSession session = core_->Hold();
  // Without a session no put is under way: the ring ended before the session.
  if (session.get() != nullptr) {
    auto flushed = session->ring().Flush(DeadlineAfter(timeout));
    if (!flushed) return flushed.error();
  }
  return core_->put_failures().Take();
}

Result<RingWriter*> ClientImpl::RingFor(const HeldSession& session,
                                        size_t size_bytes,
                                        const Metadata& metadata,
                                        unsigned mode) {
  if (session.get() == nullptr || (mode & kReadableByOthers) == 0 ||
      RecordMetadataBytes(metadata) > kMaxRecordMetadataBytes ||
      size_bytes > RingWriter::kMaxDataBytes ||
      size_bytes > session->small_object_bytes() ||
      session->small_object_bytes() == 0) {
    return static_cast<RingWriter*>(nullptr);
  }
  return session->ring().Get();
}

Status ClientImpl::PutDirectly(const ObjectId& id,
                               std::span<const std::byte> bytes,
                               const CreateOptions& options, unsigned mode) {
  return bytes.size() <= kMaxInlinePutBytes
             ? PutInline(id, bytes, options, mode)
             : PutLarge(id, bytes, options);
}

Status ClientImpl::PutInline(const ObjectId& id,
                             std::span<const std::byte> bytes,
                             const CreateOptions& options, unsigned mode) {
  auto session = core_->Current();
  if (!session) return session.error();
  protocol::PutT request;
  request.id = id.text();
  request.data.resize(bytes.size());
  if (!bytes.empty()) {
    std::memcpy(request.data.data(), bytes.data(), bytes.size());
  }
  request.mode = mode;
  request.metadata = PackMetadata(options.metadata);
  request.timeout_ms = ProtocolMs(options.timeout);
  auto answer = (*session)->calls().Ask<protocol::PutReply>(
      std::move(request), DeadlineAfter(options.timeout));
  if (!answer) return answer.error();
  return {};
}

Status ClientImpl::PutLarge(const ObjectId& id,
                            std::span<const std::byte> bytes,
                            const CreateOptions& options) {
  auto object = Reserve(id, bytes.size(), options);
  if (!object) return object.error();
  SegmentWriter& writer = *object->writer;
  auto filled = Fill(*object, bytes);
  if (!filled) return filled;
  { const PrivateFd closed = std::move(object->fd); }
  return writer.Seal();
}

Status ClientImpl::Fill(const NewObject& object,
                        std::span<const std::byte> bytes) const {
  SegmentWriter& writer = *object.writer;
  if (!object.recycled || bytes.size() < kLeastLargeCopyBytes) {
    // New pages are filled by write(2) rather than by a mapping: the kernel
    // does so without clearing them first and without a fault for each.
    auto written = WriteAllAt(object.fd.get(), 0, bytes);
    if (written || written.error().code != Code::kUnsupported) return written;
  }
  auto mapped = writer.Map(object.fd, bytes.size());
  if (!mapped) return mapped;
  CopyLarge(writer.bytes(), bytes, copy_threads_);
  return {};
}

}  // namespace vitrine
