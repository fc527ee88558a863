"""An even pace: what is lost to late timers is made up for, and never in a way that a count by the second refuses."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.engine.pace import CATCH_UP_S, LEAST_CUT, Pace
from tui_batch.engine.ratelimit import Admitted, RateLimiter


def paced(per_s: float) -> Pace:
    pace = Pace()
    pace.set(0.0, per_s)
    return pace


def walk(pace: Pace, late: list[float]) -> list[float]:
    """Sends as soon as it may, each time so many seconds late."""
    now, sent = 0.0, []
    for seconds in late:
        now = max(now, pace.earliest(now)) + seconds
        if pace.earliest(now) <= now:
            pace.took(now)
            sent.append(now)
    return sent


def test_timers_that_are_late_do_not_slow_the_pace() -> None:
    sent = walk(paced(10.0), [0.02] * 500)

    assert len(sent) == 500
    # The second in which ten may go begins anew with the first of them, late as it was: a fiftieth, not a fifth.
    assert sent[-1] - sent[0] <= 499 / 10.0 * 1.025


def test_what_a_stall_took_is_made_up_for_as_far_as_a_quarter_of_a_second() -> None:
    pace = paced(10.0)
    sent = walk(pace, [0.0] * 50 + [0.2] + [0.0] * 49)
    assert sent[-1] == pytest.approx(10.0)

    long = walk(paced(10.0), [0.0] * 50 + [5.0] + [0.0] * 49)
    assert long[-1] == pytest.approx(15.0 - CATCH_UP_S, abs=0.11)


@settings(max_examples=40)
@given(
    st.integers(5, 400).map(lambda tenths: tenths / 10),
    st.lists(st.one_of(st.just(0.0), st.floats(0.0, 0.5)), min_size=50, max_size=120),
)
def test_no_second_holds_more_requests_than_the_pace_allows_in_one(per_s: float, late: list[float]) -> None:
    sent = walk(paced(per_s), late)

    for place, at in enumerate(sent):
        assert sum(at - 1.0 + 1e-6 < other <= at for other in sent[: place + 1]) <= math.ceil(per_s)


def test_time_in_which_the_server_asked_for_silence_is_not_made_up_for() -> None:
    pace = paced(10.0)
    walk(pace, [0.0] * 20)
    pace.begin(4.0)

    sent = [at for at in walk(pace, [0.0] * 10) if at >= 2.0]

    assert sent[0] == 4.0
    assert all(later - earlier >= 0.1 - 1e-6 for earlier, later in pairwise(sent))


def test_another_goes_in_the_place_of_one_that_did_not_go_after_all() -> None:
    pace = paced(10.0)
    walk(pace, [0.0] * 20)
    at = pace.earliest(2.0)
    for _ in range(5):
        pace.took(at)
        assert pace.earliest(at) > at
        pace.withdrew(at)

    assert pace.earliest(at) == at


def test_a_refusal_that_no_other_follows_costs_little_and_is_soon_made_good() -> None:
    pace = paced(10.0)
    pace.cut(30.0, 10.0, lasting=False)
    assert pace.per_s is not None
    first = pace.per_s
    assert 9.8 <= first < 10.0

    pace.cut(32.0, first, lasting=False)
    pace.earliest(32.0)
    pace.accepted(40.0)

    assert pace.per_s >= 0.985 * first


def test_refusals_in_a_row_cut_ever_more() -> None:
    pace, shares, now = paced(10.0), list[float](), 30.0
    for _ in range(4):
        before = pace.per_s or 0.0
        pace.cut(now, before, lasting=False)
        shares.append((pace.per_s or 0.0) / before)
        now += 2.0

    assert shares[0] > shares[1] > shares[2] > LEAST_CUT
    assert shares[3] == pytest.approx(LEAST_CUT)


def test_one_refusal_at_a_pace_that_was_right_stops_nothing_for_longer_than_a_request_takes_its_turn() -> None:
    limiter, now = RateLimiter(), 0.0
    limiter._pacer.pace.set(0.0, 10.0)
    for number in range(300):
        now = next_time(limiter, now)
        admitted = limiter.admit(now, 1)
        assert isinstance(admitted, Admitted)
        if number == 200:
            refused_at = now
            limiter.refused(now + 0.01, None, admitted.ticket)
        elif number == 201:
            assert now - refused_at <= 0.2
            limiter.settle(admitted.ticket, 1)
        elif number == 202:
            # It does not wait to hear of the one before.
            assert now - refused_at <= 0.31
        else:
            limiter.settle(admitted.ticket, 1)


def next_time(limiter: RateLimiter, now: float) -> float:
    verdict = limiter.admit(now, 1)
    if isinstance(verdict, Admitted):
        limiter.cancel(verdict.ticket)
        return now
    return verdict.until
