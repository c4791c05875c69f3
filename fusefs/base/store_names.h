// Short names for the store's types that the mount uses.
#ifndef VITRINE_FUSEFS_BASE_STORE_NAMES_H_
#define VITRINE_FUSEFS_BASE_STORE_NAMES_H_

#include "store/accounts/accounts.h"
#include "store/accounts/shared_limit.h"
#include "store/base/object.h"
#include "store/base/observer.h"
#include "store/base/requests.h"
#include "store/base/store_options.h"
#include "store/metrics/status_section.h"
#include "store/store.h"

namespace vitrine::fusefs {

using store::Credentials;
using store::Deadline;
using store::Done;
using store::IsOwner;
using store::kStoreItself;
using store::ListedObject;
using store::MakeSection;
using store::MayRead;
using store::Metric;
using store::MetricKind;
using store::MetricOf;
using store::MetricUnit;
using store::NewObject;
using store::NumaOptions;
using store::ObjectEvent;
using store::ObjectEventKind;
using store::ObjectInfo;
using store::ObjectRef;
using store::ObjectState;
using store::Observer;
using store::PageHolder;
using store::Payer;
using store::SealCopy;
using store::SegmentFile;
using store::SharedLimit;
using store::SmallObject;
using store::SpaceWait;
using store::StatusSection;
using store::Store;
using store::StoreFacts;
using store::StoreOptions;
using store::Switch;
using store::WriteMode;

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_BASE_STORE_NAMES_H_
