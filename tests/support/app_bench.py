"""The app over a real database and the simulator, driven without a terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from textual.app import App
from textual.pilot import Pilot

from tui_batch.domain.endpoint import SIMULATED, Api, Endpoint
from tui_batch.domain.item import NewRow
from tui_batch.domain.job import InputSource, JobSpec, Knobs, ModelRef
from tui_batch.engine.courtesy import WATCHED_S
from tui_batch.engine.workplace import Workplace, open_workplace
from tui_batch.money.prices import OwnPrice, UnitPrices
from tui_batch.settings import Settings
from tui_batch.tui.app import BatchApp
from tui_batch.tui.desk import Desk, Wish
from tui_batch.work.place import Where
from tui_batch.work.transports import make_transport

SIMULATOR = Endpoint("simulator", Api.OPENAI, f"{SIMULATED}local/v1")
PRICES = (OwnPrice("gpt-4o-mini", UnitPrices.per_mtok(0.15, 0.60, source="test"), "simulator"),)


@asynccontextmanager
async def open_test_desk(folder: Path, *, faults: str = "") -> AsyncIterator[Desk]:
    """A desk over `folder`/jobs.db; only the simulator answers."""
    settings = Settings(endpoints=(SIMULATOR,), prices=PRICES)
    db = folder / "jobs.db"
    async with (
        aclosing(make_transport(None, faults)) as transport,
        open_workplace(db, transport, settings, turn_s=WATCHED_S) as workplace,
    ):

        async def hired(_desk: Desk) -> Workplace:
            return workplace

        desk = Desk(workplace.store, settings, Where(db), transport, folder / "state", time.time, hired)
        await desk.get_to_work()
        yield desk


def spec(name: str = "tickets", prompt: str = "{{ prompt }}", **changes: object) -> JobSpec:
    """A job for the simulator."""
    source = InputSource("prompts.txt", "txt")
    models = (ModelRef("gpt-4o-mini", ("simulator",)),)
    return JobSpec(name, source, models, (SIMULATOR,), prompt=prompt, **changes)  # type: ignore[arg-type]


async def add_job(desk: Desk, prompts: Sequence[str], *, name: str = "tickets", knobs: Knobs | None = None) -> int:
    """A job with one item a prompt, not started."""
    job_id = await desk.store.jobs.create(spec(name), knobs or Knobs(concurrency=8), now=desk.clock())
    async with desk.store.importing(job_id) as importer:
        await importer.add([NewRow(line, None, 0, _row(text)) for line, text in enumerate(prompts, 1)])
    return job_id


def _row(text: str) -> bytes:
    return orjson.dumps({"prompt": text})


DEADLINE_S = 150.0
"""Ends a test that waits for what never comes; nothing takes so long on any machine."""


async def until(pilot: Pilot[Wish], condition: Callable[[], bool], what: str = "") -> None:
    """Lets the app go on until something holds, the screen on top has its parts and each part has done what waited.

    In an app that an error has ended nothing comes to be any more; the error is raised when the app is closed.

    The pilot's pause asks every part of the screen and draws: dear, so it comes last and not at each look.
    """
    end = time.monotonic() + DEADLINE_S
    while not (_is_furnished(pilot.app) and condition()):
        if time.monotonic() > end or pilot.app._exception is not None:
            raise AssertionError(f"it never came to be: {what or condition}")
        await asyncio.sleep(0.02)
        if _is_furnished(pilot.app) and condition():
            await pilot.pause(0)


def toasts(app: BatchApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the app says from now on. On the screen a message may have come and gone between two looks."""
    heard: list[str] = []
    monkeypatch.setattr(app, "notify", lambda words, **_options: heard.append(words))
    return heard


def _is_furnished(app: App[Any]) -> bool:
    """A screen is on top before what it is made of is there."""
    return not app.screen_stack or app.screen.is_mounted


@asynccontextmanager
async def open_app(desk: Desk, size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[BatchApp, Pilot[Wish]]]:
    """The app as a person has it open: dressed before it runs, as the program does it."""
    app = BatchApp(desk)
    await app.prepare()
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield app, pilot
