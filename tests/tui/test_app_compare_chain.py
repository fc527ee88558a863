"""Jobs held against each other, and one job's answers as the input of the next, by keys."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import orjson
from app_bench import SIMULATOR, open_app, open_test_desk, spec, until
from item_yard import Yard, done
from rich.cells import cell_len
from textual.widgets import Input

from tui_batch.domain.item import NewRow
from tui_batch.domain.job import Knobs, Mode, ModelRef
from tui_batch.engine.chaining import FORMAT
from tui_batch.store.store import Store
from tui_batch.tui.comparison import comparison_lines
from tui_batch.tui.log_lines import Level
from tui_batch.tui.screens.compare import CompareScreen
from tui_batch.tui.screens.confirm import Confirm
from tui_batch.tui.screens.export import ComparisonDialog
from tui_batch.tui.screens.new_job.screen import NewJobScreen
from tui_batch.tui.tones import styled, styles_of

TEXTS = ("first row", "second [/row]", "third row")


async def answered(store: Store, name: str, answers: tuple[str, ...], **changes: object) -> int:
    """A job over the same three rows with these answers, a model after the other."""
    made = replace(spec(name), **changes)  # type: ignore[arg-type]
    models = len(made.models) if made.mode is Mode.EACH else 1
    job_id = await store.jobs.create(made, Knobs(), now=1_000.0)
    async with store.importing(job_id, variants=models) as importer:
        await importer.add([NewRow(n, f"r{n}", 0, orjson.dumps({"prompt": text})) for n, text in enumerate(TEXTS, 1)])
    ids = [row.id for row in await store.items.page(job_id, limit=99)]
    for item_id, text in zip(ids, answers, strict=True):
        store.writer.record(done(job_id, item_id, text))
    await store.writer.drain()
    return job_id


def done_commands(yard: Yard) -> list[str]:
    return [line.text for line in yard.app.log_place.lines if line.level is Level.YOU]


async def test_two_marked_jobs_are_compared_side_by_side(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await answered(desk.store, "one", ("yes", "no", "[/bold] maybe"))
        await answered(desk.store, "two", ("yes", "yes", "a \x1b[31mlong answer " + "word " * 60))
        async with open_app(desk, (100, 30)) as (app, pilot):
            yard = Yard(app, desk, pilot)
            await yard.press("V")  # one job with one model: told what to do
            await yard.until(lambda: any("Mark two jobs" in str(one.message) for one in app._notifications))
            await yard.press("space", "j", "space", "V")
            await yard.until(lambda: isinstance(app.screen, CompareScreen) and app.screen.found is not None)
            assert "compare 1 2" in done_commands(yard)[-1]
            await yard.until(lambda: "3 rows compared." in yard.text())
            assert re.search(r"nobody wins", yard.text())
            await yard.until(
                lambda: "gpt-4o-mini (job 1) and gpt-4o-mini (job 2) agree in 33.3 % of 3 rows" in yard.text()
            )
            await yard.press("G")
            await yard.until(lambda: "[/bold] maybe" in yard.text() and "a ␛[31mlong answer" in yard.text())
            assert all(cell_len(line) == 100 for line in yard.text().split("\n"))
            await yard.press("x")
            await yard.until(lambda: isinstance(app.screen, ComparisonDialog))
            file = tmp_path / "side by side.jsonl"
            app.screen.query_one("#path", Input).value = str(tmp_path / "no.batch.jsonl")
            await yard.press("enter")
            await yard.until(lambda: "holds one answer a row" in yard.text())
            app.screen.query_one("#path", Input).value = str(file)
            await yard.press("enter")
            await yard.until(file.exists)
            lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
            assert [line["same"] for line in lines] == [True, False, False]
            assert lines[0]["response: gpt-4o-mini (job 2)"] == "yes"
            await yard.until(lambda: "compare 1 2 -o" in done_commands(yard)[-1])
            assert app.manners.prefs.value.folder == str(tmp_path), "the next file is offered there"
            await pilot.resize_terminal(60, 20)
            await yard.until(lambda: isinstance(app.screen, CompareScreen))
            await yard.press("escape")
            await yard.until(lambda: not isinstance(app.screen, CompareScreen))
            assert isinstance(app.screen.focused, type(app.place.query("#job-table").first()))


async def test_the_models_of_a_job_are_compared(tmp_path: Path) -> None:
    models = (ModelRef("small", (SIMULATOR.name,)), ModelRef("large", (SIMULATOR.name,)))
    async with open_test_desk(tmp_path) as desk:
        await answered(desk.store, "each", ("a", "a", "b", "c", "d", "d"), mode=Mode.EACH, models=models)
        async with open_app(desk, (80, 24)) as (app, pilot):
            yard = Yard(app, desk, pilot)
            await yard.press("V")
            await yard.until(lambda: isinstance(app.screen, CompareScreen) and app.screen.found is not None)
            await yard.until(lambda: "small and large agree in 66.7 %" in yard.text())
            screen = app.screen
            assert isinstance(screen, CompareScreen)
            assert screen.found is not None
            for width in (60, 120):  # nothing is wider than the screen, whatever its width
                lines = comparison_lines(screen.found, width)
                figures = [styled(line, styles_of(app.theme_variables)).plain for line in lines]
                assert any("second [/row]" in line for line in figures)


async def test_answers_become_the_input_of_a_new_job(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        first = await answered(desk.store, "one", ('{"tone": "kind"}', "no", "maybe"))
        async with open_app(desk, (100, 30)) as (app, pilot):
            yard = Yard(app, desk, pilot)
            await yard.press("N")
            await yard.until(lambda: isinstance(app.screen, NewJobScreen))
            screen = app.screen
            assert isinstance(screen, NewJobScreen)
            assert screen.form.path == f"job:{first}"
            assert screen.form.prompt == "{{ response }}"
            await yard.until(lambda: screen.facts.drawn is not None)
            assert screen.facts.preview is not None
            assert screen.facts.preview.columns[:3] == ("prompt", "response", "response_fields")
            await yard.until(lambda: "3 rows" in yard.text())
            await yard.until(lambda: screen.expected is not None)
            await yard.press("f2")  # a job file names a file of rows
            await yard.until(lambda: "cannot be saved" in yard.text())
            await yard.press("f6")
            await yard.until(lambda: isinstance(app.screen, Confirm), "it costs money, so it asks")
            await yard.press("y")
            await yard.until(lambda: len(app.view.jobs) == 2)
            await yard.until(lambda: app.view.jobs[0].counters.done == 3)
            made = await desk.store.jobs.get(2)
            assert (made.spec.source.format, made.spec.name) == (FORMAT, f"from job {first}")
            assert f"run --from-job {first}" in done_commands(yard)[-1]


async def test_a_job_is_typed_in_place_of_a_file(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await answered(desk.store, "one", ("yes", "no", "maybe"))
        async with open_app(desk, (100, 30)) as (app, pilot):
            await pilot.press("n")
            await until(pilot, lambda: isinstance(app.screen, NewJobScreen))
            screen = app.screen
            assert isinstance(screen, NewJobScreen)
            screen.query_one("#input-path", Input).value = "job:9"
            await until(pilot, lambda: "There is no job 9" in screen.facts.note or "no job 9" in screen.facts.note)
            screen.query_one("#input-path", Input).value = "job:1"
            await until(pilot, lambda: screen.facts.preview is not None)
            assert [row["response"] for row in screen.facts.preview.rows] == ["yes", "no", "maybe"]  # type: ignore[union-attr]
