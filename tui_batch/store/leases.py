"""Who runs a job: one process at a time, known by host, pid and a token, alive by its heartbeat.

The functions are whole transactions on a raw connection. `alive` is called on the connection's thread and must not
wait; it says whether an owner may still exist, and only a certain no ends a lease before its time.
"""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable, Collection
from typing import TypeAlias

from tui_batch.domain.job import ACTIVE, OWNER_GONE, JobState, Owner, PauseReason
from tui_batch.store.connection import transaction
from tui_batch.store.events import insert_event

Alive: TypeAlias = Callable[[Owner], bool]

EXPIRY_S = 15.0
"""A heartbeat older than this ends a lease, unless the caller says otherwise; it must be the same for every process."""

_OWNER = "owner_host, owner_pid, owner_token, heartbeat_at"
CLEARED = "owner_host = NULL, owner_pid = NULL, owner_token = NULL, heartbeat_at = NULL"
"""The assignments that end a lease."""


def may_be_alive(owner: Owner) -> bool:
    """False only when the owner was a process of this machine that is gone."""
    import psutil  # takes 10 ms, and a reader of the database needs none of it

    return owner.host != socket.gethostname() or psutil.pid_exists(owner.pid)


def is_held(
    conn: sqlite3.Connection, job_id: int, *, now: float, expiry_s: float, alive: Alive, but_by: str | None = None
) -> bool:
    """Whether a live process other than the one with the token `but_by` owns the job."""
    row = conn.execute(f"SELECT {_OWNER} FROM job WHERE id = ?", (job_id,)).fetchone()
    if row is None or row[2] is None or row[2] == but_by:
        return False
    return row[3] + expiry_s >= now and alive(Owner(*row[:3]))


def acquire(conn: sqlite3.Connection, job_id: int, owner: Owner, *, now: float, expiry_s: float, alive: Alive) -> bool:
    """Takes the lease if it is free, expired, or its owner's already. The write lock makes it atomic."""
    with transaction(conn):
        if is_held(conn, job_id, now=now, expiry_s=expiry_s, alive=alive, but_by=owner.token):
            return False
        _tell_of_a_lost_owner(conn, job_id, owner, now)
        values = (owner.host, owner.pid, owner.token, now, job_id)
        sql = "UPDATE job SET owner_host = ?, owner_pid = ?, owner_token = ?, heartbeat_at = ? WHERE id = ?"
        return conn.execute(sql, values).rowcount == 1


def _tell_of_a_lost_owner(conn: sqlite3.Connection, job_id: int, owner: Owner, now: float) -> None:
    """A line in the log when the lease is taken from a process that never gave it back."""
    row = conn.execute(f"SELECT {_OWNER} FROM job WHERE id = ?", (job_id,)).fetchone()
    if row is not None and row[2] not in (None, owner.token):
        text = f"taken over (owner_lost): process {row[1]} on {row[0]}, which ran this job, is gone"
        insert_event(conn, job_id, now, "warning", text)


def heartbeat(conn: sqlite3.Connection, owner: Owner, job_ids: Collection[int], now: float) -> set[int]:
    """Renews the owner's leases and returns the ids of those it still holds."""
    sql = "UPDATE job SET heartbeat_at = ? WHERE id = ? AND owner_token = ?"
    with transaction(conn):
        return {job_id for job_id in job_ids if conn.execute(sql, (now, job_id, owner.token)).rowcount}


def release(conn: sqlite3.Connection, job_id: int, owner: Owner) -> None:
    """Gives the lease back; nothing happens when it is another's by now."""
    with transaction(conn):
        conn.execute(f"UPDATE job SET {CLEARED} WHERE id = ? AND owner_token = ?", (job_id, owner.token))


def expire(
    conn: sqlite3.Connection,
    *,
    now: float,
    expiry_s: float,
    alive: Alive,
    by: Owner | None = None,
    held: Collection[int] = (),
) -> list[int]:
    """Pauses (owner_lost) the queued and running jobs whose owner is gone, and returns their ids.

    A running job without an owner counts as lost too; a queued one without is waiting for a process to take it. `by`:
    the process that looks, and `held` the jobs that it runs. They are not lost, whatever its heartbeats say: it may
    have slept, with the whole machine.
    """
    lost = []
    with transaction(conn):
        for job_id, state, token in _active(conn):
            if by is not None and token == by.token and job_id in held:
                continue
            unowned = token is None and state == JobState.RUNNING
            lives = is_held(conn, job_id, now=now, expiry_s=expiry_s, alive=alive)
            if unowned or (token is not None and not lives):
                _lose(conn, job_id, now)
                lost.append(job_id)
    return lost


def _active(conn: sqlite3.Connection) -> list[tuple[int, str, str | None]]:
    marks = ",".join("?" * len(ACTIVE))
    sql = f"SELECT id, state, owner_token FROM job WHERE state IN ({marks}) ORDER BY id"
    return conn.execute(sql, [state.value for state in ACTIVE]).fetchall()


def _lose(conn: sqlite3.Connection, job_id: int, now: float) -> None:
    values = (JobState.PAUSED.value, PauseReason.OWNER_LOST.value, OWNER_GONE, job_id)
    insert_event(conn, job_id, now, "warning", f"paused (owner_lost): {OWNER_GONE}")
    conn.execute(f"UPDATE job SET state = ?, reason = ?, message = ?, {CLEARED} WHERE id = ?", values)
