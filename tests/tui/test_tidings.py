"""What is said of jobs that ended by themselves, and how an error with its remedy stands in a toast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from app_bench import add_job, open_app, open_test_desk, toasts, until
from still import job

from tui_batch.domain.job import Counters, JobState, PauseReason
from tui_batch.errors import UserError
from tui_batch.tui.tidings import tidings
from tui_batch.tui.view import JobView

COUNTERS = Counters(total=10, done=7, dead=3)


def seen(number: int, state: JobState, reason: PauseReason | None = None, message: str = "") -> JobView:
    return JobView(replace(job(number, "[/x] letters", state, COUNTERS), reason=reason, message=message))


RUNS = tuple(seen(number, JobState.RUNNING) for number in range(1, 6))


@pytest.mark.parametrize(
    ("after", "list_is_seen", "words"),
    [
        (seen(1, JobState.PAUSED, PauseReason.USER), False, None),
        (seen(1, JobState.CANCELLED), False, None),
        (seen(1, JobState.RUNNING), False, None),
        (seen(1, JobState.COMPLETED), True, None),
        (seen(1, JobState.COMPLETED), False, "#1 [/x] letters is completed: 7 done, 3 dead"),
        (seen(1, JobState.PAUSED, PauseReason.BUDGET), True, "#1 [/x] letters is paused for the budget"),
        (seen(1, JobState.FAILED, None, "no \x1b[31m disk"), True, "#1 [/x] letters failed: no ␛[31m disk"),
    ],
)
def test_a_job_that_ends_by_itself_is_told_where_it_is_not_seen(
    after: JobView, list_is_seen: bool, words: str | None
) -> None:
    told = tidings(RUNS[:1], (after,), list_is_seen=list_is_seen)
    assert (told and told.words) == words
    assert tidings((after,), (after,), list_is_seen=list_is_seen) is None, "once"
    assert tidings((), (after,), list_is_seen=list_is_seen) is None, "it was so before anybody looked"
    assert tidings((seen(1, JobState.DRAFT),), (after,), list_is_seen=list_is_seen) == told, "it ran between two looks"


def test_many_jobs_that_end_at_once_are_one_line() -> None:
    told = tidings(RUNS, tuple(seen(one.id, JobState.PAUSED, PauseReason.QUOTA) for one in RUNS), list_is_seen=True)
    assert told is not None
    assert told.words == "5 jobs run no more; the list says why"
    assert told.severity == "warning"


async def test_who_looks_at_the_items_hears_that_the_job_stopped_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_test_desk(tmp_path, faults="filter=1.0") as desk:
        job_id = await add_job(desk, [f"number {n}" for n in range(100)])
        async with open_app(desk) as (app, pilot):
            await pilot.press("2")
            await until(pilot, lambda: app.place.NAME == "items")
            heard = toasts(app, monkeypatch)
            await desk.controller.start(job_id)
            await until(pilot, lambda: any("too many answers were errors" in words for words in heard))


async def test_a_remedy_stands_on_a_line_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_test_desk(tmp_path) as desk, open_app(desk) as (app, _pilot):
        heard = toasts(app, monkeypatch)
        app.say_trouble(UserError("the \x1b disk is full", remedy="Make room."))
        assert heard == ["the ␛ disk is full\nMake room."]
