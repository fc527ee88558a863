"""Another process that takes jobs over."""

from __future__ import annotations

from pathlib import Path

from virtual_time import START

from tui_batch.domain.job import JobState, Owner
from tui_batch.store.store import open_store

THIEF = Owner("elsewhere", 2, "thief")


async def steal(path: Path, job_id: int) -> None:
    """Another process takes a job over and runs it."""
    async with open_store(path, clock=lambda: START) as store:
        assert await store.jobs.acquire(job_id, THIEF, now=START + 1e6, expiry_s=15.0, alive=lambda _: True)
        await store.jobs.set_state(job_id, JobState.RUNNING, now=START)
