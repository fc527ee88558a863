"""What is not known is never told as 0."""

from __future__ import annotations

from dataclasses import replace

from still import job

from tui_batch.domain.job import NANO, Counters, JobState
from tui_batch.tui.item_verbs import likely_cost
from tui_batch.tui.view import JobView, View
from tui_batch.tui.words import summary


def made(counters: Counters) -> JobView:
    return JobView(job(1, "letters", JobState.RUNNING, counters))


PAID = made(Counters(total=10, done=4, dead=1, pending=4, cached=1, cost_nano=NANO))
UNPRICED = made(Counters(total=10, done=5, unpriced=5))


def test_the_title_line_says_that_a_cost_is_unknown() -> None:
    assert "$1.00" in summary(View(0.0, (PAID,)))[1][0]
    assert "$?" in summary(View(0.0, (UNPRICED,)))[1][0]
    assert "$1.00 + ?" in summary(View(0.0, (PAID, UNPRICED)))[1][0]


def test_what_a_retry_may_cost_is_added_up_over_jobs_by_what_was_paid_for() -> None:
    assert likely_cost([(PAID, 2), (PAID, 4)]) == "About $1.50 at what an item cost so far."
    assert likely_cost([(PAID, 2), (UNPRICED, 0)]) == "About $0.5000 at what an item cost so far."
    assert likely_cost([(PAID, 2), (UNPRICED, 1)]) == "What it costs is not known."
    assert likely_cost([(made(Counters(total=1, dead=1)), 1)]) == "About $0 at what an item cost so far."


def test_a_lost_connection_whose_bill_nobody_knows_leaves_the_mean_as_it_is() -> None:
    counters = Counters(total=100, done=49, dead=1, pending=50, requests=60, unpriced=2, cost_nano=NANO)
    assert likely_cost([(made(counters), 5)]) == "About $0.1000 at what an item cost so far."
    assert likely_cost([(made(replace(counters, unpriced=20)), 5)]) == "What it costs is not known."
