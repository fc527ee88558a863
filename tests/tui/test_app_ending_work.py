"""Leaving while something is written, deleting what runs, and verbs over several jobs at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_bench import add_job, open_app, open_test_desk, toasts, until
from item_yard import Yard, mixed_job, open_yard

from tui_batch.domain.job import JobState, Knobs
from tui_batch.report.export import export_results
from tui_batch.tui.app import BatchApp
from tui_batch.tui.places.jobs import JobsPlace
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.export import ExportDialog
from tui_batch.tui.screens.menu import Menu
from tui_batch.tui.screens.quit import Busy, quit_menu, waited_for
from tui_batch.tui.view import EMPTY
from tui_batch.tui.widgets.frame import TitleLine


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """An export goes on once it is set."""
    gate = asyncio.Event()

    async def slow(*given: Any, **options: Any) -> Any:
        await gate.wait()
        return await export_results(*given, **options)

    monkeypatch.setattr("tui_batch.tui.export_plan.export_results", slow)
    return gate


async def begin_export(yard: Yard, file: Path) -> None:
    await yard.press("x")
    await yard.until(lambda: isinstance(yard.app.screen, ExportDialog))
    assert isinstance(yard.app.screen, ExportDialog)
    yard.app.screen.path.value = str(file)
    await yard.press("enter")
    await yard.until(lambda: yard.app.manners.works)


def results_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("*.jsonl"))


async def ends(app: BatchApp) -> None:
    async with asyncio.timeout(150):
        while app.is_running:
            await asyncio.sleep(0.01)


async def test_leaving_asks_while_a_file_is_written_and_may_finish_it(tmp_path: Path, gate: asyncio.Event) -> None:
    file = tmp_path / "out.jsonl"
    async with open_yard(tmp_path) as yard:
        await begin_export(yard, file)
        left = str(yard.app.query_one(TitleLine).left)
        assert "exporting #1" in left
        assert "X stops it" in left
        await yard.press("q")
        await yard.until(lambda: isinstance(yard.app.screen, Menu))
        await yard.until(lambda: "exporting #1" in yard.text())
        await yard.press("escape")
        await yard.until(lambda: not isinstance(yard.app.screen, Menu))
        assert yard.app.manners.works, "staying leaves it alone"
        await yard.press("q")
        await yard.until(lambda: isinstance(yard.app.screen, Menu))
        yard.app.simulate_key("d")
        await yard.until(
            lambda: "exporting #1" in yard.text() and "Leaving" in yard.text(), "it says what it waits for"
        )
        gate.set()
        await ends(yard.app)
        assert len(file.read_text().splitlines()) == 12
        assert any(str(file) in line for line in yard.app.manners.last_words)


async def test_leaving_may_stop_what_is_written(tmp_path: Path, gate: asyncio.Event) -> None:
    file = tmp_path / "out.jsonl"
    async with open_yard(tmp_path) as yard:
        await begin_export(yard, file)
        await yard.press("q")
        await yard.until(lambda: isinstance(yard.app.screen, Menu))
        yard.app.simulate_key("s")
        await ends(yard.app)
        assert not file.exists()
        assert not gate.is_set()


def test_leaving_with_jobs_and_work_offers_what_there_is() -> None:
    def labels(busy: Busy) -> str:
        return " / ".join(choice.key for choice in quit_menu(busy, keeps=True)._choices)

    assert labels(Busy(0, 0, "exporting #1 3 %")) == "d / s"
    assert labels(Busy(2, 7, "exporting #1 3 %")) == "d / b / s"
    assert str(Busy(2, 7, "exporting #1 3 %")) == "2 jobs run here; exporting #1 3 %"


def test_a_full_disk_is_what_leaving_waits_for() -> None:
    full = type(EMPTY)((), (), "the disk is full")
    assert waited_for(full, "") == "what came cannot be stored: the disk is full"
    assert waited_for(EMPTY, "deleting #1 4 %") == "deleting #1 4 %"


async def test_a_running_job_is_stopped_and_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, [f"number {n}" for n in range(2_000)], knobs=Knobs(concurrency=2))
        await desk.controller.start(job_id)
        async with open_app(desk) as (app, pilot):
            heard = toasts(app, monkeypatch)
            await pilot.press("D")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            assert isinstance(app.screen, Confirm)
            assert "is stopped first" in app.screen._detail
            await pilot.press("y")
            await until(pilot, lambda: not app.view.jobs, "it is gone")
            await until(pilot, lambda: any("is deleted" in words for words in heard))
        assert await desk.store.jobs.list() == []


async def test_what_has_ended_is_not_asked_to_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, ["a"])
        await (await desk.controller.start(job_id))
        async with open_app(desk) as (app, pilot):
            # whoever waits for a job's end hears of it a moment before the engine has let it go
            await until(pilot, lambda: [job.state for job in app.view.jobs] == [JobState.COMPLETED])
            heard = toasts(app, monkeypatch)
            await pilot.press("C")
            await until(pilot, lambda: any("nothing to cancel" in words for words in heard))
            assert not isinstance(app.screen, Confirm)
        assert (await desk.store.jobs.get(job_id)).state is JobState.COMPLETED


async def test_marked_jobs_are_exported_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def asks(app: BatchApp, number: int) -> Callable[[], bool]:
        return lambda: isinstance(app.screen, ExportDialog) and f"-{number}.jsonl" in app.screen.path.value

    async with open_yard(tmp_path, jobs=3) as yard:
        await yard.press("space", "space", "x")  # a mark goes on to the next job
        await yard.until(asks(yard.app, 3))
        await yard.until(lambda: "(1 of 2 marked)" in yard.text())
        await yard.press("enter")
        await yard.until(asks(yard.app, 2), "the second is asked about")
        await yard.press("enter")
        await yard.until(lambda: not yard.app.manners.works)
        assert results_in(tmp_path) == ["letters-2-2.jsonl", "letters-3-3.jsonl"]


async def test_a_copy_is_what_p_starts(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await mixed_job(desk.store)
        async with open_app(desk) as (app, pilot):
            await pilot.press("c")
            await until(pilot, lambda: len(app.view.jobs) == 2 and app.view.selected == 2, "the copy is selected")
            await until(pilot, lambda: getattr(app.query_one(JobsPlace).table.cursor_row, "id", None) == 2)


async def test_what_had_ended_goes_on_when_its_dead_are_tried_again(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        job_id = await mixed_job(desk.store)
        await (await desk.controller.start(job_id))  # two are left, the four that are dead stay so
        async with open_app(desk) as (app, pilot):
            await until(pilot, lambda: [job.state for job in app.view.jobs] == [JobState.COMPLETED])
            await pilot.press("r")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            await pilot.press("y")
            await until(pilot, lambda: app.view.jobs[0].counters.done == 12)
