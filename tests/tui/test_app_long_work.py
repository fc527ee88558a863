"""What takes long in the app: told in the title line, stopped by a key, several at once; and what is written down."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from app_bench import open_app, open_test_desk, until
from item_yard import open_yard
from textual.widgets import Input, Select

from tui_batch import paths
from tui_batch.cli.opening import log_file
from tui_batch.cli.opening import run as run_command
from tui_batch.store.jobs import Jobs
from tui_batch.tui.long_work import LongWork
from tui_batch.tui.places.errors import ErrorsPlace
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.export import ExportDialog
from tui_batch.tui.widgets.frame import TitleLine


def test_works_that_overlap_leave_the_title_as_it_was() -> None:
    said: list[str] = []
    works = LongWork(said.append)
    first, second = works.shown("first", 10), works.shown("second", None)
    one = first.__enter__()
    two = second.__enter__()
    two(1_200)
    assert said[-1] == "second 1,200, and 1 more"
    one(5)
    first.__exit__(None, None, None)
    assert said[-1] == "second 1,200"
    second.__exit__(None, None, None)
    assert said[-1] == ""
    two(1_300)  # another thread told it, and it is heard after the end
    assert said[-1] == ""


@pytest.mark.parametrize(("key", "verb"), [("D", "delete"), ("c", "clone_rows")])
async def test_deleting_and_copying_can_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, verb: str
) -> None:
    real, begun = getattr(Jobs, verb), asyncio.Event()

    async def slow(jobs: Jobs, *args: object, **options: object) -> object:
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        return await real(jobs, *args, **options)

    async with open_yard(tmp_path) as yard:
        monkeypatch.setattr(Jobs, verb, slow)
        await yard.press(key)
        if key == "D":
            await yard.until(lambda: isinstance(yard.app.screen, Confirm))
            await yard.press("y")
        await yard.until(begun.is_set)
        title = yard.app.query_one(TitleLine)
        await yard.until(lambda: "#1" in str(title.left), "it is told")
        await yard.press("X")
        await yard.until(lambda: not yard.app.manners.works)
        assert "#1" not in str(title.left)
        assert [job.id for job in await yard.desk.store.jobs.list()] == [1]
        assert not any(line.level == "you" for line in yard.app.log_place.lines)


async def test_the_marked_groups_of_errors_are_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_yard(tmp_path) as yard:
        await yard.press("3")
        place = yard.app.query_one(ErrorsPlace)
        await yard.until(lambda: len(place.table.rows) == 2)
        assert str(place.export_scopes()[0]).startswith("timeout: ")  # the group under the cursor
        await yard.press("space", "j", "space", "x")
        await yard.until(lambda: isinstance(yard.app.screen, ExportDialog))
        options = yard.app.screen.query_one("#scope", Select)
        assert str(options.selection) == "0"
        assert place.export_scopes()[0].count == 4
        assert str(place.export_scopes()[0]) == "2 marked groups (4)"
        yard.app.screen.query_one("#path", Input).value = str(tmp_path / "dead.jsonl")
        await yard.press("enter")
        await yard.until(lambda: (tmp_path / "dead.jsonl").is_file() and not yard.app.manners.works)
        assert len((tmp_path / "dead.jsonl").read_text().splitlines()) == 4
        done = [line.text for line in yard.app.log_place.lines if line.level == "you"]
        assert "--filter like:7,10" in done[-1].replace("'", "")


def test_what_is_done_in_the_app_is_in_the_log_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "log_dir", lambda: tmp_path)

    async def work() -> None:
        async with open_test_desk(tmp_path) as desk, open_app(desk) as (app, pilot):
            app.record("pause", "7")
            logging.getLogger("tui_batch.other").info("chatter")
            await until(pilot, lambda: bool(app.log_place.lines))

    run_command(work())
    text = log_file().read_text()
    assert "pause 7" in text
    assert "chatter" not in text
