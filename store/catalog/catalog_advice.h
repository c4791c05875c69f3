// What keeps a catalog from being written, and what a person can do about it.
#ifndef VITRINE_STORE_CATALOG_CATALOG_ADVICE_H_
#define VITRINE_STORE_CATALOG_CATALOG_ADVICE_H_

#include <vitrine/result.h>

#include <string>

namespace vitrine::store {

// kUnavailable: another process has a lock on the catalog at `path` without
// which it can be neither opened nor written; the message names the process.
// SQLite itself would wait for ten seconds, and not tell why.
Status CheckNotLockedByOthers(const std::string& path);

// `error`, with a remedy: "...: disk full; make room on the file system of
// DIR".
std::string WithRemedy(const Error& error, const std::string& path);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_ADVICE_H_
