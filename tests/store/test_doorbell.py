"""Whether anyone wrote to the database, without asking the database."""

from __future__ import annotations

import os
from pathlib import Path

from tui_batch.store.doorbell import Doorbell
from tui_batch.store.store import open_store


async def test_another_connections_commit_rings_and_silence_does_not(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    async with open_store(path), open_store(path) as elsewhere:
        bell = Doorbell(path)
        bell.rang()
        assert not bell.rang()
        os.utime(f"{path}-wal", (1, 1))  # times are told in ticks: the next commit is surely at another one
        bell.rang()

        await elsewhere.events.log(None, "info", "a word")

        assert bell.rang()
        assert not bell.rang()


def test_where_there_is_no_log_it_rings_always(tmp_path: Path) -> None:
    bell = Doorbell(tmp_path / "none.db")

    assert bell.rang()
    assert bell.rang()
