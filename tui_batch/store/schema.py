"""The tables, as they are made by the first migration.

Names are public: people open the file with sqlite3 or datasette. Enum values are stored as their text, times as Unix
seconds, money as integer nano-dollars where NULL means unknown.
"""

from __future__ import annotations

JOB = """
CREATE TABLE job (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice, so that a late outcome meets no other job
  name          TEXT NOT NULL,                      -- copy of spec.name, for look-up
  spec          TEXT NOT NULL,                      -- JSON, frozen at the first dispatch
  knobs         TEXT NOT NULL,                      -- JSON, may change while it runs
  state         TEXT NOT NULL,                      -- draft, queued, running, paused, completed, failed, cancelled
  reason        TEXT,                               -- why it is paused
  message       TEXT NOT NULL DEFAULT '',           -- the words behind a pause or a failure
  imported      INTEGER NOT NULL DEFAULT 0,         -- 0 while rows are read in, or when that was cut off
  total         INTEGER NOT NULL DEFAULT 0,         -- the counters change in the same transaction as the items
  done          INTEGER NOT NULL DEFAULT 0,
  dead          INTEGER NOT NULL DEFAULT 0,
  pending       INTEGER NOT NULL DEFAULT 0,
  cancelled     INTEGER NOT NULL DEFAULT 0,
  cached        INTEGER NOT NULL DEFAULT 0,
  requests      INTEGER NOT NULL DEFAULT 0,
  tokens_in     INTEGER NOT NULL DEFAULT 0,
  tokens_out    INTEGER NOT NULL DEFAULT 0,
  cost_nano     INTEGER NOT NULL DEFAULT 0,         -- sum of the known costs
  unpriced      INTEGER NOT NULL DEFAULT 0,         -- requests whose cost is unknown
  saved_nano    INTEGER NOT NULL DEFAULT 0,         -- what cache hits would have cost
  owner_host    TEXT,                               -- the process that runs it
  owner_pid     INTEGER,
  owner_token   TEXT,
  heartbeat_at  REAL,
  created_at    REAL NOT NULL,
  started_at    REAL,
  finished_at   REAL
)
"""

PAYLOAD = """
CREATE TABLE payload (
  id    INTEGER PRIMARY KEY,
  data  TEXT NOT NULL   -- the input row, a JSON object; never changed, shared by a row's variants and by clones
)
"""

ITEM = """
CREATE TABLE item (
  id            INTEGER PRIMARY KEY,
  job_id        INTEGER NOT NULL REFERENCES job(id),
  seq           INTEGER NOT NULL,                   -- row number in the input, from 0
  variant       INTEGER NOT NULL DEFAULT 0,         -- index into the job's models in mode each; else 0
  line          INTEGER,                            -- line in the input, from 1
  custom_id     TEXT,
  payload_id    INTEGER NOT NULL REFERENCES payload(id),
  state         TEXT NOT NULL DEFAULT 'pending',    -- pending, done, dead, cancelled
  priority      INTEGER NOT NULL DEFAULT 0,         -- higher first
  attempts      INTEGER NOT NULL DEFAULT 0,         -- requests that counted against max_attempts
  malformed     INTEGER NOT NULL DEFAULT 0,
  requests      INTEGER NOT NULL DEFAULT 0,         -- all requests that came to an outcome
  available_at  REAL NOT NULL DEFAULT 0,            -- not to be sent before
  outcome       TEXT,                               -- class of the last outcome: ok, timeout, ...
  cached        INTEGER NOT NULL DEFAULT 0,         -- 1: answered by the response cache
  flags         INTEGER NOT NULL DEFAULT 0,         -- a sum of 1, 2, 4, 8: see ItemFlag
  endpoint      TEXT,                               -- where the last request went
  model         TEXT,
  tokens_in     INTEGER,                            -- of all its requests, failed ones included
  tokens_out    INTEGER,
  cost_nano     INTEGER,                            -- sum of the known costs of all its requests
  unpriced      INTEGER NOT NULL DEFAULT 0,         -- its requests whose cost is unknown
  saved_nano    INTEGER NOT NULL DEFAULT 0,
  latency_ms    INTEGER,                            -- of the last request
  started_at    REAL,                               -- sending of the last request
  finished_at   REAL,
  UNIQUE (job_id, seq, variant)
)
"""

