"""Verbs over all items of a job: retry, cancel, delete, clone.

Each works in chunks, every chunk a short transaction of its own, so that outcomes of running jobs are not kept
waiting; counters change in the same transaction as the chunk. A chunk function returns how far it came, or None at
the end, and may be repeated after a crash.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tui_batch.domain.item import ItemFlag
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import TERMINAL, JobState, PauseReason
from tui_batch.store.connection import transaction
from tui_batch.store.leases import CLEARED, Alive, is_held
from tui_batch.store.ledger import take_back

CHUNK = 5_000
"""Items a transaction: a few tens of milliseconds."""

_LISTED = 500
"""Values in one IN (...) list."""

SUMS = """
SELECT count(*) AS total, coalesce(sum(state = 'done'), 0) AS done, coalesce(sum(state = 'dead'), 0) AS dead,
  coalesce(sum(state = 'pending'), 0) AS pending, coalesce(sum(state = 'cancelled'), 0) AS cancelled,
  coalesce(sum(cached), 0) AS cached, coalesce(sum(requests), 0) AS requests,
  coalesce(sum(tokens_in), 0) AS tokens_in, coalesce(sum(tokens_out), 0) AS tokens_out,
  coalesce(sum(cost_nano), 0) AS cost_nano, coalesce(sum(unpriced), 0) AS unpriced,
  coalesce(sum(saved_nano), 0) AS saved_nano
