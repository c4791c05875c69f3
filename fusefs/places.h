// Where a store may have its files.
#ifndef VITRINE_FUSEFS_PLACES_H_
#define VITRINE_FUSEFS_PLACES_H_

#include <vitrine/result.h>

#include "fusefs/options.h"

namespace vitrine::fusefs {

// kInvalidArgument: one of the directories, or the socket, lies in a Vitrine
// mount: that of another store, or the one that these options make.
Status CheckPlaces(const DaemonOptions& options);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_PLACES_H_
