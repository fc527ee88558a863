"""The checks that an answer fails, as the database keeps them: a JSON list beside the answer and the attempt."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import orjson

from tui_batch.domain.quality import FailedCheck


def create(conn: sqlite3.Connection) -> None:
    """The migration that makes the columns. Adding a column rewrites no row."""
    conn.execute("ALTER TABLE result ADD COLUMN checks TEXT")
    conn.execute("ALTER TABLE attempt ADD COLUMN checks TEXT")


def failing_text(failing: Sequence[FailedCheck]) -> str | None:
    """As stored; None: it fails none. Lone surrogates, which an answer may hold, become question marks."""
    if not failing:
        return None
    entries = [{"check": one.check, "field": _clean(one.field), "message": _clean(one.message)} for one in failing]
    return orjson.dumps(entries).decode()


def failing_of(text: str | None) -> tuple[FailedCheck, ...]:
    """Back from what is stored."""
    if text is None:
        return ()
    return tuple(FailedCheck(one["check"], one["field"], one["message"]) for one in orjson.loads(text))


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
