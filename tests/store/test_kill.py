"""kill -9 at random moments: what was said to be on the disk is on the disk."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from tui_batch.store import Store, open_store

CHILD = Path(__file__).with_name("recording_child.py")
KILLS = 3


def announced_before_death(db: Path, job_id: int, lines: int) -> set[int]:
    """Item ids announced by a child that is killed after that many batches, or a little later."""
    command = [sys.executable, str(CHILD), str(db), str(job_id)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        # What it had written into the pipe before it died counts too; a line cut in half does not.
        said += [line for line in child.stdout if line.endswith("\n")]
    return {int(word) for line in said for word in line.split()}


async def check(store: Store, make, job_id: int, announced: set[int]) -> None:
    counters = await store.jobs.counters(job_id)
    assert counters == make.counted(store.path, job_id)
    ended = {row[0]: row[1:] for row in make.query(store.path, ENDED)}
    assert announced <= set(ended)
    assert all(text in (None, f"answer {seq}") for seq, text, _ in ended.values())
    assert all((text is None) == (seq % 10 == 0) for seq, text, _ in ended.values())
    assert all(attempts == (seq % 10 == 0) for seq, _, attempts in ended.values())
    assert make.query(store.path, "PRAGMA integrity_check") == [("ok",)]


ENDED = """SELECT item.id, seq, text, (SELECT count(*) FROM attempt WHERE item_id = item.id)
FROM item JOIN result ON result.item_id = item.id WHERE state IN ('done', 'dead')"""


async def test_no_outcome_that_was_committed_is_lost_by_kill_9(db: Path, make) -> None:
    chance = random.Random(7)
    async with open_store(db) as store:
        job_id = await make.job(store, 20_000)
    announced: set[int] = set()
    for _ in range(KILLS):
        new = announced_before_death(db, job_id, chance.randint(1, 12))
        assert not new & announced
        announced |= new
        async with open_store(db) as store:
            await check(store, make, job_id, announced)
    assert len(announced) > KILLS
