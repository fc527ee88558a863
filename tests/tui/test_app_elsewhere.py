"""A job that another process runs: the app shows it live and steers it, as if it were its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app_bench import DEADLINE_S, add_job, open_app, open_test_desk, until
from item_yard import dead
from stress_yard import CHILD
from textual.widgets import Input

from tui_batch.domain.job import Job, JobState, Knobs
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.tui.desk import Desk
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.knobs import KnobsDialog

ITEMS = 4_000


@contextmanager
def runner(db: Path, job_id: int) -> Iterator[subprocess.Popen[str]]:
    """A real process that runs the job: four requests of 0.1 s at a time make it last longer than any test."""
    orders = {
        "db": str(db),
        "job": job_id,
        "log": str(db.with_name("requests.log")),
        "latency_s": 0.1,
        "patient": True,
    }
    process = subprocess.Popen(
        [sys.executable, str(CHILD), json.dumps(orders)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def go(process: subprocess.Popen[str]) -> None:
    """Lets it start, and waits until it has."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "started\n"


class Steering:
    """Waits until the owner has done what keys in the app mean."""

    def __init__(self, desk: Desk, job_id: int) -> None:
        self.desk = desk
        self.job_id = job_id

    async def job(self) -> Job:
        return await self.desk.store.jobs.get(self.job_id)

    async def effect(self, what: str, holds: Callable[[Job], bool]) -> None:
        """Waits until it is so in the database, where the owner writes."""
        end = time.monotonic() + DEADLINE_S
        while not holds(await self.job()):
            assert time.monotonic() < end, what
            await asyncio.sleep(0.005)


async def job_with_dead(desk: Desk) -> int:
    """A job, three of whose items are dead already."""
    job_id = await add_job(desk, [f"number {n}" for n in range(ITEMS)], knobs=Knobs(concurrency=4))
    for item in await desk.store.items.page(job_id, limit=3):
        desk.store.writer.record(dead(job_id, item.id, OutcomeClass.TIMEOUT, "no byte"))
    await desk.store.writer.drain()
    return job_id


async def test_a_job_of_another_process_is_shown_live_and_steered(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        job_id = await job_with_dead(desk)
        with runner(desk.where.db, job_id) as process:
            await asyncio.to_thread(go, process)
            async with open_app(desk) as (app, pilot):
                steering = Steering(desk, job_id)
                await until(pilot, lambda: app.view.jobs[0].elsewhere, "seen to be another's")
                seen = app.view.jobs[0].counters.done
                await until(pilot, lambda: app.view.jobs[0].counters.done > seen + 20, "it moves")
                await until(pilot, lambda: app.view.jobs[0].rate > 0, "its rate")

                await pilot.press("plus")
                await steering.effect("+", lambda job: job.knobs.concurrency == 5)

                await pilot.press("s")
                await until(pilot, lambda: isinstance(app.screen, KnobsDialog))
                app.screen.query_one("#knob-rpm", Input).value = "90000"
                await pilot.press("enter")
                await steering.effect("settings", lambda job: job.knobs.rpm == 90_000)
                await until(pilot, lambda: not isinstance(app.screen, KnobsDialog))

                await pilot.press("r")
                await until(pilot, lambda: isinstance(app.screen, Confirm), "asked")
                await pilot.press("y")
                await steering.effect("retry", lambda job: job.counters.dead == 0)
                await until(pilot, lambda: not isinstance(app.screen, Confirm))

                await pilot.press("p")
                await steering.effect("pause", lambda job: job.state is JobState.PAUSED and job.owner is None)
                await until(pilot, lambda: app.view.jobs[0].state is JobState.PAUSED, "seen to be paused")
                stopped = (await steering.job()).counters.done
                assert stopped < ITEMS

                await pilot.press("p")
                await steering.effect("resume", lambda job: job.state is JobState.RUNNING)
                await until(pilot, lambda: app.view.jobs[0].live is not None, "now it is ours")
                await pilot.press("p")
                await until(pilot, lambda: app.view.jobs[0].state is JobState.PAUSED, "paused here")


async def test_a_job_of_another_process_is_cancelled(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, [f"number {n}" for n in range(ITEMS)], knobs=Knobs(concurrency=4))
        with runner(desk.where.db, job_id) as process:
            await asyncio.to_thread(go, process)
            async with open_app(desk) as (app, pilot):
                steering = Steering(desk, job_id)
                await until(pilot, lambda: app.view.jobs[0].elsewhere, "seen to be another's")
                await pilot.press("C")
                await until(pilot, lambda: isinstance(app.screen, Confirm), "asked")
                await pilot.press("y")
                await steering.effect("cancel", lambda job: job.state is JobState.CANCELLED)
                await until(pilot, lambda: app.view.jobs[0].state is JobState.CANCELLED, "seen")
                await until(pilot, lambda: not app.view.jobs[0].counters.pending, "all items ended")
        job = await steering.job()
        assert job.counters.pending == 0
        assert job.counters.done + job.counters.cancelled == ITEMS
