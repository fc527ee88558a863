"""What the app says of quality and money while a job runs, and before it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app_bench import open_app, open_test_desk, until
from item_yard import Yard, mixed_job, open_yard
from textual.widgets import Input, Static

from tui_batch.domain.job import NANO, InputSource, JobState
from tui_batch.domain.quality import Check
from tui_batch.domain.spending import CostRange
from tui_batch.engine.snapshot import EngineSnapshot, JobSnapshot, Latency
from tui_batch.inputs.draft import JobDraft
from tui_batch.quality.alerts import Against, Alert, Signal, ToldAlert
from tui_batch.store.alerts import WatchState
from tui_batch.tui.places.items import ItemsPlace
from tui_batch.tui.screens.new_job.fields import AreaField
from tui_batch.tui.screens.new_job.more_sections import RunSection, strategies_text
from tui_batch.tui.screens.new_job.screen import NewJobScreen
from tui_batch.tui.tones import Tone
from tui_batch.tui.view import DayBudget, View
from tui_batch.tui.words import summary
from tui_batch.work.estimating import Estimate
from tui_batch.work.strategies import CONCURRENT, Strategy

ALERT = Alert(Signal.SCORE, Against.START, 0.41, 0.83, 100, (8, 3), (8, 3))


async def test_the_rows_behind_an_alert_are_one_key_away(tmp_path: Path) -> None:
    async with open_yard(tmp_path) as yard:
        await yard.press("W")
        await yard.until(lambda: any("No alert" in str(one.message) for one in yard.app._notifications))
        job = (await yard.desk.store.jobs.list())[0]
        live = JobSnapshot(
            *(job.id, "letters", JobState.RUNNING, None, "", job.knobs, job.counters, 0, 0, 1.0, None, Latency()),
            drift=(ALERT,),
            projected=CostRange(NANO, 2 * NANO, 3 * NANO),
        )
        real = yard.desk.engine.snapshot
        yard.desk.engine.snapshot = lambda: EngineSnapshot((live,), (), "")  # type: ignore[method-assign]
        await yard.until(lambda: "! answers got worse" in yard.text())
        await yard.until(lambda: "0.41 in the last 100 answers, after 0.83 at the start; rows 8, 3" in yard.text())
        await yard.until(lambda: "~$2.00 ($1.00 to $3.00) in all" in yard.text())
        await yard.press("W")
        place = yard.app.query_one(ItemsPlace)
        await yard.until(lambda: place.items is not None and len(place.items) == 2)
        assert place.line.value == "item:3,8"
        told = ToldAlert(replace(ALERT, item_ids=(5,)), 1.0)
        await yard.desk.store.alerts.save([WatchState(job.id, {}, 1.0, (told,), (told.alert.number,))])
        yard.desk.engine.snapshot = real  # type: ignore[method-assign]
        await yard.until(lambda: yard.app.view.job is not None and yard.app.view.job.live is None, "it does not run")
        await yard.press("1")
        await yard.until(lambda: "! answers got worse  ·  W shows the rows" in yard.text(), "told of a job that stands")
        await yard.press("W")
        await yard.until(lambda: place.line.value == "item:5", "what is stored is found when it does not run too")


async def test_the_budget_of_a_day_stands_in_the_title_line(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await mixed_job(desk.store)
        capped = replace(desk, settings=replace(desk.settings, day_budget_nano=5 * NANO))
        async with open_app(capped) as (app, pilot):
            yard = Yard(app, capped, pilot)
            await yard.until(lambda: "$0.0210 of $5.00 today" in yard.text().split("\n")[0])
    nearly = View(0.0, day=DayBudget(100, 95))
    assert summary(nearly)[-1][1] is Tone.WARN


def test_no_budget_of_a_day_is_not_told() -> None:
    assert summary(View(0.0)) == (("idle", Tone.MUTED),)


def test_the_ways_to_run_are_compared_in_three_lines() -> None:
    cost, half = CostRange(0, 0, 0), CostRange(NANO // 2, NANO // 2, NANO // 2)
    ways = (
        Strategy("one by one", cost, 7_200.0, 0, "1.0 s a request"),
        Strategy(CONCURRENT, cost, 120.0, 0, "500 RPM hold it back"),
        Strategy("provider batch", half, 86_400.0, 0, "half the price"),
    )
    lines = strategies_text(Estimate(1, True, 1, 0, "", (), ways)).plain.split("\n")
    assert len(lines) == 3
    assert lines[1].startswith("✓ concurrent")
    assert "~2:00  500 RPM hold it back" in lines[1]  # it costs what the whole is said to cost: no figure twice
    assert "~$0.5000  half the price" in lines[2]


async def test_the_form_names_ways_and_checks(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("prompt\nhello\nthere\n")
    draft = JobDraft(InputSource(str(path), ""), "rows", checks=(Check("labels", ["a"], field="tone"),))
    async with open_test_desk(tmp_path) as desk, open_app(desk, (120, 40)) as (app, pilot):
        screen = NewJobScreen(desk, draft)
        app.push_screen(screen)
        await until(pilot, lambda: screen.is_current and screen.facts.drawn is not None)
        checks = screen.query_one("#field-checks", AreaField)
        assert checks.text == "- labels:\n  - a\n  field: tone\n"
        checks.text = "- not_empty\n- lables: [a]"
        await until(pilot, lambda: checks.problem.startswith("line 2: lables "), "the mistake, at its line")
        checks.text = "- not_empty"
        await until(pilot, lambda: not checks.problem and screen.form.checks == "- not_empty")
        screen.query_one("#input-models", Input).value = "gpt-4o-mini @ simulator"
        await until(pilot, lambda: screen.expected is not None)
        ways = screen.query_one(RunSection).query_one("#ways", Static)
        await until(pilot, lambda: "one by one" in str(ways.render()))
        assert "provider batch" in str(ways.render())
