"""What a person does with dead items beside trying them again: discard them, or change the row that is sent."""

from __future__ import annotations

import sqlite3

from tui_batch.domain.item_scope import Selection
from tui_batch.errors import UserError
from tui_batch.store.bulk import Step, selection_sql
from tui_batch.store.connection import transaction
from tui_batch.store.events import insert_event
from tui_batch.store.ledger import take_back
from tui_batch.store.scopes import LARGEST_ID, missing_item


def count(conn: sqlite3.Connection, job_id: int, which: Selection) -> int:
    """Dead items that are meant."""
    condition, values = selection_sql(which)
    sql = f"SELECT count(*) FROM item WHERE job_id = ? AND state = 'dead' {condition}"
    return int(conn.execute(sql, (job_id, *values)).fetchone()[0])


def discard_chunk(
    conn: sqlite3.Connection, job_id: int, which: Selection, after: tuple[int, int], limit: int
) -> Step | None:
    """Makes the next dead items cancelled. Their errors, attempts and costs stay."""
    condition, values = selection_sql(which)
    sql = f"""SELECT id, seq, variant FROM item WHERE job_id = ? AND state = 'dead' AND (seq, variant) > (?, ?)
        {condition} ORDER BY seq, variant LIMIT ?"""
    with transaction(conn):
        rows = conn.execute(sql, (job_id, *after, *values, limit)).fetchall()
        if not rows:
            return None
        conn.executemany("UPDATE item SET state = 'cancelled' WHERE id = ?", [(row[0],) for row in rows])
        sql = "UPDATE job SET dead = dead - ?, cancelled = cancelled + ? WHERE id = ?"
        conn.execute(sql, (len(rows), len(rows), job_id))
    return Step(len(rows), rows[-1][1], rows[-1][2])


def edit_row(conn: sqlite3.Connection, item_id: int, data: bytes, now: float) -> None:
    """Gives one item a row of its own. Raises UserError unless it is dead, or pending in a job that nobody runs.

    Rows are shared by a job's variants and by clones and never change, so the item gets a new one; the old one goes
    when no other item needs it.
    """
    sql = """SELECT item.state, job_id, payload_id, seq, owner_token FROM item JOIN job ON job.id = job_id
        WHERE item.id = ?"""
    with transaction(conn):
        found = None if item_id > LARGEST_ID else conn.execute(sql, (item_id,)).fetchone()
        if found is None:
            raise missing_item(item_id)
        state, job_id, payload_id, seq, owner = found
        _check_editable(item_id, state, job_id, owner)
        new = conn.execute("INSERT INTO payload(data) VALUES (?)", (data.decode(),)).lastrowid
        conn.execute("UPDATE item SET payload_id = ? WHERE id = ?", (new, item_id))
        _drop_answer(conn, item_id, job_id)
        conn.execute(
            "DELETE FROM payload WHERE id = ? AND NOT EXISTS (SELECT 1 FROM item WHERE item.payload_id = payload.id)",
            (payload_id,),
        )
        insert_event(conn, job_id, now, "info", f"row {seq + 1} (item {item_id}) was edited")


def _drop_answer(conn: sqlite3.Connection, item_id: int, job_id: int) -> None:
    """An answer that waits for its judge is one to the row as it was; what it cost stays counted, not what it saved."""
    sql = "SELECT cached, saved_nano, endpoint, model FROM item WHERE id = ? AND judging > 0"
    waits = conn.execute(sql, (item_id,)).fetchone()
    if waits is None:
        return
    cached, saved_nano, *place = waits
    take_back(conn, job_id, tuple(place), cached=cached, saved_nano=saved_nano)
    sql = "UPDATE job SET cached = cached - ?, saved_nano = saved_nano - ? WHERE id = ?"
    conn.execute(sql, (cached, saved_nano, job_id))
    conn.execute("UPDATE item SET judging = 0, cached = 0, saved_nano = 0, flags = 0 WHERE id = ?", (item_id,))
    conn.execute("DELETE FROM result WHERE item_id = ?", (item_id,))


def _check_editable(item_id: int, state: str, job_id: int, owner: str | None) -> None:
    if state == "pending" and owner is not None:
        raise UserError(
            f"item {item_id} waits to be sent and may be on its way",
            remedy=f"Pause its job first: llmbatch-tui pause {job_id}",
        )
    if state not in ("dead", "pending"):
        raise UserError(
            f"item {item_id} is {state}: only dead and pending items can be edited",
            remedy=f"To ask the same rows something else: llmbatch-tui clone {job_id}",
        )
