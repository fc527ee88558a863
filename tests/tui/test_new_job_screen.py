"""The New job screen as a person uses it: from a file to a running job, and every way it can go wrong."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from app_bench import open_app, open_test_desk, until
from textual.app import App
from textual.containers import VerticalScroll
from textual.pilot import Pilot
from textual.widgets import Button, DataTable, Input, OptionList, Static

from tui_batch.domain.job import JobState, ModelRef
from tui_batch.engine import importing
from tui_batch.inputs.importing import Batch
from tui_batch.inputs.job_file import load_job_draft
from tui_batch.inputs.rows import Read
from tui_batch.quality.kinds import KINDS
from tui_batch.tui.app import BatchApp
from tui_batch.tui.desk import Desk
from tui_batch.tui.quick_keys import QuickKeys
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.new_job import NewJobScreen, form_screen
from tui_batch.tui.screens.new_job.asking import PathScreen
from tui_batch.tui.screens.new_job.fields import Field
from tui_batch.tui.widgets.area import Area
from tui_batch.tui.widgets.frame import Hints


class Bench:
    """The screen, its app and the keys."""

    def __init__(self, app: App[Any], pilot: Pilot[Any], screen: NewJobScreen) -> None:
        self.app = app
        self.pilot = pilot
        self.screen = screen
        self.desk = screen.desk

    def field(self, name: str) -> Field:
        return self.screen.query_one(f"#field-{name}", Field)

    def words(self, selector: str) -> str:
        return str(self.screen.query_one(selector, Static).render())

    async def typed(self, name: str, text: str) -> None:
        """As if pasted into the field."""
        self.field(name).text = text
        await until(self.pilot, lambda: getattr(self.screen.form, name) == text)

    async def chosen(self, path: Path, rows: int) -> None:
        await self.typed("path", str(path))
        await until(self.pilot, lambda: self.screen.facts.drawn is not None, "counted")
        assert self.screen.facts.drawn is not None
        assert self.screen.facts.drawn.total == rows

    async def ready(self, path: Path, rows: int) -> None:
        """A form that can be run."""
        await self.chosen(path, rows)
        await self.typed("models", "gpt-4o-mini @ simulator")
        await until(self.pilot, lambda: self.screen.expected is not None, "reckoned")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()


class Alone(QuickKeys[None]):
    """The screen without the places behind it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk

    def on_mount(self) -> None:
        self.push_screen(NewJobScreen(self.desk))


@asynccontextmanager
async def new_job(folder: Path, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Bench]:
    """The screen in an app of its own."""
    async with open_test_desk(folder) as desk:
        app = Alone(replace(desk, is_demo=True))
        async with app.run_test(size=size) as pilot:
            yield await opened(app, pilot)


@asynccontextmanager
async def in_the_app(folder: Path) -> AsyncIterator[tuple[Bench, BatchApp]]:
    """The screen, opened by its key."""
    async with open_test_desk(folder) as desk, open_app(replace(desk, is_demo=True), (80, 24)) as (app, pilot):
        await pilot.press("n")
        yield await opened(app, pilot), app


async def opened(app: App[Any], pilot: Pilot[Any]) -> Bench:
    await until(pilot, lambda: isinstance(app.screen, NewJobScreen), "opened")
    await until(pilot, lambda: isinstance(app.screen.focused, Input), "ready to be typed into")
    assert isinstance(app.screen, NewJobScreen)
    return Bench(app, pilot, app.screen)


def tickets(folder: Path, rows: int = 30) -> Path:
    path = folder / "tickets.csv"
    lines = [f"{number},message number {number}" for number in range(rows)]
    path.write_text("\n".join(["id,text", *lines]) + "\n", encoding="utf-8")
    return path


async def test_what_is_typed_while_the_file_is_read_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with new_job(tmp_path) as at:
        read, named = form_screen.first_rows, form_screen.with_row_model

        async def typing_a_prompt(*about: Any) -> Any:
            rows = await read(*about)
            at.field("prompt").text = "mine"
            return rows

        def typing_a_model(draft: Any) -> Any:
            at.app.call_from_thread(setattr, at.field("models"), "text", "mine @ simulator")
            return replace(named(draft), models=(ModelRef("another", ("simulator",)),))

        monkeypatch.setattr(form_screen, "first_rows", typing_a_prompt)
        monkeypatch.setattr(form_screen, "with_row_model", typing_a_model)
        await at.chosen(tickets(tmp_path), rows=30)
        assert (at.field("prompt").text, at.field("models").text) == ("mine", "mine @ simulator")


