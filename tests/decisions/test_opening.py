"""The first requests to a server of which nothing is known. Clock values are made up."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.engine.opening import FIRST, OPEN, Opening


def sent_while_silent(seconds: float, most: int) -> list[float]:
    """When each of `most` requests may go to a server that answers nothing."""
    opening, now, times = Opening(), 0.0, list[float]()
    while len(times) < most:
        until = opening.wait_until(now, len(times))
        if until is None:
            opening.launched(now)
            times.append(now)
            continue
        if until > seconds:
            break
        now = until
    return times


def test_a_few_go_at_once_and_the_next_waits() -> None:
    opening = Opening()
    for number in range(FIRST):
        assert opening.wait_until(5.0, number) is None
        opening.launched(5.0)

    assert (opening.wait_until(5.0, FIRST) or 0.0) > 5.5


def test_answers_that_come_together_do_not_let_many_go_together() -> None:
    opening, now, sent = Opening(), 0.0, list[float]()
    for _ in range(FIRST):
        opening.launched(now)
    for _ in range(FIRST):
        opening.answered(0.3, 0.3)

    now = 0.3
    while len(sent) < FIRST:
        until = opening.wait_until(now, len(sent))
        now = now if until is None else until
        opening.launched(now)
        sent.append(now)

    assert sent[0] == 0.3
    assert all(later - earlier >= 0.02 for earlier, later in itertools.pairwise(sent))
    assert sent[-1] <= 0.8


def test_every_answer_lets_two_more_go() -> None:
    opening = Opening()
    opening.launched(0.0)
    for number in range(FIRST):
        opening.answered(0.1 + number / 1000)

    assert opening.wait_until(0.11, 2 * FIRST - 1) is None
    assert opening.wait_until(0.11, 2 * FIRST) is not None


def test_silence_lets_more_go_one_after_another_so_that_a_refusal_may_stop_the_rest() -> None:
    times = sent_while_silent(5.0, 64)

    assert times[FIRST] - times[0] >= 0.5
    assert times[-1] - times[0] <= 1.5
    later = times[FIRST:]
    assert max(sum(start <= at < start + 0.02 for at in later) for start in later) <= 6


def test_a_known_limits_share_of_a_second_goes_at_once_and_a_refusal_may_still_stop_the_rest() -> None:
    opening = Opening()
    opening.know(100.0)
    for number in range(100):
        assert opening.wait_until(5.0, number) is None
        opening.launched(5.0)

    assert (opening.wait_until(5.0, 100) or 0.0) >= 5.14


def test_an_answer_begins_the_silence_anew() -> None:
    opening = Opening()
    opening.launched(0.0)
    before = opening.wait_until(0.7, 2 * FIRST) or 0.0

    opening.answered(0.7)

    assert (opening.wait_until(0.7, 2 * FIRST) or 0.0) > before


def test_a_refusal_ends_it_for_the_limiter_takes_over() -> None:
    opening = Opening()
    opening.launched(0.0)

    opening.refused()

    assert opening.is_over
    assert opening.wait_until(0.0, 10_000) is None


def test_after_enough_answers_nothing_is_held_back() -> None:
    opening = Opening()
    opening.launched(0.0)
    for _ in range(OPEN):
        opening.answered(0.1)

    assert opening.is_over


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0.0, 0.5), st.booleans()), max_size=40), st.integers(0, 600))
def test_a_wait_lies_ahead_and_is_over_when_it_says_so(steps: list[tuple[float, bool]], in_flight: int) -> None:
    opening, now = Opening(), 0.0
    opening.launched(now)
    for pause, answered in steps:
        now += pause
        if answered:
            opening.answered(now)
        until = opening.wait_until(now, in_flight)
        if until is not None:
            assert until > now
            assert opening.wait_until(until, in_flight) is None
