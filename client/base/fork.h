// What fork(2) means for the library.
//
// A child inherits the memory of its parent's clients, but not their threads,
// and must not speak in their name.  So in the child
//  (1) every inherited client says kForked: its ForkGeneration is older,
//  (2) every inherited descriptor is replaced (PrivateFd), so that the store
//      sees the parent die although the child lives on, and no child makes
//      objects look in use,
//  (3) mappings that were only kept for next time are gone, for the same
//      reason; those of objects in hand stay.
// Handlers of pthread_atfork, registered at the first use, do this.
#ifndef VITRINE_CLIENT_BASE_FORK_H_
#define VITRINE_CLIENT_BASE_FORK_H_

#include <cstdint>

#include "schema/base/unique_fd.h"

namespace vitrine {

// The number of forks between the process that loaded the library and this one.
uint64_t ForkGeneration();

// How many children this process has forked, or is just forking.
uint64_t ForksBegun();

// Is told of forks.  BeforeFork takes all locks of data that a child goes on
// using, so that the child finds the data consistent; the other two methods
// give the locks back.  The methods are called with the registry locked: they
// must not register anything.
class ForkListener {
 public:
  virtual ~ForkListener() = default;
  virtual void BeforeFork() = 0;
  virtual void AfterForkInParent() = 0;
  virtual void AfterForkInChild() = 0;
};

// Registers a listener, which must outlive this, for as long as this lives.
class ForkRegistration {
 public:
  explicit ForkRegistration(ForkListener* listener);
  ForkRegistration(const ForkRegistration&) = delete;
  ForkRegistration& operator=(const ForkRegistration&) = delete;
  ~ForkRegistration();

 private:
  ForkListener* const listener_;
};

// Owns a descriptor that is replaced in forked children by an unused eventfd.
// The number stays taken there, because its owner will close it.
class PrivateFd {
 public:
  PrivateFd() = default;
  // Make sure by ForkDelay that no fork comes between `fd` and this.
  explicit PrivateFd(UniqueFd fd);
  PrivateFd(PrivateFd&&) noexcept = default;
  PrivateFd& operator=(PrivateFd&& other) noexcept;
  ~PrivateFd();

  int get() const { return fd_.get(); }
  bool valid() const { return fd_.valid(); }

 private:
  UniqueFd fd_;
};

// Delays forks while it lives: for the few instructions during which there is a
// descriptor or a mapping that a child must not get.
class ForkDelay {
 public:
  ForkDelay();
  ForkDelay(const ForkDelay&) = delete;
  ForkDelay& operator=(const ForkDelay&) = delete;
  ~ForkDelay();
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_BASE_FORK_H_