FROM item
"""
"""What the items say about the counters, in the order of COUNTERS."""

COUNTERS = (
    *("total", "done", "dead", "pending", "cancelled", "cached"),
    *("requests", "tokens_in", "tokens_out", "cost_nano", "unpriced", "saved_nano"),
)
"""Columns of `job`, named as the fields of domain.job.Counters."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What is no longer so of items that were dead and are pending again."""

    items: int = 0
    cached: int = 0
    """Cache hits among them."""
    saved_nano: int = 0
    """What stored responses saved them, a judge's included."""
    scores: int = 0
    """Answers among them that had a score."""
    score_total: float = 0.0
    """The sum of these."""

    def __add__(self, other: Undone) -> Undone:
        """Both together."""
        return Undone(
            self.items + other.items,
            self.cached + other.cached,
            self.saved_nano + other.saved_nano,
            self.scores + other.scores,
            self.score_total + other.score_total,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One chunk done."""

    items: int
    """Items changed by it."""
    seq: int
    variant: int
    """The last item looked at."""
    undone: Undone = Undone()


def retry_chunk(
    conn: sqlite3.Connection, job_id: int, which: Selection, after: tuple[int, int], limit: int
) -> Step | None:
    """Makes the next dead items pending again, as if new; what they cost stays counted."""
    condition, values = selection_sql(which)
    sql = f"""SELECT id, seq, variant FROM item WHERE job_id = ? AND state = 'dead' AND (seq, variant) > (?, ?)
        {condition} ORDER BY seq, variant LIMIT ?"""
    with transaction(conn):
        rows = conn.execute(sql, (job_id, *after, *values, limit)).fetchall()
        if not rows:
            return None
        ids = [row[0] for row in rows]
        undone = _undone(conn, ids)
        if undone.cached or undone.saved_nano:
            hits = "UPDATE job SET cached = cached - ?, saved_nano = saved_nano - ? WHERE id = ?"
            conn.execute(hits, (undone.cached, undone.saved_nano, job_id))
            _correct_ledger(conn, job_id, ids)
        conn.executemany(_RETRY, [(item_id,) for item_id in ids])
        conn.executemany("DELETE FROM result WHERE item_id = ?", [(item_id,) for item_id in ids])
        sql = "UPDATE job SET dead = dead - ?, pending = pending + ? WHERE id = ?"
        conn.execute(sql, (len(ids), len(ids), job_id))
        _reopen(conn, job_id)
    return Step(len(rows), rows[-1][1], rows[-1][2], undone)


_RETRY = """
UPDATE item SET state = 'pending', attempts = 0, malformed = 0, available_at = 0, outcome = NULL, cached = 0,
  saved_nano = 0, flags = 0, finished_at = NULL, score = NULL, invalid = 0
WHERE id = ?
"""


def selection_sql(which: Selection) -> tuple[str, list[object]]:
    """The SQL for a selection. Long lists go in as one JSON array: a list of a million has too many variables."""
    wanted: tuple[tuple[str, Collection[object]], ...] = (
        ("outcome", [cls.value for cls in which.classes]),
        ("id", which.item_ids),
        ("custom_id", which.custom_ids),
    )
    given = [(column, entries) for column, entries in wanted if entries]
    text = "".join(f" AND {column} IN (SELECT value FROM json_each(?))" for column, _ in given)
    return text, [json.dumps(list(entries)) for _, entries in given]


def _undone(conn: sqlite3.Connection, ids: Sequence[int]) -> Undone:
    """What counted for items that are made pending again: cache hits that ended dead all the same, and scores."""
    undone = Undone()
    for start in range(0, len(ids), _LISTED):
        chunk = ids[start : start + _LISTED]
        marks = ",".join("?" * len(chunk))
        sql = f"""SELECT count(*), coalesce(sum(cached), 0), coalesce(sum(saved_nano), 0),
            count(score), coalesce(sum(score), 0.0) FROM item WHERE id IN ({marks})"""
        undone += Undone(*conn.execute(sql, chunk).fetchone())
    return undone


def _correct_ledger(conn: sqlite3.Connection, job_id: int, ids: Sequence[int]) -> None:
    """Takes back there what stored responses are counted to have saved these items."""
    sql = """SELECT endpoint, model, sum(cached), sum(saved_nano) FROM item
        WHERE id IN (SELECT value FROM json_each(?)) AND (cached OR saved_nano) GROUP BY endpoint, model"""
    for endpoint, model, cached, saved_nano in conn.execute(sql, (json.dumps(list(ids)),)).fetchall():
        take_back(conn, job_id, (endpoint, model), cached=cached, saved_nano=saved_nano)


def _reopen(conn: sqlite3.Connection, job_id: int) -> None:
    ended = [state.value for state in TERMINAL]
    values = (JobState.PAUSED.value, PauseReason.USER.value, job_id, *ended)
    sql = f"""UPDATE job SET state = ?, reason = ?, message = '', finished_at = NULL
        WHERE id = ? AND state IN ({",".join("?" * len(ended))})"""
    conn.execute(sql, values)


def cancel_chunk(conn: sqlite3.Connection, job_id: int, limit: int, now: float) -> int:
    """Ends the next pending items and returns how many; 0 at the end.

    One whose answer is there, and only its judge was missing, is done; all others are cancelled.
    """
    sql = """UPDATE item SET state = CASE WHEN judging THEN 'done' ELSE 'cancelled' END,
          flags = CASE WHEN judging THEN flags | ? ELSE flags END, judging = 0, finished_at = ?
        WHERE id IN (SELECT id FROM item WHERE job_id = ? AND state = 'pending' LIMIT ?) RETURNING state"""
    with transaction(conn):
        states = [state for (state,) in conn.execute(sql, (ItemFlag.UNJUDGED.value, now, job_id, limit)).fetchall()]
        done = states.count("done")
        sql = "UPDATE job SET pending = pending - ?, done = done + ?, cancelled = cancelled + ? WHERE id = ?"
        conn.execute(sql, (len(states), done, len(states) - done, job_id))
    return len(states)


def start_delete(
    conn: sqlite3.Connection, job_id: int, *, now: float, expiry_s: float, alive: Alive, but_by: str | None
) -> bool:
    """Ends the job's lease and marks the job, unless a live process holds it; says whether it did.

    The mark tells a job whose deletion was cut off from one that can be resumed.
    """
    message = "Its deletion was cut off. Delete it again."
    sql = f"UPDATE job SET imported = 0, state = ?, reason = NULL, message = ?, {CLEARED} WHERE id = ?"
    with transaction(conn):
        if is_held(conn, job_id, now=now, expiry_s=expiry_s, alive=alive, but_by=but_by):
            return False
        conn.execute(sql, (JobState.CANCELLED.value, message, job_id))
    return True


def delete_chunk(conn: sqlite3.Connection, job_id: int, limit: int) -> int:
    """Deletes the next items with all that is theirs, at last the job, and returns how many items; 0 at the end."""
    with transaction(conn):
        sql = "SELECT id, payload_id FROM item WHERE job_id = ? ORDER BY seq, variant LIMIT ?"
        rows = conn.execute(sql, (job_id, limit)).fetchall()
        if not rows:
            conn.execute("DELETE FROM job WHERE id = ?", (job_id,))
            return 0
        for start in range(0, len(rows), _LISTED):
            _delete_rows(conn, job_id, rows[start : start + _LISTED])
    return len(rows)


def _delete_rows(conn: sqlite3.Connection, job_id: int, rows: Sequence[tuple[int, int]]) -> None:
    marks = ",".join("?" * len(rows))
    ids = [item_id for item_id, _ in rows]
    sums = conn.execute(f"{SUMS} WHERE id IN ({marks})", ids).fetchone()
    less = ", ".join(f"{name} = {name} - ?" for name in COUNTERS)
    conn.execute(f"UPDATE job SET {less} WHERE id = ?", (*sums, job_id))
    conn.execute(f"DELETE FROM item WHERE id IN ({marks})", ids)
    # Clones and a row's other variants share payloads.
    sql = f"""DELETE FROM payload WHERE id IN ({marks})
        AND NOT EXISTS (SELECT 1 FROM item WHERE item.payload_id = payload.id)"""
    conn.execute(sql, [payload_id for _, payload_id in rows])


def clone_chunk(
    conn: sqlite3.Connection, source: int, target: int, origins: Sequence[int], after: int, limit: int
) -> Step | None:
    """Gives the target the source's next rows as new pending items. Payloads are shared, not copied.

    `origins`: for each of the target's variants, the source's variant whose rows it takes.
    """
    bound = (
        "SELECT max(seq) FROM (SELECT seq FROM item WHERE job_id = ? AND variant = 0 AND seq > ? ORDER BY seq LIMIT ?)"
    )
    copy = """INSERT INTO item(job_id, seq, variant, line, custom_id, payload_id, priority)
        SELECT ?, seq, ?, line, custom_id, payload_id, priority FROM item
        WHERE job_id = ? AND variant = ? AND seq > ? AND seq <= ? ORDER BY seq"""
    with transaction(conn):
        last = conn.execute(bound, (source, after, limit)).fetchone()[0]
        if last is None:
            return None
        count = 0
        for variant, origin in enumerate(origins):
            count += conn.execute(copy, (target, variant, source, origin, after, last)).rowcount
        sql = "UPDATE job SET total = total + ?, pending = pending + ? WHERE id = ?"
        conn.execute(sql, (count, count, target))
    return Step(count, last, 0)
