"""Jobs with items in every state, made without asking anyone, for the app's lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from app_bench import SIMULATOR, open_app, open_test_desk, spec, until
from textual.pilot import Pilot

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item import Attempt, ItemRecord, ItemState, NewRow
from tui_batch.domain.job import Knobs
from tui_batch.domain.outcome import Outcome, OutcomeClass, Usage
from tui_batch.store.store import Store
from tui_batch.tui.app import BatchApp
from tui_batch.tui.desk import Desk, Wish

DEPLOYMENT = DeploymentKey(SIMULATOR.name, "gpt-4o-mini")
HOSTILE = "[/red]\x1b[31m\u202eevil\u200b 日本語のテキスト 🦄"


async def add_letters(store: Store, texts: Sequence[str], name: str = "letters") -> int:
    """An imported job with a row for each text."""
    made = spec(name, "Say it kindly: {{ text }}", system="You are kind.")
    job_id = await store.jobs.create(made, Knobs(concurrency=4), now=1_000.0)
    rows = [NewRow(n + 1, f"letter-{n + 1}", 0, orjson.dumps({"text": text})) for n, text in enumerate(texts)]
    async with store.importing(job_id) as importer:
        for start in range(0, len(rows), 1_000):
            await importer.add(rows[start : start + 1_000])
    return job_id


def done(job_id: int, item_id: int, text: str, cost: int = 1_500_000, at: float = 1_000.0) -> ItemRecord:
    """An answer."""
    usage = Usage(40, 12)
    outcome = Outcome(OutcomeClass.OK, text, usage, "stop", 200, request_id="r-1", started_at=at, latency_s=0.8)
    return ItemRecord(job_id, item_id, ItemState.DONE, 1, 0, 0.0, outcome, DEPLOYMENT, cost, at + 1)


def dead(job_id: int, item_id: int, cls: OutcomeClass, message: str, at: float = 1_000.0) -> ItemRecord:
    """A failure that nothing mended."""
    outcome = Outcome(cls, usage=Usage(40, None), status=500, message=message, started_at=at, latency_s=0.3)
    attempt = Attempt(item_id, 1, at, DEPLOYMENT, cls, 500, message, 0.3, 40, None, 0)
    return ItemRecord(job_id, item_id, ItemState.DEAD, 1, 0, 0.0, outcome, DEPLOYMENT, 0, at + 1, attempt=attempt)


async def mixed_job(store: Store, name: str = "letters", at: float = 1_000.0) -> int:
    """Twelve rows: six answers, the first hostile, four dead, three of them alike, the fourth hostile, two pending."""
    job_id = await add_letters(store, [f"letter {n}" for n in range(1, 13)], name)
    first = (await store.items.page(job_id, limit=1))[0].id - 1
    answers = [HOSTILE, '{"tone": "kind", "ok": true}', "Dear you,\nall is well.", "yes", "no", "perhaps"]
    records = [done(job_id, first + 1 + n, text, 1_000_000 * (n + 1), at) for n, text in enumerate(answers)]
    records += [dead(job_id, first + n, OutcomeClass.TIMEOUT, f"no byte after {n} s", at) for n in (7, 8, 9)]
    records += [dead(job_id, first + 10, OutcomeClass.BAD_REQUEST, f"too odd: {HOSTILE}", at)]
    for record in records:
        store.writer.record(record)
    await store.writer.drain()
    return job_id


@dataclass
class Yard:
    """An open app."""

    app: BatchApp
    desk: Desk
    pilot: Pilot[Wish]

    async def until(self, condition: object, what: str = "") -> None:
        """Waits until something holds."""
        assert callable(condition)
        await until(self.pilot, condition, what)

    async def press(self, *keys: str) -> None:
        """Presses keys, and lets the app do what they mean."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def text(self) -> str:
        """The screen as text."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())


@asynccontextmanager
async def open_yard(folder: Path, *, size: tuple[int, int] = (120, 40), jobs: int = 1) -> AsyncIterator[Yard]:
    """The app over a new database with so many mixed jobs."""
    async with open_test_desk(folder) as desk:
        for number in range(jobs):
            await mixed_job(desk.store, f"letters {number + 1}")
        async with open_app(desk, size) as (app, pilot):
            yield Yard(app, desk, pilot)
