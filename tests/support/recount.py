"""The counters of a job as its items say: what the job's own columns must equal at any moment."""

from __future__ import annotations

import sqlite3

from tui_batch.store.bulk import COUNTERS, SUMS


def counters_by_items(conn: sqlite3.Connection, job_id: int) -> dict[str, int]:
    """Every counter, added up over the items."""
    row = conn.execute(f"{SUMS} WHERE job_id = ?", (job_id,)).fetchone()
    return dict(zip(COUNTERS, row, strict=True))
