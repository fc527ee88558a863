"""The real command in a real terminal: it opens, it is left, it is ended from outside, its window is closed."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from app_bench import add_job, open_test_desk
from pseudo_terminal import PseudoTerminal
from stress_yard import DEADLINE_S, wait_until

from tui_batch.domain.job import Job, JobState, Knobs
from tui_batch.engine.control import Controller
from tui_batch.engine.owners import is_alive
from tui_batch.store.store import open_store

RESTORED = "\x1b[?1049l"
"""Leaves the alternate screen."""
SLOW = Knobs(concurrency=2)


def make_job(folder: Path, prompts: int = 2_000, knobs: Knobs = SLOW) -> Path:
    async def make() -> None:
        async with open_test_desk(folder) as desk:
            await add_job(desk, [f"number {n}" for n in range(prompts)], knobs=knobs)

    asyncio.run(make())
    return folder / "jobs.db"


def stored(db: Path) -> tuple[str, int]:
    """The job's state and how many items are done, read as cheaply as can be: this is looked at again and again."""
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=DEADLINE_S)) as conn:
        state, done = conn.execute("SELECT state, done FROM job WHERE id = 1").fetchone()
        return state, done


def job_of(db: Path) -> Job:
    async def read() -> Job:
        async with open_store(db) as store:
            return await store.jobs.get(1)

    return asyncio.run(read())


def steer(db: Path, knobs: dict[str, Any]) -> None:
    """As another process would."""

    async def turn() -> None:
        async with open_store(db) as store:
            await Controller(store, None, clock=time.time, alive=is_alive).turn(1, knobs)

    asyncio.run(turn())


def test_the_demo_opens_runs_and_is_left(tmp_path: Path) -> None:
    with PseudoTerminal(["demo"], tmp_path) as terminal:
        terminal.until("Support tickets")
        terminal.press("q")
        terminal.until("Stop now")
        terminal.press("s")
        assert terminal.end() == 0
        assert RESTORED in terminal.seen
        assert "nothing is kept" in terminal.seen


def test_an_empty_database_says_how_to_begin(tmp_path: Path) -> None:
    with PseudoTerminal(["--db", str(tmp_path / "new.db")], tmp_path) as terminal:
        terminal.until("No jobs yet")
        terminal.press("q")
        assert terminal.end() == 0
        assert RESTORED in terminal.seen


def test_a_process_that_was_stopped_from_outside_goes_on_and_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    with PseudoTerminal(["--db", str(tmp_path / "new.db")], tmp_path) as terminal:
        before = terminal.modes()
        terminal.until("No jobs yet")
        for _ in range(2):
            terminal.process.send_signal(signal.SIGCONT)
            terminal.until("No jobs yet")  # drawn anew: others may have drawn there meanwhile
        terminal.press("q")
        assert terminal.end() == 0
        assert "\x1b[?1049h" not in terminal.seen[terminal.seen.rindex(RESTORED) :]
        assert terminal.modes() == before


def test_a_request_to_end_restores_the_terminal_and_keeps_the_answers(tmp_path: Path) -> None:
    db = make_job(tmp_path)
    with PseudoTerminal(["--db", str(db)], tmp_path) as terminal:
        terminal.until("tickets")
        terminal.press("p")
        wait_until(lambda: stored(db)[1] > 0)  # one left while it still opens is the draft it was
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
        assert RESTORED in terminal.seen
        assert "Resume:" in terminal.seen
    job = job_of(db)
    assert job.state is JobState.PAUSED
    assert job.owner is None


@pytest.mark.parametrize("before", ["", "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN);"])
def test_a_closed_window_ends_the_process_and_frees_the_job(tmp_path: Path, before: str) -> None:
    """Also one that was started with hang-ups ignored, as by nohup."""
    db = make_job(tmp_path)
    with PseudoTerminal(["--db", str(db)], tmp_path, before=before) as terminal:
        terminal.until("tickets")
        terminal.press("p")
        wait_until(lambda: stored(db)[1] > 0)
        terminal.hang_up()
        terminal.process.wait(DEADLINE_S)
    job = job_of(db)
    assert job.state is JobState.PAUSED
    assert job.owner is None


def test_a_terminal_that_takes_nothing_does_not_hold_up_the_job(tmp_path: Path) -> None:
    db = make_job(tmp_path, 90, Knobs(concurrency=32))
    with PseudoTerminal(["--db", str(db)], tmp_path) as terminal:
        terminal.until("tickets")
        terminal.press("p")
        for _ in range(60):
            terminal.press("21")  # each draws a place, which nobody reads
        wait_until(lambda: stored(db)[0] == JobState.COMPLETED.value)
        terminal.until("llmbatch-tui")  # the title, which a change of place does not draw
        terminal.until("completed after")
        terminal.press("q")
        assert terminal.end() == 0
        assert RESTORED in terminal.seen


def test_a_job_goes_on_in_the_background_and_is_shown_live_when_the_app_is_opened_again(tmp_path: Path) -> None:
    items = 200
    db = make_job(tmp_path, items, Knobs(concurrency=1))  # two minutes: not over before it is left and found again
    with PseudoTerminal(["--db", str(db)], tmp_path) as terminal:
        terminal.until("tickets")
        terminal.press("p")
        terminal.until("in flight")
        wait_until(lambda: stored(db)[1] > 0)
        terminal.press("q")
        terminal.until("Keep running in the background")
        terminal.press("b")
        assert terminal.end() == 0
        assert RESTORED in terminal.seen
        assert "Watch:" in terminal.seen
    left = job_of(db)
    assert 0 < left.counters.done < items
    with PseudoTerminal(["--db", str(db)], tmp_path, (120, 40)) as terminal:
        terminal.until("runs in process")
        steer(db, {"concurrency": 64})
        terminal.until("completed after")
        terminal.press("q")
        assert terminal.end() == 0
    job = job_of(db)
    assert (job.state, job.counters.done, job.counters.pending) == (JobState.COMPLETED, items, 0)
    assert job.counters.requests == items, "what was in flight was drained: nothing is asked twice"


def test_the_smallest_terminal_there_is_does_not_break_it(tmp_path: Path) -> None:
    with PseudoTerminal(["demo"], tmp_path) as terminal:
        terminal.until("Support tickets")
        terminal.resize((1, 1))
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.until("\x1b[")
        terminal.resize((80, 24))
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.until("Support tickets")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 0
