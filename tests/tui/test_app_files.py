"""Exports, reports and knobs by dialog, and the log, as a person presses the keys."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from app_bench import add_job, open_app, open_test_desk, until
from item_yard import mixed_job
from textual.widgets import Input, OptionList, Select

from tui_batch.domain.job import Knobs
from tui_batch.report.formats import ResultFormat
from tui_batch.store.items import Items
from tui_batch.tui.log_lines import Level
from tui_batch.tui.places.log import LogPlace
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.export import ExportDialog, ReportDialog
from tui_batch.tui.screens.knobs import KnobsDialog


async def test_an_export_asks_what_and_where_and_says_where_the_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, ["a", "b"], name="my: [/job]")
        await (await desk.controller.start(job_id))
        async with open_app(desk) as (app, pilot):
            await pilot.press("x")
            await until(pilot, lambda: isinstance(app.screen, ExportDialog))
            path = app.screen.query_one("#path", Input)
            assert path.value == str(tmp_path / f"my-job-{job_id}.jsonl")
            for key, reached in (("up", "shape"), ("up", "format")):
                await pilot.press(key)
                await until(
                    pilot, lambda field=reached: getattr(app.focused, "id", "") == field, f"up to the {reached}"
                )
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.focused, OptionList), "the formats")
            await pilot.press("down", "enter")
            await until(pilot, lambda: path.value.endswith(".csv"), "the ending follows the format")
            await until(pilot, lambda: path.has_focus, "so that enter writes")
            assert app.screen.query_one("#format", Select).value is ResultFormat.CSV
            path.value = str(tmp_path / "nowhere" / "out.jsonl")
            await pilot.press("enter")
            await until(pilot, lambda: "no directory" in str(app.screen.query_one("#trouble").render()))
            path.value = "~nobody-here/out.jsonl"
            await pilot.press("enter")
            await until(pilot, lambda: "no home directory" in str(app.screen.query_one("#trouble").render()))
            path.value = str(tmp_path / "out.jsonl")
            await pilot.press("enter")
            await until(pilot, lambda: (tmp_path / "out.jsonl").is_file() and not app.manners.works)
            assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
            assert any("out.jsonl" in line.text for line in app.log_place.lines if line.level is Level.YOU)

            await pilot.press("x")
            await until(pilot, lambda: isinstance(app.screen, ExportDialog))
            app.screen.query_one("#path", Input).value = str(tmp_path / "out.jsonl")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, Confirm), "it asks before it replaces a file")
            await pilot.press("n", "escape")


async def test_the_format_of_what_stood_there_is_not_put_behind_what_is_typed_next(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await add_job(desk, ["a"])
        async with open_app(desk) as (app, pilot):
            await pilot.press("x")
            await until(pilot, lambda: isinstance(app.screen, ExportDialog))
            assert isinstance(app.screen, ExportDialog)
            path = app.screen.path
            path.value = "folder/e.csv"
            app.screen._path_typed()  # the list of formats follows, and tells that it did a moment later
            path.value = "folder/"
            await pilot.pause()
            assert path.value == "folder/", "not folder/.csv"
            app.screen.query_one("#format", Select).value = ResultFormat.PARQUET
            await until(pilot, lambda: path.value.endswith(".parquet"), "a format that is chosen says the ending")


async def test_a_report_is_written_by_two_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, ["a", "b"], name="tickets")
        await (await desk.controller.start(job_id))
        async with open_app(desk) as (app, pilot):
            await pilot.press("R")
            await until(pilot, lambda: isinstance(app.screen, ReportDialog))
            app.screen.query_one("#path", Input).value = str(tmp_path / "out.json")
            await pilot.press("enter")
            await until(pilot, lambda: (tmp_path / "out.json").is_file() and not app.manners.works)
            assert json.loads((tmp_path / "out.json").read_text())


async def test_knobs_are_checked_at_their_field_and_turned_together(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        ids = [await add_job(desk, ["a"], knobs=Knobs(concurrency=8, rpm=rpm)) for rpm in (100, 200)]
        async with open_app(desk) as (app, pilot):
            await pilot.press("space", "space", "s")
            await until(pilot, lambda: isinstance(app.screen, KnobsDialog))
            assert app.screen.query_one("#knob-rpm", Input).placeholder == "they differ"
            app.screen.query_one("#knob-budget_nano", Input).value = "much"
            await pilot.press("enter")
            hint = app.screen.query_one("#hint-budget_nano")
            await until(pilot, lambda: "dollars" in str(hint.render()), "told")
            app.screen.query_one("#knob-budget_nano", Input).value = "2.50"
            app.screen.query_one("#knob-concurrency", Input).value = "auto"
            await pilot.press("enter")
            await until(pilot, lambda: not isinstance(app.screen, KnobsDialog))
            knobs = [(await desk.store.jobs.get(job_id)).knobs for job_id in ids]
            assert knobs == [Knobs(concurrency=None, rpm=rpm, budget_nano=2_500_000_000) for rpm in (100, 200)], (
                "what was not touched stays"
            )
            assert any(f"set {ids[0]} concurrency=auto budget=2.50" in line.text for line in app.log_place.lines), (
                "the command that does the same"
            )


async def test_a_budget_that_is_spent_already_is_told_before_it_is_set(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        for name in ("one", "two"):
            await mixed_job(desk.store, name)  # each has spent $0.021, and has two items pending
        async with open_app(desk) as (app, pilot):
            await pilot.press("s")
            await until(pilot, lambda: isinstance(app.screen, KnobsDialog))
            budget, hint = app.screen.query_one("#knob-budget_nano", Input), app.screen.query_one("#hint-budget_nano")
            budget.value = "0.021"
            await until(pilot, lambda: "! $0.0210 is spent already: it will not go on" in str(hint.render()), "told")
            budget.value = "0.03"
            await until(pilot, lambda: "dollars in all, or none" in str(hint.render()), "there is money left")
            await pilot.press("escape", "space", "space", "s")
            await until(pilot, lambda: isinstance(app.screen, KnobsDialog))
            app.screen.query_one("#knob-budget_nano", Input).value = "0.01"
            hint = app.screen.query_one("#hint-budget_nano")
            await until(pilot, lambda: "spent already: 2 of the 2 jobs will not go on" in str(hint.render()))
            await pilot.press("enter")
            await until(pilot, lambda: not isinstance(app.screen, KnobsDialog))
            assert (await desk.store.jobs.get(1)).knobs.budget_nano == 10_000_000, "it is no mistake"


async def test_the_log_shows_events_and_actions_and_filters_them(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, ["a"], name="tickets")
        await desk.store.events.log(job_id, "error", "[/red]\x1b[2J boom")
        async with open_app(desk) as (app, pilot):
            await pilot.press("plus", "6")
            place = app.query_one(LogPlace)
            await until(pilot, lambda: {line.level for line in place.table.rows} >= {Level.YOU, Level.ERROR})
            assert place.follows
            await pilot.press("slash", *"level:error job:", str(job_id), "enter")
            await until(pilot, lambda: [line.text for line in place.table.rows] == ["[/red]\x1b[2J boom"])
            await pilot.press("escape")
            await until(pilot, lambda: len(place.table.rows) > 1)
            await desk.store.events.log(None, "info", "and on")
            await until(pilot, lambda: place.table.cursor_row is not None and place.table.cursor_row.text == "and on")
            await pilot.press("k")
            await pilot.pause()
            await desk.store.events.log(None, "info", "more")
            await until(pilot, lambda: place.table.rows[-1].text == "more")
            assert not place.follows, "the list stays where the person looks"


async def test_a_stopped_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read = Items.export

    async def slow(self: Items, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async for batch in read(self, *args, **kwargs):
            yield batch
            await asyncio.Event().wait()

    monkeypatch.setattr(Items, "export", slow)
    async with open_test_desk(tmp_path) as desk:
        await add_job(desk, ["a", "b"])
        async with open_app(desk) as (app, pilot):
            await pilot.press("x")
            await until(pilot, lambda: isinstance(app.screen, ExportDialog))
            app.screen.query_one("#path", Input).value = str(tmp_path / "out.jsonl")
            await pilot.press("enter")
            await until(pilot, lambda: any(".part" in name for name in os.listdir(tmp_path)), "it is being written")
            await pilot.press("X")
            await until(pilot, lambda: not app.manners.works)
            assert not any("out.jsonl" in name for name in os.listdir(tmp_path))
