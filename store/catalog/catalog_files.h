// The catalog's three files: the database, its write-ahead log, and the shared
// memory by which SQLite's processes tell each other of their locks.
#ifndef VITRINE_STORE_CATALOG_CATALOG_FILES_H_
#define VITRINE_STORE_CATALOG_CATALOG_FILES_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <array>
#include <string>

namespace vitrine::store {

// A file by its identity; all zero: there is none.
struct FileId {
  dev_t dev = 0;
  ino_t ino = 0;

  bool exists() const { return ino != 0; }
  bool operator==(const FileId&) const = default;
};

// Which files have the names of a catalog at present.
struct CatalogFiles {
  FileId database;
  FileId log;
  FileId locks;
  bool locks_cut = false;  // Too short: whoever has them mapped gets SIGBUS.

  static CatalogFiles At(const std::string& path);
  bool operator==(const CatalogFiles&) const = default;
};

// What a database that was deleted is written to until it is whole.
std::string RestoredCopyOf(const std::string& path);

// Makes the database if it is missing, and gives all files `mode`.  Whoever may
// read a file can lock it for ever, and keeps it open if its mode changes.  If
// others than `mode` allows could open one, all are therefore replaced by
// copies.  No process may write the files meanwhile.  Removes copies that are
// not whole.
Status PrepareCatalogFiles(const std::string& path, mode_t mode);

// Removes log and locks, of a database that went or was replaced: SQLite would
// take them for the new one's.
Status RemoveLogOf(const std::string& path);
// SQLite makes new locks from the log.
Status RemoveLocksOf(const std::string& path);

// Gives all files another name, "<path>.damaged-<time>" and as SQLite wants
// those beside it; returns it.  Of the databases that were set aside before
// only the newest stay.
Result<std::string> SetCatalogAside(const std::string& path);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_CATALOG_CATALOG_FILES_H_
