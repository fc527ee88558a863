"""When the database or an endpoint fails, the app says so, stays live, and goes on by itself; nothing is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from app_bench import add_job, open_app, open_test_desk, toasts, until
from item_yard import mixed_job
from textual.pilot import Pilot

from tui_batch.domain.job import JobState, Knobs
from tui_batch.engine.breaker import BreakerPolicy
from tui_batch.engine.control import Controller
from tui_batch.providers.base import FailureKind, HttpRequest, HttpResponse, TransportFailure
from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.latency import Latency
from tui_batch.simulator.transport import SimulatorTransport
from tui_batch.store import StoreTrouble
from tui_batch.tui.app import BatchApp
from tui_batch.tui.desk import Desk
from tui_batch.tui.places.endpoints import EndpointsPlace
from tui_batch.tui.places.items import ItemsPlace
from tui_batch.tui.widgets.frame import TitleLine
from tui_batch.work.transports import RoutingTransport

ITEMS = 400


def quick(monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """A simulator that answers after 0.3 s, whatever it says."""
    simulator = Simulator(SimulatorConfig(latency=Latency(0.3)))
    transport = SimulatorTransport(simulator)

    async def send(_: RoutingTransport, request: HttpRequest) -> HttpResponse:
        return await transport.send(request)

    monkeypatch.setattr(RoutingTransport, "send", send)
    return simulator


async def test_the_engines_tasks_begin_alike_on_every_python(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(
        lambda loop, coro, **how: asyncio.Task(coro, loop=loop, **how)
    )  # as Textual does where it can
    async with open_test_desk(tmp_path) as desk, open_app(desk):
        assert loop.get_task_factory() is None


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[BatchApp, Pilot[Any], Desk]]:
    """The app, with a job that has begun to be answered, and takes two minutes in this way."""
    async with open_test_desk(folder) as desk:
        job_id = await add_job(desk, [f"number {n}" for n in range(ITEMS)], knobs=Knobs(concurrency=1))
        await desk.controller.start(job_id)
        async with open_app(desk) as (app, pilot):
            await until(pilot, lambda: app.view.jobs[0].counters.done > 1, "it runs")
            yield app, pilot, desk


def said(app: BatchApp) -> str:
    """What the title line says of the engine."""
    return "".join(words for words, _ in app.query_one(TitleLine).right)


async def whole(app: BatchApp, pilot: Pilot[Any], desk: Desk, simulator: Simulator) -> None:
    """The job, hurried up, ends as if nothing had been, and nothing was bought twice."""
    await desk.controller.turn(app.view.jobs[0].id, {"concurrency": 64})
    await until(pilot, lambda: app.view.jobs[0].state is JobState.COMPLETED, "the end")
    counters = (await desk.store.jobs.get(app.view.jobs[0].id)).counters
    assert (counters.done, counters.dead, counters.pending) == (ITEMS, 0, 0)
    assert simulator.score.answered == ITEMS


async def test_a_database_that_another_program_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = quick(monkeypatch)
    async with running(tmp_path) as (app, pilot, desk):
        with sqlite3.connect(desk.where.db, isolation_level=None, timeout=100) as other:
            other.execute("BEGIN EXCLUSIVE")
            await until(pilot, lambda: "another program holds the database" in said(app), "told")
            await pilot.press("6")
            await until(pilot, lambda: app.place.NAME == "log", "the app is live")
            other.execute("ROLLBACK")
        other.close()
        await until(pilot, lambda: "holds the database" not in said(app), "over")
        await whole(app, pilot, desk, simulator)


async def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = quick(monkeypatch)
    async with running(tmp_path) as (app, pilot, desk):
        await desk.controller.turn(app.view.jobs[0].id, {"concurrency": 4})  # so that a page is full sooner
        await limit(desk, "PRAGMA max_page_count = 1")  # SQLite takes the size that the file has
        await until(pilot, lambda: "the disk is full" in said(app), "told")
        await pilot.press("2")
        await until(pilot, lambda: app.place.NAME == "items", "the app is live")
        await limit(desk, "PRAGMA max_page_count = 1000000")
        await whole(app, pilot, desk, simulator)


async def limit(desk: Desk, pragma: str) -> None:
    """Tells the writer's connection how large the file may become."""
    await desk.store._write.run(lambda conn: conn.execute(pragma).fetchall())


async def test_an_endpoint_that_is_gone_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = quick(monkeypatch)
    answer, gone = RoutingTransport.send, asyncio.Event()

    async def send(self: RoutingTransport, request: HttpRequest) -> HttpResponse:
        if gone.is_set():
            raise TransportFailure(FailureKind.CONNECT, "[/red] nobody listens \x1b[31m")
        return await answer(self, request)

    monkeypatch.setattr(RoutingTransport, "send", send)
    monkeypatch.setattr("tui_batch.engine.breaker.BreakerPolicy", lambda: BreakerPolicy(first_open_s=0.7))
    async with running(tmp_path) as (app, pilot, desk):
        gone.set()
        await pilot.press("4")
        table = app.query_one(EndpointsPlace).table
        await until(pilot, lambda: any("breaker" in row.health[0] for row in table.rows), "told")
        gone.clear()
        await until(pilot, lambda: any("working" in row.health[0] for row in table.rows), "it answers again")
        await whole(app, pilot, desk, simulator)


async def test_what_the_database_refused_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal may come seconds after the key, when a person is elsewhere already."""

    async def refuse(*_: object) -> None:
        raise StoreTrouble("another program holds the database")

    for verb in ("turn", "retry"):
        monkeypatch.setattr(Controller, verb, refuse)
    async with open_test_desk(tmp_path) as desk:
        await mixed_job(desk.store)
        async with open_app(desk) as (app, pilot):
            heard = toasts(app, monkeypatch)
            await pilot.press("plus")
            await until(pilot, lambda: heard == ["more at once #1: another program holds the database"], "of the job")
            await pilot.press("2", "G", "k", "k")
            items = app.query_one(ItemsPlace)
            await until(pilot, lambda: (row := items.table.cursor_row) is not None and row.seq == 9, "a dead item")
            await pilot.press("r")
            await until(pilot, lambda: heard[1:] == ["retry: another program holds the database"], "of the item")
            assert heard[1] in [line.text for line in app.log_place.lines]
