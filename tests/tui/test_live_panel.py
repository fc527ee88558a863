"""The live panel: what it says of a job in every state, in whatever room there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from app_bench import add_job, open_app, open_test_desk, spec, until
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.job import NANO, OWNER_GONE, Counters, Job, JobState, Knobs, Owner, PauseReason
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.engine.snapshot import EngineSnapshot, Hold, JobSnapshot, LaneLimits, LaneSnapshot, Latency
from tui_batch.quality.alerts import Against, Alert, Signal, ToldAlert
from tui_batch.tui.history import History
from tui_batch.tui.view import JobView, View
from tui_batch.tui.widgets.charts import Glyphs
from tui_batch.tui.widgets.live_panel import Frame, LivePanel, arrangement, dot_s, draw_pictures, draw_words

COUNTERS = Counters(
    total=1000, done=400, dead=10, pending=590, cached=100, requests=450, tokens_in=40_000, tokens_out=9_000,
    cost_nano=2 * NANO, saved_nano=NANO // 2,
)  # fmt: skip
LANE = LaneSnapshot(
    "simulator", "gpt-4o-mini", 8, None, "closed", 500, 482, 200_000, 121_000, None, 0, True, None,
    Latency(1.0, 2.0, 3.0), 900.0, "", own=LaneLimits(rpm=500),
)  # fmt: skip
LIVE = JobSnapshot(
    1, "tickets", JobState.RUNNING, None, "", Knobs(concurrency=8, budget_nano=5 * NANO, rpm=900), COUNTERS, 8, 3,
    12.5, 47.0, Latency(1.0, 2.0, 3.0), {OutcomeClass.TIMEOUT: 2, OutcomeClass.RATE_LIMITED: 30}, Hold("TPM", 12.0),
    Latency(1.1, 2.2, 3.3), rpm_used=450, score_mean=0.87,
)  # fmt: skip
JOB = Job(
    1, spec(), LIVE.knobs, JobState.RUNNING, None, "", COUNTERS, Owner("box", 4242, "x"), None, 900.0, 1000.0, None
)


def view(job: Job = JOB, live: JobSnapshot | None = LIVE, seconds: int = 30, *lanes: LaneSnapshot) -> View:
    """The job, watched for so long."""
    history = History()
    for second in range(seconds):
        counters = replace(COUNTERS, done=400 + 12 * second, tokens_in=40_000 + 900 * second)
        if live is None:
            history.add_counters(1000.0 + second, counters)
        else:
            history.add(1000.0 + second, replace(live, counters=counters))
    elsewhere = live is None and job.state is JobState.RUNNING
    shown = JobView(job, live, elsewhere, rate=12.5, eta_s=47.0)
    return View(1000.0 + seconds, (shown,), 1, EngineSnapshot((), lanes or (LANE,), ""), {1: history})


def text(shown: View, width: int = 118, height: int = 24, glyphs: Glyphs = Glyphs.UNICODE) -> list[str]:
    """Words and pictures as the panel puts them together."""
    words = draw_words(shown, Frame(width, height, glyphs))
    job = shown.job
    assert job is not None
    rest = Frame(width, height - len(words), glyphs)
    lines = [*words, *draw_pictures(job, shown.history.get(1), rest)]
    assert len(lines) <= height
    assert all(line.cell_length <= width for line in lines)
    return [line.plain for line in lines]


@pytest.mark.parametrize(
    "words",
    [
        "● running  tickets",
        "41 %",
        "300 done",
        "100 cached",
        "10 dead",
        "8 in flight",
        "582 pending",
        "12.5/s",
        "~47 s left",
        "waiting for TPM, 12 s",
        "3 to be retried",
        "$2.00 spent",
        "about $4.88 in all",
        "cap $5.00",
        "cache hits 25 %",
        "p50 1.1 s  p95 2.2 s  p99 3.3 s",
        "450/900",
        "482/500",
        "121k/200k learned",
        "rate limited ██████",
        "mean score 0.87 of 1",
        "items a second",
    ],
)
def test_the_design_size_tells_everything(words: str) -> None:
    assert any(words in line for line in text(view()))


def test_a_job_that_its_budget_paused_says_that_it_must_be_raised_first() -> None:
    paused = replace(JOB, state=JobState.PAUSED, reason=PauseReason.BUDGET, owner=None)
    assert any(
        "paused for the budget  ·  s raises it  ·  p resumes it then" in line for line in text(view(paused, None))
    )


def test_a_priority_is_told_where_there_is_one() -> None:
    assert "priority" not in text(view())[0]
    first = replace(JOB, knobs=replace(JOB.knobs, priority=7))
    assert text(view(first, None))[0].startswith("● running  tickets  priority 7 ")


def test_a_database_that_takes_nothing_is_what_the_job_waits_for() -> None:
    shown = view()
    held = text(replace(shown, engine=replace(shown.engine, trouble="the disk is full")))
    assert any("nothing is sent: the disk is full" in line for line in held)
    assert not any("waiting for TPM" in line for line in held)


def test_a_lost_owner_is_told_once() -> None:
    gone = replace(JOB, state=JobState.PAUSED, reason=PauseReason.OWNER_LOST, message=OWNER_GONE, owner=None)
    lines = text(view(gone, None))
    assert sum("process" in line for line in lines) == 1


def test_failures_are_one_line_where_there_is_little_room() -> None:
    assert any("30 rate limited, 2 timeout" in line for line in text(view(), 118, 11))


def test_the_place_of_dead_items_is_pointed_to_where_there_are_some() -> None:
    live = replace(LIVE, counters=replace(COUNTERS, dead=3))
    assert any("3 shows them" in line for line in text(view(JOB, live), 118, 11))
    alive = replace(LIVE, counters=replace(COUNTERS, dead=0))
    assert not any("shows them" in line for line in text(view(JOB, alive), 118, 11))


def test_failures_that_do_not_fit_are_counted() -> None:
    many = dict.fromkeys((OutcomeClass.TIMEOUT, OutcomeClass.SERVER_ERROR, OutcomeClass.MALFORMED), 2)
    live = replace(LIVE, failures={**LIVE.failures, **many})
    (line,) = [line for line in text(view(JOB, live), 60, 11) if "failed requests" in line]
    assert line.endswith("30 rate limited, 2 timeout and 2 kinds more")


def test_a_deployment_with_little_room_leaves_gauges_out_whole() -> None:
    busy = replace(LANE, rpd=10_000, rpd_used=4_100)
    (line,) = [line for line in text(view(JOB, LIVE, 30, busy), 70, 14) if "@ simulator" in line]
    assert ("482/500" in line, "learned" in line) == (True, True)
    assert not any(name in line for name in ("RPD", "flight")), "those furthest from their limits are left out"


@pytest.mark.parametrize(
    ("size", "expected"), [((200, 34), (2, 2)), ((200, 16), (4, 1)), ((118, 14), (2, 1)), ((78, 45), (1, 4))]
)
def test_charts_have_the_shape_that_is_best_to_read(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert arrangement(4, *size) == expected


def test_the_smallest_size_tells_first_what_matters() -> None:
    lines = "\n".join(text(view(), 78, 11))
    for words in ("running", "41 %", "12.5/s", "47 s left", "waiting for TPM, 12 s", "$2.00 spent", "482/500"):
        assert words in lines


def test_wide_terminals_have_four_charts_beside_each_other() -> None:
    (titles,) = [line for line in text(view(), 198, 34) if line.startswith("items a second ")]
    for name in ("latency", "tokens a second", "in flight"):
        assert name in titles


def test_a_job_of_another_process_says_which_and_has_its_rate() -> None:
    lines = text(view(live=None))
    assert any("runs in process 4242 on box" in line for line in lines)
    assert any("12.5/s" in line and "47 s left" in line for line in lines)
    assert any(line.startswith("items a second") for line in lines)


@pytest.mark.parametrize("reason", list(PauseReason))
def test_a_pause_says_why_and_which_key_is_next(reason: PauseReason) -> None:
    job = replace(JOB, state=JobState.PAUSED, reason=reason, message="insufficient [/b]\x1b[31m funds", owner=None)
    lines = text(view(job, None))
    assert any("paused" in line and "p resumes it" in line for line in lines)
    assert any("insufficient [/b]␛[31m funds" in line for line in lines)


def test_an_ended_job_says_how_long_after_its_start_that_was_and_a_draft_how_to_begin() -> None:
    ended = replace(JOB, state=JobState.COMPLETED, owner=None, finished_at=1100.0)
    assert any(
        "completed after 1:40, mean 4.1/s" in line and "x exports it" in line for line in text(view(ended, None))
    )
    narrow = [line for line in text(view(ended, None), 60, 20) if "completed after" in line]
    assert narrow == ["completed after 1:40, mean 4.1/s  ·  r tries the dead again"], (
        "hints that do not fit are left out whole"
    )
    draft = replace(JOB, state=JobState.DRAFT, owner=None, started_at=None)
    assert any("p starts it" in line for line in text(view(draft, None)))


def test_a_pace_that_refusals_taught_is_told_at_80_columns_and_kinds_of_failures_leave_charts_their_room() -> None:
    slowed = replace(LIVE, hold=Hold("pace", 0.4))
    lines = text(view(JOB, slowed, 30, replace(LANE, pace_per_s=1.25)), 78, 17)
    assert any("slowed to 1.2/s by refusals" in line for line in lines)
    assert any("30 rate limited, 2 timeout" in line for line in lines)
    assert any("└" in line for line in lines), "a chart"


def test_time_left_is_a_guess_and_before_the_first_answer_it_is_told_when_it_will_be_known() -> None:
    fresh = view(live=replace(LIVE, counters=Counters(total=9, pending=9), eta_s=None))
    fresh = replace(fresh, jobs=(replace(fresh.jobs[0], eta_s=None),))
    assert any("no answers yet  ·  time left shows with the first" in line for line in text(fresh))
    stuck = replace(view(), jobs=(replace(view().jobs[0], eta_s=None),))
    assert any("12.5/s  ·  time left unknown for now" in line for line in text(stuck))


def test_an_alert_of_a_job_that_ran_is_told_with_its_time_and_whether_it_is_over() -> None:
    ended = replace(JOB, state=JobState.COMPLETED, owner=None, finished_at=1100.0)
    alert = Alert(Signal.SCORE, Against.START, 0.41, 0.83, 100, (8, 3), (8, 3))
    held = text(replace(view(ended, None), alerts={1: (ToldAlert(alert, 950.0),)}))
    assert any("! answers got worse" in line and "W shows the rows" in line for line in held)
    assert any("0.41 in the last 100 answers" in line for line in held)
    over = text(replace(view(ended, None), alerts={1: (ToldAlert(alert, 950.0, 990.0),)}))
    assert any("answers got worse for a while" in line for line in over)
    assert any("(over by " in line for line in over)
    assert not any(
        "got worse" in line for line in text(replace(view(ended, None), alerts={2: (ToldAlert(alert, 9.0),)}))
    )


def test_charts_of_an_ended_job_do_not_say_now() -> None:
    ended = replace(JOB, state=JobState.COMPLETED, owner=None, finished_at=1100.0)
    axes = [line for line in text(view(ended, None)) if "└" in line]
    assert axes
    assert all(" before " in line and "the end" in line and "now" not in line for line in axes)


def test_a_deployment_in_trouble_says_so_and_many_are_counted() -> None:
    down = replace(LANE, breaker="open", breaker_s=4.0)
    assert any("✗ breaker open, 4 s" in line for line in text(view(JOB, LIVE, 30, down)))
    crowd = [replace(LANE, tpm=n + 1) for n in range(30)]
    assert any("deployments more" in line and "4 shows them" in line for line in text(view(JOB, LIVE, 30, *crowd)))


def test_nothing_is_drawn_that_a_plain_terminal_cannot_show() -> None:
    bars = [line for line in text(view(), 118, 24, Glyphs.ASCII) if "done" in line or "#" in line]
    assert bars
    assert all(glyph not in line for line in bars for glyph in "█▓▚▒░")


@given(st.integers(0, 220), st.integers(0, 70))
@settings(max_examples=40)
def test_any_size_is_drawn_within_its_bounds(width: int, height: int) -> None:
    shown = view(seconds=5)
    words = draw_words(shown, Frame(width, height))
    assert len(words) <= height
    assert all(line.cell_length <= width for line in words)


def test_hours_ago_are_shown_on_demand() -> None:
    old = view(seconds=5_000)
    frame = Frame(118, 14)
    job = old.job
    assert job is not None
    assert any("10:00 ago" in line.plain for line in draw_pictures(job, old.history[1], frame))
    hours = draw_pictures(job, old.history[1], replace(frame, span_s=43_200.0))
    assert any("1:23:" in line.plain for line in hours)


async def test_the_panel_follows_a_job_that_runs(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        await desk.controller.start(await add_job(desk, [f"n {n}" for n in range(12)], knobs=Knobs(concurrency=6)))
        async with open_app(desk, size=(80, 24)) as (app, pilot):
            panel = app.query_one(LivePanel)
            await until(pilot, lambda: "in flight" in panel.render().plain, "running")
            await until(pilot, lambda: "completed after" in panel.render().plain, "the end")
            assert "12 done" in panel.render().plain


@pytest.mark.parametrize("height", [11, 12, 13, 14, 15, 16])
def test_a_small_screen_fills_its_room_with_charts_of_one_line(height: int) -> None:
    told = text(view(), 78, height)
    assert height - len(told) <= 1
    titles = ("items a second", "latency, p95", "tokens a second", "in flight")
    assert sum("█████" in line and line.startswith(titles) for line in told) == min(4, height - 10)


@pytest.mark.parametrize(
    ("watched_s", "longest_s", "expected"), [(30, 600.0, 1.0), (900, 600.0, 3.0), (900, 60.0, 1.0)]
)
def test_charts_are_drawn_again_when_a_dot_may_have_moved(watched_s: int, longest_s: float, expected: float) -> None:
    history = History()
    for second in range(watched_s + 1):
        history.add(1000.0 + second, LIVE)
    assert dot_s(history, Frame(118, 24, span_s=longest_s)) == expected


def test_charts_of_twelve_hours_still_move() -> None:
    history = History()
    history.add(0.0, LIVE)
    history.add(43_200.0, LIVE)
    assert dot_s(history, Frame(118, 24, span_s=43_200.0)) == 5.0
