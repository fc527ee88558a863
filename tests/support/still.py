"""The app standing still: views made by hand, a clock that does not move, so that its pictures never change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from app_bench import SIMULATOR, open_test_desk, spec
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tui_batch.domain.endpoint import Api, Endpoint, KeyKind, KeySource
from tui_batch.domain.job import NANO, Counters, Job, JobState, Knobs, ModelRef, Owner, PauseReason
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.spending import CostRange
from tui_batch.engine.snapshot import EngineSnapshot, Hold, JobSnapshot, LaneLimits, LaneSnapshot, Latency
from tui_batch.tui.app import BatchApp
from tui_batch.tui.bridge import Bridge
from tui_batch.tui.desk import Desk, Wish
from tui_batch.tui.history import History
from tui_batch.tui.view import JobView, View

NOW = datetime(2026, 3, 2, 12, 0, 0).timestamp()
"""Noon wherever the machine stands."""
SECONDS = 90
"""How long the running job has been watched."""

RUNNING = Counters(
    total=12_000, done=4_870, dead=37, pending=7_093, cached=611, requests=5_102, tokens_in=1_204_000,
    tokens_out=311_000, cost_nano=2 * NANO + 340_000_000, saved_nano=NANO // 3,
)  # fmt: skip
KNOBS = Knobs(concurrency=48, rpm=3_000, budget_nano=8 * NANO)
LATENCY = Latency(0.8, 2.1, 4.6)
LIVE = JobSnapshot(
    6, "support tickets", JobState.RUNNING, None, "", KNOBS, RUNNING, 48, 3, 41.5, 171.0, LATENCY,
    {OutcomeClass.RATE_LIMITED: 64, OutcomeClass.TIMEOUT: 12, OutcomeClass.SERVER_ERROR: 5}, Hold("TPM", 12.0),
    LATENCY, rpm_used=2_480, score_mean=0.87, projected=CostRange(5_400_000_000, 5_700_000_000, 6_100_000_000),
)  # fmt: skip
LANES = (
    LaneSnapshot("openai", "gpt-4o-mini", 40, None, "closed", 5_000, 2_210, 400_000, 399_200, 10_000, 4_100, True, None,
                 LATENCY, 5_150.0, "", Hold("TPM", 12.0), own=LaneLimits(rpm=5_000), requests=4_402, failed=69,
                 trouble="429: rate limit reached for tokens per minute", trouble_s=7.0),
    LaneSnapshot("local", "llama3.1:8b", 8, 8, "closed", None, 270, None, 31_000, None, 0, False, None,
                 Latency(1.9, 3.3, 5.0), 610.0, "", requests=700, failed=2),
    LaneSnapshot("spare", "llama3.1:8b", 0, 4, "open", None, 0, None, 0, None, 0, False, None, Latency(), 0.0, "",
                 breaker_s=21.0, requests=9, failed=9, trouble="connection refused", trouble_s=9.0),
)  # fmt: skip


def job(number: int, name: str, state: JobState, counters: Counters, **changes: object) -> Job:
    """A job as stored, made an hour ago."""
    begun = None if state in (JobState.DRAFT, JobState.QUEUED) else NOW - 3_000
    ended = NOW - 1_200 if state in (JobState.COMPLETED, JobState.CANCELLED, JobState.FAILED) else None
    made = Job(number, spec(name), Knobs(), state, None, "", counters, None, None, NOW - 3_600, begun, ended)
    return replace(made, **changes)  # type: ignore[arg-type]


def running() -> JobView:
    """The job that this process runs."""
    models = (ModelRef("gpt-4o-mini", ("openai",)), ModelRef("llama3.1:8b", ("local", "spare")))
    served = (
        Endpoint("openai", Api.OPENAI, "https://api.openai.com/v1", KeySource(KeyKind.ENV, "OPENAI_API_KEY")),
        Endpoint("local", Api.OLLAMA, "http://127.0.0.1:11434"),
        Endpoint("spare", Api.OPENAI, "http://gpu-box:8000/v1"),
    )
    made = replace(spec(LIVE.name), models=models, endpoints=served)
    stored = job(6, LIVE.name, JobState.RUNNING, RUNNING, knobs=KNOBS, spec=made)
    return JobView(stored, LIVE, False, LIVE.rate, LIVE.eta_s)


def jobs() -> tuple[JobView, ...]:
    """One in every state."""
    away = Counters(total=1_000_000, done=214_500, dead=120, pending=785_380, cost_nano=31 * NANO)
    half = Counters(total=800, done=412, dead=6, pending=382, cost_nano=5 * NANO)
    full = Counters(total=2_500, done=2_488, dead=12, cost_nano=NANO // 4)
    free = Counters(total=300, done=300, unpriced=300)
    budget = {"reason": PauseReason.BUDGET, "message": "the next request could pass the cap of $5.00"}
    return (
        running(),
        JobView(
            job(5, "product reviews 2026", JobState.RUNNING, away, owner=Owner("node-3", 4242, "x")),
            None,
            True,
            118.0,
            6_656.0,
        ),
        JobView(job(4, "translations [de]", JobState.PAUSED, half, **budget)),
        JobView(job(3, "labels", JobState.COMPLETED, full)),
        JobView(job(2, "日本語の要約", JobState.COMPLETED, free)),
        JobView(job(1, "abandoned try", JobState.CANCELLED, Counters(total=50, done=3, cancelled=47))),
    )


def history() -> History:
    """Of the running job: its rate rises, stands, and has a dip."""
    made = History()
    done = RUNNING.done - 3_600
    for second in range(SECONDS):
        pace = min(48, 4 + 2 * second) if second < 55 else (9 if second < 62 else 44)
        done += pace + (second * 7 % 5) - 2
        seen = replace(RUNNING, done=done, tokens_in=245 * done, tokens_out=63 * done)
        slow = 1.4 if 52 <= second < 60 else 1.0
        recent = Latency(0.8 * slow, 2.1 * slow + second % 4 / 10, 4.6 * slow)
        made.add(NOW - SECONDS + second, replace(LIVE, counters=seen, in_flight=min(48, 2 + second), recent=recent))
    return made


def view(*shown: JobView, selected: int | None = None) -> View:
    """A moment of the app; without jobs given, with one in every state."""
    listed = shown or jobs()
    live = tuple(one.live for one in listed if one.live is not None)
    engine = EngineSnapshot(live, LANES if live else (), "")
    return View(NOW, listed, selected or listed[0].id, engine, {6: history()})


class StillBridge(Bridge):
    """Always the same view, but for what is selected."""

    def __init__(self, desk: Desk, shown: View) -> None:
        super().__init__(desk)
        self.shown = shown
        self.selected = shown.selected

    async def tick(self) -> View:
        """What was given."""
        return replace(self.shown, selected=self.selected)


@asynccontextmanager
async def open_still_desk(folder: Path) -> AsyncIterator[Desk]:
    """A desk whose clock stands, and which knows one endpoint."""
    async with open_test_desk(folder) as desk:
        yield replace(desk, clock=lambda: NOW, settings=replace(desk.settings, endpoints=(SIMULATOR,)))


@asynccontextmanager
async def open_still(desk: Desk, shown: View, size: tuple[int, int]) -> AsyncIterator[tuple[BatchApp, Pilot[Wish]]]:
    """The app with that view."""
    app = BatchApp(desk)
    app.bridge = StillBridge(desk, shown)
    await app.prepare()
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield app, pilot


def picture(app: BatchApp) -> str:
    """The screen as SVG; cursors stand."""
    for line in app.screen.query(Input):
        line.cursor_blink = False
    for area in app.screen.query(TextArea):
        area.cursor_blink = False
    return app.export_screenshot(title="llmbatch-tui", simplify=True)