async def test_from_a_file_to_a_running_job_and_to_another_like_it(tmp_path: Path) -> None:
    path = tickets(tmp_path)
    async with in_the_app(tmp_path) as (at, app):
        at.field("path").text = str(path)[:-3]
        await until(at.pilot, lambda: at.screen.query_one("#file OptionList", OptionList).option_count == 1)
        await at.press("down", "enter")
        await until(at.pilot, lambda: at.screen.facts.drawn is not None, "counted")
        assert "30 rows" in at.words("#facts")
        assert at.screen.query_one(DataTable).row_count == 30
        assert at.screen.form.prompt == "{{ text }}"
        await at.press("f8", "f8", *"mini")
        await until(
            at.pilot, lambda: at.screen.query_one("#models OptionList", OptionList).option_count == 2, "offered"
        )
        await at.press("down", "enter")
        await until(at.pilot, lambda: at.screen.form.models == "gpt-4o-mini @ simulator", "chosen")
        await at.press("f5")
        await until(at.pilot, lambda: "10 answered" in at.words("#status"), "tried")
        assert "message number" in at.words("#answers")
        assert "from the cache" in at.words("#status")
        assert isinstance(at.screen.focused, Button)
        read = at.screen.query_one("#read", VerticalScroll)
        await at.press("end")
        await until(at.pilot, lambda: read.scroll_y == read.max_scroll_y > 0, "the last answer is read")
        await at.press("home")
        await until(at.pilot, lambda: read.scroll_y == 0, "the first again")
        await at.press("f6")
        await until(at.pilot, lambda: isinstance(app.screen, Confirm), "asked")
        await at.press("y")
        await until(at.pilot, lambda: not isinstance(app.screen, NewJobScreen | Confirm), "left")
        trial, job = await at.desk.store.jobs.list()
        assert (trial.counters.total, job.counters.total) == (10, 30)
        assert job.state in (JobState.RUNNING, JobState.COMPLETED)
        await until(at.pilot, lambda: app.view.job is not None and app.view.job.id == job.id, "selected")
        await until(at.pilot, lambda: app.view.job.counters.done == 30, "done")  # type: ignore[union-attr]
        assert (await at.desk.store.jobs.get(job.id)).counters.cached == 10
        await at.press("E")
        copy = await opened(app, at.pilot)
        assert (copy.screen.form.prompt, copy.screen.form.models) == ("{{ text }}", "gpt-4o-mini @ simulator")
        assert copy.screen.form.name == "tickets (copy)"
        await at.press("escape")
        await until(at.pilot, lambda: len(app.screen_stack) == 1, "nothing was typed, nothing is asked")
        await at.press("n")
        again = await opened(app, at.pilot)
        listed = again.screen.query_one("#file OptionList", OptionList)
        await until(at.pilot, lambda: listed.option_count > 0, "listed")
        names = [str(listed.get_option_at_index(n).prompt) for n in range(listed.option_count)]
        assert [name.split("  ")[0] for name in names if "tickets.csv" in name] == [f"≡ {path}"], "recent, listed once"


