"""The processes that bench.screen watches. Not a bench by itself."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import psutil
from textual import events

from tui_batch.domain.endpoint import SIMULATED, Api, Endpoint
from tui_batch.domain.item import NewRow
from tui_batch.domain.job import InputSource, JobSpec, Knobs, ModelRef
from tui_batch.engine.courtesy import WATCHED_S
from tui_batch.engine.loop import run
from tui_batch.engine.workplace import Workplace, open_workplace
from tui_batch.settings import Settings
from tui_batch.simulator.config import Profile, SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.transport import SimulatorTransport
from tui_batch.store.store import open_store
from tui_batch.tui.app import BatchApp
from tui_batch.tui.desk import Desk
from tui_batch.tui.widgets.item_table import ItemTable
from tui_batch.tui.widgets.table import Table
from tui_batch.work.place import Where
from tui_batch.work.transports import REMEMBERED, RoutingTransport

BATCH = 5_000
MARKS = (20_000, 120_000, 220_000, 320_000)
"""Answers after which memory is looked at: caches fill in the first hundred thousand, a leak goes on in the last."""


def spec(name: str) -> JobSpec:
    """A job for the simulator."""
    endpoint = Endpoint("simulator", Api.OPENAI, f"{SIMULATED}local/v1")
    return JobSpec(name, InputSource("x", "txt"), (ModelRef("gpt-4o-mini", ("simulator",)),), (endpoint,))


async def make(db: Path, items: int, jobs: int) -> None:
    """A database of many small jobs and a large one, which is the newest."""
    async with open_store(db) as store:
        for number in range(jobs):
            last = number == jobs - 1
            job_id = await store.jobs.create(
                spec("million" if last else f"job {number}"), Knobs(concurrency=256), now=time.time()
            )
            async with store.importing(job_id) as importer:
                for start in range(0, items if last else 3, BATCH):
                    count = min(BATCH, (items if last else 3) - start)
                    rows = [orjson.dumps({"prompt": f"Say a word about number {start + n}."}) for n in range(count)]
                    await importer.add([NewRow(start + n + 1, None, 0, row) for n, row in enumerate(rows)])


@asynccontextmanager
async def desk_of(db: Path) -> AsyncIterator[Desk]:
    """A desk whose simulator answers without any delay."""
    transport = SimulatorTransport(Simulator(SimulatorConfig.for_profile(Profile.INSTANT, remembered=REMEMBERED)))
    routing = RoutingTransport(lambda: transport, lambda: transport)
    async with open_workplace(db, routing, turn_s=WATCHED_S) as workplace:

        async def hired(_desk: Desk) -> Workplace:
            return workplace

        desk = Desk(workplace.store, Settings(), Where(db), routing, db.parent / "state", time.time, hired)
        await desk.get_to_work()
        yield desk


class Timed(BatchApp):
    """Notes how long each key took to be painted."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.paint_ms: list[float] = []

    async def on_event(self, event: events.Event) -> None:
        """From the moment the driver read the key to the end of the repaint after what it did."""
        if not isinstance(event, events.Key):
            await super().on_event(event)
            return
        cursor = self._cursor()
        await super().on_event(event)
        if self._cursor() != cursor:
            self.call_after_refresh(self._painted, event.time)

    def _cursor(self) -> object:
        """Where the cursor of the focused list is: a key that is on its way to the list has not moved it yet."""
        focused = self.focused
        if isinstance(focused, ItemTable):
            return focused.cursor
        return focused.cursor_row.id if isinstance(focused, Table) and focused.cursor_row is not None else None

    def _painted(self, since: float) -> None:
        self.paint_ms.append((time.monotonic() - since) * 1000)


def write(result: Path, figures: dict[str, object]) -> None:
    """All of it at once, so that whoever waits for the file never reads half of it."""
    draft = result.with_suffix(".draft")
    draft.write_text(json.dumps(figures))
    draft.replace(result)


async def large(desk: Desk) -> int:
    """The number of the large job."""
    return max(job.id for job in await desk.store.jobs.list())


def finished(desk: Desk) -> int:
    """Items of running jobs that came to an end."""
    return sum(job.counters.done + job.counters.dead for job in desk.engine.snapshot().jobs)


async def keys(db: Path, result: Path) -> None:
    """Runs flat out until it is quit; writes what the keys took."""
    async with desk_of(db) as desk:
        await desk.controller.start(await large(desk))
        app = Timed(desk)
        before, start = finished(desk), time.monotonic()
        app.action_app_quit = app.exit  # type: ignore[method-assign]
        await app.run_async()
        rate = (finished(desk) - before) / (time.monotonic() - start)
    write(result, {"paint_ms": app.paint_ms, "rate": rate})


async def paced(db: Path, result: Path, seconds: float, *, shown: bool) -> None:
    """The rate and the CPU an item over so many seconds, after two to warm up."""
    async with desk_of(db) as desk:
        app = asyncio.create_task(BatchApp(desk).run_async()) if shown else None
        await desk.controller.start(await large(desk))
        await asyncio.sleep(2)
        before, start, used = finished(desk), time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        count, used = finished(desk) - before, time.process_time() - used
        write(result, {"rate": count / (time.monotonic() - start), "cpu_us": used / max(1, count) * 1e6})
        if app is not None:
            app.cancel()


async def memory(db: Path, result: Path) -> None:
    """Resident memory (MB) at each of the marks of a long look at a quick job, by answers since it began."""
    process = psutil.Process()
    async with desk_of(db) as desk:
        app = asyncio.create_task(BatchApp(desk).run_async())
        await desk.controller.start(await large(desk))
        sizes: dict[str, float] = {}
        start = finished(desk)
        for mark in MARKS:
            while finished(desk) - start < mark:
                await asyncio.sleep(0.1)
            sizes[str(mark)] = process.memory_info().rss / 1e6
        write(result, {"mb": sizes})
        app.cancel()


def main() -> None:
    """`make DB ITEMS JOBS`, or a part with DB and the file for its result."""
    part, db, *rest = sys.argv[1:]
    path = Path(db)
    if part == "make":
        run(make(path, int(rest[0]), int(rest[1])))
    elif part == "keys":
        run(keys(path, Path(rest[0])))
    elif part == "memory":
        run(memory(path, Path(rest[0])))
    else:
        run(paced(path, Path(rest[0]), float(rest[1]), shown=part == "open"))


if __name__ == "__main__":
    main()
