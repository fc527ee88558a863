"""When a run of refusals is over, and how many refused probes it takes to believe in a limit of a minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui_batch.engine.episode import FIRST_BACKOFF_S, MOST_PROBES, SPANS_S, UNLUCKY, telling_probes
from tui_batch.engine.pacer import LEAST_PATIENCE_S
from tui_batch.engine.ratelimit import Admitted, RateLimiter, Ticket, Wait


def sent(limiter: RateLimiter, now: float) -> Ticket:
    admitted = limiter.admit(now, 100)
    assert isinstance(admitted, Admitted), admitted
    return admitted.ticket


def when(limiter: RateLimiter, now: float) -> float:
    """When the next request may go."""
    verdict = limiter.admit(now, 100)
    if isinstance(verdict, Wait):
        return verdict.until
    limiter.cancel(verdict.ticket)
    return now


def refuse_all(limiter: RateLimiter, at: float, number: int) -> None:
    """So many go together, and all are refused a tenth of a second later."""
    for ticket in [sent(limiter, at + 0.01 * n) for n in range(number)]:
        limiter.refused(at + 0.1, None, ticket)


def test_a_probe_that_is_not_refused_at_once_was_taken_though_its_answer_takes_long() -> None:
    limiter = RateLimiter()
    for number in range(30):
        limiter.settle(sent(limiter, 0.1 * number), 100)
    refuse_all(limiter, 3.0, 4)
    wait = limiter.admit(3.2, 100)
    assert isinstance(wait, Wait)
    assert wait.until >= 3.1 + FIRST_BACKOFF_S
    sent(limiter, wait.until)
    assert isinstance(limiter.admit(wait.until, 100), Wait), "one at a time"

    at = wait.until + LEAST_PATIENCE_S
    for _ in range(20):
        sent(limiter, at)


def test_after_one_refusal_one_request_goes_at_once_to_see_whether_it_was_refused_alone() -> None:
    limiter = RateLimiter()
    limiter.refused(0.05, None, sent(limiter, 0.0))
    sent(limiter, 0.06)
    assert isinstance(limiter.admit(0.07, 100), Wait), "one at a time"

    for _ in range(20):
        sent(limiter, 0.06 + LEAST_PATIENCE_S)


def test_where_a_small_limit_is_as_likely_the_one_request_waits_a_second() -> None:
    limiter = RateLimiter()
    for number in range(60):
        limiter.settle(sent(limiter, 0.01 * number), 100)
    limiter.refused(1.05, None, sent(limiter, 1.0))

    wait = limiter.admit(1.06, 100)

    assert isinstance(wait, Wait)
    assert wait.until <= 1.05 + FIRST_BACKOFF_S


def test_what_was_sent_after_the_one_that_was_refused_tells_without_a_further_request() -> None:
    limiter = RateLimiter()
    first, second = sent(limiter, 0.0), sent(limiter, 0.03)
    limiter.refused(0.05, None, first)
    assert isinstance(limiter.admit(0.06, 100), Wait)

    limiter.settle(second, 100, 0.1)

    for _ in range(20):
        sent(limiter, 0.1)


def test_a_request_that_was_not_sent_after_all_is_no_probe() -> None:
    limiter = RateLimiter()
    limiter.refused(0.05, None, sent(limiter, 0.0))

    assert when(limiter, 0.06) == 0.06

    sent(limiter, 0.06)
    assert isinstance(limiter.admit(0.06, 100), Wait)


def test_a_server_that_refuses_all_is_asked_again_when_ten_seconds_count_anew_before_the_minute_is_waited_for() -> None:
    limiter = RateLimiter()
    for number in range(100):
        limiter.settle(sent(limiter, 0.01 * number), 100, 0.01 * number)
    refuse_all(limiter, 1.0, 3)
    times = []
    for _ in range(3):
        times.append(at := when(limiter, 1.6))
        limiter.refused(at + 0.1, None, sent(limiter, at))

    assert times[0] < 1.6 + 2 * FIRST_BACKOFF_S
    assert SPANS_S[0] < times[1] < SPANS_S[0] + 1.0
    assert 60.0 < times[2] < 61.0


def test_a_refusal_right_after_a_run_seemed_over_is_heeded() -> None:
    limiter = RateLimiter()
    for number in range(30):
        limiter.settle(sent(limiter, 0.1 * number), 100)
    refuse_all(limiter, 3.0, 4)
    probe_at = when(limiter, 3.2)
    sent(limiter, probe_at)
    at = probe_at + LEAST_PATIENCE_S
    limiter.refused(at + 0.03, None, sent(limiter, at))

    assert isinstance(limiter.admit(at + 0.03, 100), Wait)


def test_where_refusals_take_long_so_does_the_patience() -> None:
    limiter = RateLimiter()
    limiter.refused(0.5, None, sent(limiter, 0.0))
    probe_at = 2.0
    sent(limiter, probe_at)

    wait = limiter.admit(probe_at + 2 * LEAST_PATIENCE_S, 100)

    assert isinstance(wait, Wait)


def test_two_refused_probes_are_no_minute_where_refusals_come_and_go() -> None:
    limiter, now = RateLimiter(), 0.0
    refused = {20, 40, 41, 42}
    for number in range(43):
        now = when(limiter, now + 0.1)
        ticket = sent(limiter, now)
        if number in refused:
            limiter.refused(now + 0.02, None, ticket)
        else:
            limiter.settle(ticket, 100)

    assert when(limiter, now) - now < 15.0


@given(st.floats(0.001, 1.0))
def test_the_more_often_refusals_begin_the_more_probes_it_takes(share: float) -> None:
    probes = telling_probes(share)

    assert 1 <= probes <= MOST_PROBES
    assert share**probes <= UNLUCKY or probes == MOST_PROBES
    assert telling_probes(min(1.0, 2 * share)) >= probes


def test_a_probe_that_is_refused_is_heard_however_quick_the_server() -> None:
    limiter = RateLimiter()
    limiter.refused(0.004, None, sent(limiter, 0.0))
    limiter.refused(0.008, None, sent(limiter, 0.004))

    assert when(limiter, 0.008 + LEAST_PATIENCE_S) >= FIRST_BACKOFF_S


def test_a_small_limit_of_a_minute_costs_one_probe() -> None:
    limiter = RateLimiter()
    for number in range(60):
        limiter.settle(sent(limiter, 0.01 * number), 100)
    limiter.refused(1.05, None, sent(limiter, 1.0))
    probe_at = when(limiter, 1.06)
    limiter.refused(probe_at + 0.05, None, sent(limiter, probe_at))

    assert 60.0 <= when(limiter, probe_at + 0.05) < 61.0