async def test_half_a_name_is_completed_by_tab_and_taken_by_enter(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    path, near = tickets(tmp_path / "deep"), tmp_path / "deep" / "times.csv"
    near.write_text("text\none\n", encoding="utf-8")
    async with new_job(tmp_path) as at:
        listed = at.screen.query_one("#file OptionList", OptionList)

        async def half(text: str, found: int) -> None:
            at.field("path").text = text
            listed.clear_options()
            await until(at.pilot, lambda: listed.option_count == found, "listed")

        await half(str(tmp_path / "de"), 1)
        await at.press("tab")
        await until(at.pilot, lambda: at.field("path").text == str(tmp_path / "deep") + os.sep)
        await half(str(tmp_path / "deep" / "t"), 2)
        await at.press("tab")
        await until(at.pilot, lambda: at.field("path").text == str(tmp_path / "deep" / "ti"))
        await at.press("enter")
        await until(at.pilot, lambda: at.screen.focused is listed, "of two, one is to be chosen")
        assert listed.highlighted == 0
        await at.press("up")
        await half(str(tmp_path / "deep" / "tic"), 1)
        await at.press("enter")
        await until(at.pilot, lambda: at.screen.facts.drawn is not None, "taken")
        assert at.field("path").text == str(path)
        await at.press("enter")
        await until(at.pilot, lambda: at.screen.focused is at.field("prompt").query_one(Area), "on to the prompt")
        await at.press("f8", *"4o-mini")
        models = at.screen.query_one("#models OptionList", OptionList)
        await until(at.pilot, lambda: models.option_count == 1, "offered")
        await at.press("enter")
        await until(at.pilot, lambda: at.screen.form.models == "gpt-4o-mini @ simulator", "taken")


async def test_what_is_missing_is_told_at_its_field(tmp_path: Path) -> None:
    async with new_job(tmp_path) as at:
        assert at.field("path").problem == ""
        await at.press("f6")
        await until(at.pilot, lambda: at.field("path").problem == "choose a file", "told")
        assert at.screen.focused is at.field("path").query_one(Input)
        await at.chosen(tickets(tmp_path), 30)
        await at.press("f6")
        await until(at.pilot, lambda: at.screen.focused is at.field("models").query_one(Input), "at the models")
        assert "at least one model" in at.field("models").problem
        await at.typed("rpm", "many")
        assert "whole number" in at.field("rpm").problem
        await at.typed("rpm", "60")
        assert at.field("rpm").problem == ""
        await at.press("f8")
        await until(at.pilot, lambda: at.screen.focused is at.field("concurrency").query_one(Input), "at the limits")
        await at.press("down", "down", "up")
        await until(at.pilot, lambda: at.screen.focused is at.field("rpm").query_one(Input), "one further")
        await at.press("f8")
        await until(at.pilot, lambda: "tab, then enter" in at.words("#checks-how"), "how checks are chosen")
        await at.press("tab", "down")
        _, kind, *_ = KINDS.values()
        await until(at.pilot, lambda: kind.meaning in at.words("#checks-how"), "what a kind of check means, whole")
        await at.typed("models", "gpt @ nowhere")
        await at.press("f5")
        await until(at.pilot, lambda: "no endpoint named nowhere" in at.field("models").problem, "told")
        assert await at.desk.store.jobs.list() == []


async def test_the_prompt_is_shown_filled_in(tmp_path: Path) -> None:
    async with new_job(tmp_path) as at:
        await at.chosen(tickets(tmp_path), 30)
        await at.typed("system", "Be brief.")
        await at.typed("prompt", "Sort: {{ text }}")
        await until(at.pilot, lambda: "Sort: message number 0" in at.words("#messages"))
        assert "Be brief." in at.words("#messages")
        assert "~17 tokens" in at.words("#row")
        await at.press("f10", "f10")
        await until(at.pilot, lambda: "Sort: message number 2" in at.words("#messages"))
        await at.press("f9")
        await until(at.pilot, lambda: "Sort: message number 1" in at.words("#messages"))
        await at.typed("prompt", "Sort: {{ txt }}")
        await until(at.pilot, lambda: "did you mean `text`" in at.words("#messages"))
        await until(at.pilot, lambda: "no row has a column `txt`" in at.field("prompt").problem, "told at its field")
        await until(at.pilot, lambda: "nothing is wrong: Prompt, Models" in at.words("#limits ExpectedView"))
        await at.press("f8", "f6")
        await until(at.pilot, lambda: at.screen.focused is at.field("prompt").query_one(Area), "nothing is made of it")
        await at.typed("prompt", "Sort: {{ text")
        await until(at.pilot, lambda: "line 1" in at.words("#messages"))
        assert "line 1" in at.field("prompt").problem
        await at.typed("prompt", "Number : ")
        await at.press("f4")
        await at.press("enter")
        await until(at.pilot, lambda: "{{ id }}" in at.screen.form.prompt, "a column is inserted")


async def test_files_of_all_kinds_are_looked_at_safely(tmp_path: Path) -> None:
    path = tmp_path / "bad[red].jsonl"
    text = "[/foo] \\u001b[31mred \\u202egnp [link=http://x]y[/link]"
    path.write_text(f'{{"[/b]": 1, "text": "{text}"}}\n', encoding="utf-8")
    async with new_job(tmp_path) as at:
        await at.chosen(path, 1)
        await until(at.pilot, lambda: "[/foo]" in at.words("#messages"))
        assert "\x1b" not in at.words("#messages")
        assert "<U+202E>" in at.words("#messages")
        assert "[/b]" in at.words("#facts")
        await at.typed("models", "[/x] @ [bold")
        assert "[/x] @ [bold" in at.words("#told")
        assert "bad[red]" in at.words("#title")
        await at.typed("path", "~nobody-here/rows.csv")
        await until(at.pilot, lambda: "no such file" in at.words("#facts"))
        sheet = tmp_path / "sheet.xlsx"
        sheet.write_bytes(b"PK")
        await at.typed("path", str(sheet))
        await until(at.pilot, lambda: "Save the sheet as CSV" in at.words("#facts"))
        assert "cannot be read" in at.field("path").problem
        await at.typed("path", str(tmp_path / "none.csv"))
        await until(at.pilot, lambda: "no such file" in at.words("#facts"))
        assert at.field("path").problem == ""  # it may still be being typed
        await at.press("f5")
        await until(at.pilot, lambda: "no such file" in at.field("path").problem, "told")
        batch = tmp_path / "batch.jsonl"
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
        line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
        batch.write_text(json.dumps(line) + "\n", encoding="utf-8")
        await at.typed("models", "")
        await at.typed("path", str(batch))
        await until(at.pilot, lambda: at.screen.form.models == "gpt-4o-mini", "the rows name their model")


async def test_a_job_file_is_saved_asked_about_and_loaded(tmp_path: Path) -> None:
    async with new_job(tmp_path) as at:
        await at.ready(tickets(tmp_path), 30)
        await at.typed("rpm", "60")
        await at.press("f2")
        await until(at.pilot, lambda: isinstance(at.app.screen, PathScreen))
        await at.press("enter")
        await until(at.pilot, lambda: "Saved" in at.words("#status"))
        saved = tmp_path / "tickets.yaml"
        assert "input: tickets.csv" in saved.read_text(encoding="utf-8")
        assert load_job_draft(saved).rpm == 60
        await at.typed("rpm", "90")
        for answer, expected in (("n", 60), ("y", 90)):
            await at.press("f2")
            await until(at.pilot, lambda: isinstance(at.app.screen, PathScreen))
            await at.press("enter")
            await until(at.pilot, lambda: isinstance(at.app.screen, Confirm), "asked")
            await at.press(answer)
            await until(at.pilot, lambda: at.words("#status").startswith(("Nothing", "✓ Saved")))
            assert load_job_draft(saved).rpm == expected
        await at.typed("rpm", "7")
        for nowhere, words in (("/", "names no file"), ("~nobody-here/job", "no home directory")):
            await at.press("f3")
            await until(at.pilot, lambda: isinstance(at.app.screen, PathScreen))
            at.app.screen.query_one(Input).value = nowhere
            await at.press("enter")
            await until(at.pilot, lambda words=words: words in at.words("#status"))
        await at.press("f3")
        await until(at.pilot, lambda: isinstance(at.app.screen, PathScreen))
        at.app.screen.query_one(Input).value = str(saved)
        await at.press("enter")
        await until(at.pilot, lambda: isinstance(at.app.screen, Confirm), "what is typed would be lost")
        await at.press("y")
        await until(at.pilot, lambda: at.screen.form.rpm == "90", "loaded")


async def test_leaving_asks_only_when_something_was_typed(tmp_path: Path) -> None:
    async with new_job(tmp_path) as at:
        await at.press("x", "escape")
        await until(at.pilot, lambda: isinstance(at.app.screen, Confirm), "asked")
        await at.press("enter")
        await until(at.pilot, lambda: at.app.screen is at.screen, "stayed")
        await at.press("backspace", "escape")
        await until(at.pilot, lambda: at.app.screen is not at.screen, "left")
        assert not isinstance(at.app.screen, Confirm)


async def test_reading_a_large_file_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    read_on = importing.batches

    def slow(rows: Iterable[Read], size: int) -> Iterator[Batch]:
        for number, batch in enumerate(read_on(rows, size)):
            assert number == 0 or goes_on.wait(150)
            yield batch

    monkeypatch.setattr(importing, "batches", slow)
    async with new_job(tmp_path) as at:
        await at.ready(tickets(tmp_path, 5_000), 5_000)
        await at.press("f6")
        await until(at.pilot, lambda: isinstance(at.app.screen, Confirm), "asked")
        await at.press("y")
        await until(at.pilot, lambda: at.words("#status").startswith("Reading: 2,000"), "reading")
        hints = at.screen.query_one(Hints)
        await until(at.pilot, lambda: [(one.shown, one.label) for one in hints.hints()][:1] == [("esc", "stop")])
        await at.press("escape")
        await until(at.pilot, lambda: at.words("#status").startswith("Stop"), "the app is live")
        goes_on.set()
        await until(at.pilot, lambda: at.words("#status") == "Stopped.", "stopped")
        await until(at.pilot, lambda: ("esc", "leave") in [(one.shown, one.label) for one in hints.hints()])
        assert await at.desk.store.jobs.list() == []
        assert at.app.screen is at.screen
