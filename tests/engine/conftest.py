"""Engine tests run on virtual time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from virtual_time import run_virtually, watch_aiosqlite

from tui_batch.engine import keeper
from tui_batch.store.connection import connect_writer


def _hasty(path: Path) -> sqlite3.Connection:
    conn = connect_writer(path)
    conn.execute("PRAGMA synchronous = OFF")
    return conn


@pytest.fixture
def virtually(monkeypatch: pytest.MonkeyPatch) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine on virtual time.

    Looking for verbs of other processes takes a thread's turn and most of a long simulated span: it is done less often
    here. Tests of real processes do it at its own pace. Nor is the disk waited for at each commit: nothing is killed.
    """
    monkeypatch.setattr("tui_batch.store.store.connect_writer", _hasty)
    monkeypatch.setattr(keeper, "POLL_S", 0.2)
    monkeypatch.setattr(keeper, "IDLE_POLL_S", 0.4)
    watch_aiosqlite(monkeypatch)
    return run_virtually
