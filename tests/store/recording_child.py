"""Records outcomes until it is killed, and says which of them are on the disk: `recording_child.py DB JOB`."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import Attempt, ItemRecord, ItemState, PendingItem
from tui_batch.domain.outcome import Outcome, OutcomeClass, Usage
from tui_batch.store import open_store

PLACE = DeploymentKey("local", "tiny")


def record_of(job_id: int, item: PendingItem) -> ItemRecord:
    """Every tenth item dies, the others are answered with their own row number."""
    if item.seq % 10:
        outcome = Outcome(OutcomeClass.OK, text=f"answer {item.seq}", usage=Usage(2, 3))
        return ItemRecord(job_id, item.id, ItemState.DONE, 1, 0, 0.0, outcome, PLACE, 5, time.time())
    attempt = Attempt(item.id, 1, 0.0, PLACE, OutcomeClass.TIMEOUT, None, "slow", 1.0, cost_nano=0)
    outcome = Outcome(OutcomeClass.TIMEOUT, message="slow")
    return ItemRecord(job_id, item.id, ItemState.DEAD, 1, 0, 0.0, outcome, PLACE, 0, time.time(), attempt=attempt)


def announce(batch: list[ItemRecord]) -> None:
    print(*(r.item_id for r in batch), flush=True)


async def main(path: Path, job_id: int) -> None:
    async with open_store(path) as store:
        store.writer.on_commit = announce
        for n, item in enumerate(await store.items.pending_page(job_id, limit=100_000)):
            store.writer.record(record_of(job_id, item))
            if n % 20 == 0:
                await asyncio.sleep(0.001)


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