RESULT = """
CREATE TABLE result (
  item_id        INTEGER PRIMARY KEY REFERENCES item(id) ON DELETE CASCADE,
  text           TEXT,    -- the answer; for embeddings the vector as a JSON array
  finish_reason  TEXT,    -- the provider's own word
  request_id     TEXT,
  message        TEXT,    -- the error that made the item dead
  raw            BLOB     -- the response body, where the job keeps it
)
"""

ATTEMPT = """
CREATE TABLE attempt (
  id          INTEGER PRIMARY KEY,
  item_id     INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
  number      INTEGER NOT NULL,   -- 1 for the item's first request
  at          REAL NOT NULL,
  endpoint    TEXT NOT NULL,
  model       TEXT NOT NULL,
  class       TEXT NOT NULL,
  status      INTEGER,            -- HTTP
  message     TEXT NOT NULL,
  latency_ms  INTEGER NOT NULL,
  tokens_in   INTEGER,
  tokens_out  INTEGER,
  cost_nano   INTEGER
)
"""

RESPONSE_CACHE = """
CREATE TABLE response_cache (
  key            BLOB PRIMARY KEY,   -- BLAKE2 of wire format, base URL, model and canonical body
  model          TEXT NOT NULL,
  text           TEXT NOT NULL,
  finish_reason  TEXT,
  tokens_in      INTEGER,
  tokens_out     INTEGER,
  cost_nano      INTEGER,            -- of the original call: what each hit saves
  created_at     REAL NOT NULL,
  last_hit_at    REAL,
  hits           INTEGER NOT NULL DEFAULT 0
)
"""

COMMAND = """
CREATE TABLE command (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id       INTEGER REFERENCES job(id) ON DELETE SET NULL,
  verb         TEXT NOT NULL,
  args         TEXT NOT NULL,                    -- JSON object
  state        TEXT NOT NULL DEFAULT 'pending',  -- pending, taken, done, failed
  message      TEXT NOT NULL DEFAULT '',
  created_at   REAL NOT NULL,
  finished_at  REAL
)
"""

EVENT = """
CREATE TABLE event (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id  INTEGER REFERENCES job(id) ON DELETE CASCADE,
  at      REAL NOT NULL,
  level   TEXT NOT NULL,   -- info, warning, error
  text    TEXT NOT NULL
)
"""

INDEXES = (
    # Two rows of a job never share a custom_id. Also finds a row by its custom_id.
    "CREATE UNIQUE INDEX item_custom_id ON item(job_id, custom_id, variant) WHERE custom_id IS NOT NULL",
    # The feeder's order. Only pending items are in it, so it shrinks as the job gets on.
    "CREATE INDEX item_pending ON item(job_id, priority DESC, seq, variant) WHERE state = 'pending'",
    # Few among many: lists, groups and retries of dead items must not scan a million done ones.
    "CREATE INDEX item_dead ON item(job_id, seq, variant) WHERE state = 'dead'",
    # Deleting a payload asks whether any item still needs it.
    "CREATE INDEX item_payload ON item(payload_id)",
    "CREATE INDEX attempt_item ON attempt(item_id)",
    "CREATE INDEX command_job ON command(job_id)",
    "CREATE INDEX event_job ON event(job_id, id)",
)

SCORES = (
    "ALTER TABLE item ADD COLUMN score REAL",
    "ALTER TABLE item ADD COLUMN invalid INTEGER NOT NULL DEFAULT 0",
)
"""Statements of the second migration: what checks say about answers. Adding a column rewrites no row."""

JUDGING = (
    "ALTER TABLE item ADD COLUMN judging INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE result ADD COLUMN reason TEXT",
)
"""Statements of a later migration: an item that waits for its judge, and the judge's words."""

FIRST = (JOB, PAYLOAD, ITEM, RESULT, ATTEMPT, RESPONSE_CACHE, COMMAND, EVENT, *INDEXES)
"""Statements of the first migration, in order."""
