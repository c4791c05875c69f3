#include <vitrine/result.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace vitrine {
namespace {

Code CodeOfErrno(int errno_value) {
  switch (errno_value) {
    case ENOENT:
      return Code::kNotFound;
    case EEXIST:
      return Code::kAlreadyExists;
    case EBUSY:
      return Code::kInUse;
    case ENOSPC:
    case ENOMEM:
      return Code::kOutOfMemory;
    case EDQUOT:
      return Code::kOverQuota;
    case EMFILE:
    case ENFILE:
    case ETOOMANYREFS:  // Descriptors that their receivers have not read.
      return Code::kTooMany;
    case EFBIG:
      return Code::kTooLarge;
    case EACCES:
      return Code::kPermissionDenied;
    case EPERM:
      return Code::kNotPermitted;
    case EINVAL:
    case ENAMETOOLONG:
      return Code::kInvalidArgument;
    case ETIMEDOUT:
      return Code::kTimeout;
    case EINTR:
      return Code::kInterrupted;
    case EOPNOTSUPP:
    case ENOSYS:
      return Code::kUnsupported;
    default:
      return Code::kIoError;
  }
}

}  // namespace

const char* CodeName(Code code) {
  switch (code) {
    case Code::kNotFound:
      return "not found";
    case Code::kAlreadyExists:
      return "already exists";
    case Code::kNotSealed:
      return "not sealed";
    case Code::kInUse:
      return "in use";
    case Code::kOutOfMemory:
      return "out of memory";
    case Code::kTooLarge:
      return "too large";
    case Code::kPermissionDenied:
      return "permission denied";
    case Code::kNotPermitted:
      return "not permitted";
    case Code::kInvalidArgument:
      return "invalid argument";
    case Code::kTimeout:
      return "timed out";
    case Code::kGone:
      return "gone";
    case Code::kDisconnected:
      return "disconnected";
    case Code::kForked:
      return "used after fork";
    case Code::kVersionMismatch:
      return "version mismatch";
    case Code::kCorruption:
      return "corruption";
    case Code::kInterrupted:
      return "interrupted";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kOverQuota:
      return "over quota";
    case Code::kTooMany:
      return "too many";
    case Code::kIoError:
      return "input/output error";
  }
  return "unknown error";
}

std::string Error::ToString() const {
  return std::string(CodeName(code)) + ": " + message;
}

void StopForError(const Error& error) {
  std::fprintf(stderr, "vitrine: value() of an error: %s\n",
               error.ToString().c_str());
  std::abort();
}

Error ErrnoError(const std::string& what, int errno_value) {
  return Error{CodeOfErrno(errno_value),
               what + ": " + std::generic_category().message(errno_value)};
}

}  // namespace vitrine
