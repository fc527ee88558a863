"""The place of the endpoints: what it shows, and what a person does there while a job runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from app_bench import SIMULATOR, add_job, open_app, open_test_desk, until
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Input, Static

from tui_batch.domain.job import Knobs
from tui_batch.engine.snapshot import EngineSnapshot, Hold, LaneLimits, LaneSnapshot, Latency
from tui_batch.tui.app import BatchApp
from tui_batch.tui.places.endpoints import EndpointsPlace, rows_of, told
from tui_batch.tui.screens.limits import LimitsDialog, read_limit
from tui_batch.tui.tones import Tone
from tui_batch.tui.view import View
from tui_batch.tui.widgets.gauges import gauges_of, health, lane_line
from tui_batch.tui.widgets.status_line import StatusLine
from tui_batch.work.reach import Reachable


def lane(**changes: object) -> LaneSnapshot:
    """A deployment that works."""
    usual: dict[str, object] = {
        "endpoint": "one", "model": "m", "in_flight": 3, "limit": None, "breaker": "closed", "rpm": 500,
        "rpm_used": 120, "tpm": None, "tpm_used": 900, "rpd": None, "rpd_used": 0, "learned": False,
        "pace_per_s": None, "latency": Latency(1.0, 2.0, 3.0), "tokens_per_s": 50.0, "closed": "",
    }  # fmt: skip
    return LaneSnapshot(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "words", "tone"),
    [
        (lane(), "● working", Tone.GOOD),
        (lane(in_flight=0), "○ idle", Tone.MUTED),
        (lane(breaker="open", breaker_s=4.4), "✗ breaker open, 4 s", Tone.BAD),
        (lane(breaker="half_open"), "‖ breaker probes", Tone.WARN),
        (lane(hold=Hold("Retry-After", 12.0)), "‖ Retry-After, 12 s", Tone.WARN),
        (lane(hold=Hold("pace", 0.1)), "● working", Tone.GOOD),
        (lane(closed="the key was refused"), "✗ not used", Tone.BAD),
        (lane(closed="the key was refused", is_off=True), "– switched off", Tone.WARN),
    ],
)
def test_health_is_a_glyph_and_a_word(one: LaneSnapshot, words: str, tone: Tone) -> None:
    assert health(one) == (words, tone)


def test_limits_that_the_server_taught_are_marked() -> None:
    own = lane(own=LaneLimits(rpm=500))
    assert [gauge.words for gauge in gauges_of(own)] == ["120/500", "900", "3"]
    taught = lane(own=LaneLimits(rpm=800), tpm=20_000, limit=6)
    assert [gauge.words for gauge in gauges_of(taught)] == ["120/500 learned", "900/20.0k learned", "3/6 auto"]


@given(st.integers(10, 200), st.text(max_size=60))
def test_a_gauge_line_names_every_figure_at_any_width(width: int, model: str) -> None:
    line = lane_line(lane(model=model), width).plain
    assert "RPM" in line
    assert "120/500" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        (" 500 ", 500),
        ("20,000", 20_000),
        ("20k", 20_000),
        ("2M", 2_000_000),
        ("1_000", 1000),
        ("1.5k", 1500),
    ],
)
def test_a_limit_is_read_as_people_write_it(text: str, value: int | None) -> None:
    assert read_limit(text) == value


@pytest.mark.parametrize("text", ["0", "-5", "ten", "1.5", "k", "5kk"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="whole number of at least 1"):
        read_limit(text)


def test_endpoints_that_no_job_uses_come_after_those_in_use() -> None:
    known = [Reachable(replace(SIMULATOR, name=name), status, "known") for name, status in STATUSES.items()]
    view = View(0.0, engine=EngineSnapshot((), (lane(),), "", frozenset({"idle"})))
    rows = rows_of(view, known, unusable=lambda found: found.status == "key missing")
    assert [(row.key, row.health[0]) for row in rows] == [
        (("one", "m"), "● working"),
        (("idle", ""), "– switched off"),
        (("local", ""), "○ runs here"),
    ]


STATUSES = {"one": "ready", "idle": "ready", "local": "running", "hosted": "key missing"}


def place(app: BatchApp) -> EndpointsPlace:
    return app.query_one(EndpointsPlace)


def detail(app: BatchApp) -> str:
    """What stands under the list."""
    return str(place(app).query_one("#endpoint-detail", Static).content)


def used(app: BatchApp) -> LaneSnapshot:
    """The one deployment."""
    (one,) = app.desk.engine.snapshot().lanes
    return one


async def test_an_endpoint_is_tested_switched_off_and_limited_while_a_job_runs(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await desk.controller.start(await add_job(desk, [f"n {n}" for n in range(500)], knobs=Knobs(concurrency=4)))
        async with open_app(desk, size=(100, 30)) as (app, pilot):
            await pilot.press("4")
            await until(pilot, lambda: "gpt-4o-mini @ simulator" in detail(app), "the deployment")
            await pilot.press("t")
            await until(pilot, lambda: "answered in" in detail(app) and "gpt-4o" in detail(app), "the test")
            await pilot.press("o")
            await until(pilot, lambda: used(app).is_off and used(app).in_flight == 0, "switched off")
            sent = used(app).requests
            await until(pilot, lambda: "switched off" in detail(app), "told")
            line = app.query_one(EndpointsPlace).query_one(StatusLine)
            await until(pilot, lambda: "simulator is off  until the app closes" in str(line.render()), "how long")
            assert used(app).requests == sent
            await pilot.press("o")
            await until(pilot, lambda: used(app).requests > sent, "goes on")
            await until(pilot, lambda: not line.display, "and the line is gone")
            await pilot.press("l")
            await until(pilot, lambda: isinstance(app.screen, LimitsDialog), "the dialog")
            await pilot.press("x", "enter")
            trouble = app.screen.query_one("#trouble", Static)
            await until(pilot, lambda: "requests a minute: must be a whole number" in str(trouble.content), "told")
            await pilot.press("down", "down", "up")
            await until(pilot, lambda: getattr(app.focused, "id", "") == "tpm", "arrows go from field to field")
            app.screen.query_one("#rpm", Input).value = "600"
            app.screen.query_one("#max_in_flight", Input).value = "2"
            await pilot.press("enter")
            await until(pilot, lambda: used(app).own == LaneLimits(rpm=600, max_in_flight=2), "the limits")
            await until(pilot, lambda: "/600" in detail(app), "shown")
            await until(pilot, lambda: "gpt-4o-mini @ simulator: " in str(line.render()), "what was changed here")
            await pilot.press("6")
            await until(pilot, lambda: switched(app) == ["simulator is switched off", "simulator is switched on"])


def switched(app: BatchApp) -> list[str]:
    """What the log says of endpoints that were switched off and on."""
    return [one.text for one in app.log_place.lines if "simulator is" in one.text]


def test_what_an_endpoint_says_is_told_whole() -> None:
    words = f"cannot connect: {'a cause ' * 12}at the end"
    lines = [line.plain for line in told("test  ", words, "", 60)]
    assert " ".join(line[6:] for line in lines) == words
    assert [line[:6] for line in lines] == ["test  ", "      ", "      "]
    assert max(map(len, lines)) <= 60


async def test_a_bad_address_in_the_environment_is_said_and_the_app_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://[broken")
    async with open_test_desk(tmp_path) as desk:
        await add_job(desk, ["a"])
        async with open_app(desk, size=(100, 30)) as (app, pilot):
            await pilot.press("4")
            await until(pilot, lambda: app.place.NAME == "endpoints", "the place")
            await until(pilot, lambda: all(work.group != "endpoints-look" for work in app.workers), "the look")
            await until(pilot, lambda: any("broken" in note.message for note in app._notifications), "the toast")


async def test_known_endpoints_are_listed_and_those_without_a_key_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MISTRAL_API_KEY", "made-up-and-secret")
    async with open_test_desk(tmp_path) as desk, open_app(desk, size=(100, 30)) as (app, pilot):
        await pilot.press("4")
        listed = place(app).table
        await until(pilot, lambda: "mistral" in [row.endpoint for row in listed.rows], "the known ones")
        assert listed.rows[0].endpoint == "simulator"
        assert "groq" not in [row.endpoint for row in listed.rows]
        await pilot.press("a")
        await until(pilot, lambda: "groq" in [row.endpoint for row in listed.rows], "those without a key")
        listed.move_to(("groq", ""))
        await until(pilot, lambda: "set GROQ_API_KEY" in detail(app), "what to do")
        listed.move_to(("mistral", ""))
        await until(pilot, lambda: "env:MISTRAL_API_KEY" in detail(app), "where its key is")
        assert "made-up-and-secret" not in detail(app)
        await pilot.press("l")
        assert len(app.screen_stack) == 1
        await pilot.press("o")
        await until(pilot, lambda: "mistral" in app.desk.engine.snapshot().off, "off before it is used")
