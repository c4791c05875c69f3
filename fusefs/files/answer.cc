#include "fusefs/files/answer.h"

#include <cerrno>

namespace vitrine::fusefs {

int ToErrno(const Error& error) {
  switch (error.code) {
    case Code::kNotFound:
    case Code::kGone:
      return ENOENT;
    case Code::kAlreadyExists:
      return EEXIST;
    case Code::kNotSealed:
    case Code::kInUse:
      return EBUSY;
    case Code::kOutOfMemory:
    case Code::kTooLarge:
      return ENOSPC;
    case Code::kPermissionDenied:
      return EACCES;
    case Code::kNotPermitted:
      return EPERM;
    case Code::kInvalidArgument:
      return EINVAL;
    case Code::kTimeout:
      return ETIMEDOUT;
    case Code::kDisconnected:
      return ENOTCONN;
    case Code::kInterrupted:
      return EINTR;
    case Code::kUnsupported:
      return EOPNOTSUPP;
    case Code::kOverQuota:
      return EDQUOT;
    case Code::kTooMany:
      return ENFILE;
    case Code::kForked:
    case Code::kVersionMismatch:
    case Code::kCorruption:
    case Code::kUnavailable:
    case Code::kIoError:
      return EIO;
  }
  return EIO;
}

}  // namespace vitrine::fusefs
