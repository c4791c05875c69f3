-- The catalog, version 1.  The store's user, and whom vitrined --catalog-mode
-- allows, may read it while the store runs:
--   vitrine sql 'SELECT id, size_bytes FROM sealed ORDER BY used_ns'
--   sqlite3 'file:/var/lib/vitrine/catalog.db?mode=ro' '.schema'
-- It follows the store by at most 50 ms and is written by the store only.
--
-- Times are nanoseconds since 1970 (columns *_ns); NULL: it has not happened.
-- Ids are file names: 1 to 255 bytes, usually but not always UTF-8.
--
-- A migration runs in one transaction; PRAGMA user_version is then the number
-- of its file.  Never change a migration that was released: add one.

CREATE TABLE objects (
  -- One row for each object that exists, and for the newest that no longer do.

  -- The object's number; at most one living object has it.
  number INTEGER PRIMARY KEY,
  -- Its name.  At most one sealed and one unsealed object have the same.
  id TEXT NOT NULL,
  -- unsealed: being written by its creator.
  -- sealed:   immutable and visible to everybody.
  -- Gone are:
  -- deleted:  somebody asked for it.
  -- evicted:  its memory was needed.
  -- aborted:  given up before it was sealed.
  -- lost:     sealed, but not in memory after the store ended, or went while
  --           this database was behind.
  state TEXT NOT NULL CHECK (state IN (
    'unsealed', 'sealed', 'deleted', 'evicted', 'aborted', 'lost')),
  -- Where its bytes are: 'memory'; NULL: nowhere, the object is gone.
  tier TEXT,
  -- The segment that holds its bytes (its file is segments/<16 hex digits> in
  -- the memory directory), and where in it they begin.
  segment INTEGER,
  offset_bytes INTEGER,
  -- The size of its contents, and how much memory it counts for.
  size_bytes INTEGER NOT NULL,
  charged_bytes INTEGER NOT NULL,
  -- Permission bits, owner and group, as of a file.
  mode INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  gid INTEGER NOT NULL,
  -- The process that created it.
  creator_pid INTEGER,
  created_ns INTEGER,
  modified_ns INTEGER,
  sealed_ns INTEGER,
  -- Recency: the last use that the store knows of.  Least recent goes first.
  used_ns INTEGER,
  -- How many uses the store knows of.  Native gets are sampled.
  use_count INTEGER NOT NULL DEFAULT 0,
  -- 1: a user asked that it stay in memory.
  hold INTEGER NOT NULL DEFAULT 0,
  -- When and why it went.
  gone_ns INTEGER,
  gone_reason TEXT
);

-- There is no index of ids: the store never asks by id, a scan of a million
-- rows takes 0.1 s, and keeping one would double the cost of writing.

-- History is trimmed oldest first.
CREATE INDEX objects_by_gone_ns ON objects (gone_ns) WHERE gone_ns IS NOT NULL;

CREATE TABLE clients (
  -- One row for each native client that is connected, and for the newest that
  -- no longer are.

  connection INTEGER PRIMARY KEY,
  -- The client's number in the store's run; the next run begins anew.
  id INTEGER NOT NULL,
  -- What it calls itself.
  name TEXT NOT NULL,
  pid INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  connected_ns INTEGER NOT NULL,
  -- NULL: it is connected.
  disconnected_ns INTEGER
);

CREATE INDEX clients_connected ON clients (id) WHERE disconnected_ns IS NULL;

CREATE TABLE events (
  -- What happened, newest last.  Old rows are trimmed.

  -- Counts up over all runs.  A gap: events that could not be written in time.
  sequence INTEGER PRIMARY KEY,
  time_ns INTEGER NOT NULL,
  -- created, sealed, aborted, deleted, evicted, lost, held, unheld, renamed.
  kind TEXT NOT NULL,
  -- The object's number, and its id and size after the event.
  object INTEGER NOT NULL,
  id TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  -- Why, or what its id was before; NULL: there is nothing to say.
  reason TEXT
);

-- The objects that can be got.
CREATE VIEW sealed AS
SELECT number, id, size_bytes, charged_bytes, tier, segment, offset_bytes,
       printf('%04o', mode) AS mode, uid, gid, creator_pid, created_ns,
       sealed_ns, used_ns, use_count, hold
FROM objects WHERE state = 'sealed';

-- The objects that are being written.
CREATE VIEW unsealed AS
SELECT number, id, size_bytes, charged_bytes, printf('%04o', mode) AS mode,
       uid, gid, creator_pid, created_ns, modified_ns
FROM objects WHERE state = 'unsealed';

-- The objects that were: which, when, why.
CREATE VIEW gone AS
SELECT number, id, state, size_bytes, uid, use_count, created_ns, sealed_ns,
       gone_ns, datetime(gone_ns / 1000000000, 'unixepoch') AS gone_utc,
       gone_reason
FROM objects WHERE gone_ns IS NOT NULL;

-- What may be evicted, the likely next victim first.  (An object that is in
-- use is passed over; only the store knows which are.)
CREATE VIEW eviction_order AS
SELECT number, id, charged_bytes, used_ns,
       datetime(used_ns / 1000000000, 'unixepoch') AS used_utc, use_count
FROM objects WHERE state = 'sealed' AND hold = 0 AND tier = 'memory'
ORDER BY used_ns, number;

-- Who takes how much memory.
CREATE VIEW usage AS
SELECT uid, state, count(*) AS objects, sum(size_bytes) AS size_bytes,
       sum(charged_bytes) AS charged_bytes, sum(hold) AS held
FROM objects WHERE gone_ns IS NULL GROUP BY uid, state;

-- The events with their times in words.
CREATE VIEW log AS
SELECT sequence, datetime(time_ns / 1000000000, 'unixepoch') AS time_utc, kind,
       object, id, size_bytes, reason
FROM events ORDER BY sequence;
