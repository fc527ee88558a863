"""What a job's figures were: rates that are true however old, in bounded memory."""

from __future__ import annotations

import pytest

from tui_batch.domain.job import Counters
from tui_batch.tui.history import COARSE, FINE, History, Point, finished, tokens


def grown(seconds: float, per_s: float, step: float = 0.25) -> History:
    """A job watched for so long that finishes so many items a second."""
    history = History()
    for n in range(round(seconds / step) + 1):
        done = int(n * step * per_s)
        history.add_counters(
            1000.0 + n * step, Counters(total=10**6, done=done, pending=10**6 - done, tokens_in=3 * done)
        )
    return history


def test_the_rate_and_the_end_follow_from_counts_alone() -> None:
    history = grown(30.0, 20.0)
    assert history.rate() == pytest.approx(20.0)
    assert history.eta_s() == pytest.approx((10**6 - 600) / 20.0)


def test_nothing_is_said_of_a_job_just_seen() -> None:
    history = History()
    assert (history.rate(), history.eta_s(), history.age_s) == (None, None, 0.0)
    history.add_counters(5.0, Counters(total=10, done=4, pending=6))
    assert (history.rate(), history.eta_s()) == (None, None)
    assert history.rates(finished, 60.0, 4) == [None] * 4


def test_a_job_that_stands_still_has_no_end() -> None:
    history = grown(5.0, 20.0)
    for n in range(60):
        history.add_counters(1006.0 + n, Counters(total=10**6, done=100, pending=10**6 - 100))
    assert history.rate() == 0.0
    assert history.eta_s() is None


def test_a_chart_of_rates_is_unknown_before_the_beginning_and_true_after() -> None:
    rates = grown(30.0, 20.0).rates(finished, 60.0, 60)
    assert rates[:29] == [None] * 29
    assert rates[-25:] == [pytest.approx(20.0, abs=0.5)] * 25
    assert grown(30.0, 20.0).rates(tokens, 60.0, 60)[-1] == pytest.approx(60.0, abs=1.5)


def test_hours_ago_are_remembered_coarsely_within_bounds() -> None:
    history = grown(6 * 3600.0, 7.0, step=1.0)
    assert len(history.points) <= FINE + COARSE + 1
    assert history.age_s == pytest.approx(6 * 3600.0, abs=60)
    known = [rate for rate in history.rates(finished, 6 * 3600.0, 100) if rate is not None]
    assert len(known) >= 98
    assert known == [pytest.approx(7.0, abs=0.1)] * len(known)


def test_a_retry_that_takes_dead_items_back_is_no_negative_rate() -> None:
    history = grown(5.0, 20.0)
    history.add_counters(1007.0, Counters(total=100, done=10, pending=90))
    rates = [rate for rate in history.rates(finished, 6.0, 12) if rate is not None]
    assert rates
    assert min(rates) == 0.0


def test_levels_are_as_they_were_and_unknown_where_nobody_said() -> None:
    history = grown(10.0, 20.0)
    assert history.levels(lambda point: point.in_flight, 10.0, 5) == [None] * 5
    last = history.levels(lambda point: float(point.counters.done), 60.0, 3)
    assert last == [None, None, 200.0]


def test_what_is_newest_is_always_there() -> None:
    history = grown(3.1, 20.0, step=0.1)
    newest: Point = history.points[-1]
    assert newest.at == pytest.approx(1003.1)
    assert newest.finished == 62


def test_a_clock_that_is_set_back_stops_no_chart() -> None:
    history = History()
    for second in range(30):
        history.add_counters(10_000.0 + second, Counters(total=1_000, done=2 * second))
    for second in range(30, 60):
        history.add_counters(6_400.0 + second, Counters(total=1_000, done=2 * second))
    assert history.rate() == pytest.approx(2.0, rel=0.15)
    assert history.age_s == pytest.approx(58.0, abs=1.0)
