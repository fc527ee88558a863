"""When a run of refusals is over, and how many refused probes it takes to believe in a limit of a minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui_batch.engine.pacer import LEAST_PATIENCE_S, MOST_PROBES, UNLUCKY, telling_probes
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


def test_a_probe_that_is_not_refused_at_once_was_taken_though_its_answer_takes_long() -> None:
    limiter = RateLimiter()
    first = sent(limiter, 0.0)
    limiter.refused(0.05, None, first)
    wait = limiter.admit(0.1, 100)
    assert isinstance(wait, Wait)
    sent(limiter, wait.until)
    assert isinstance(limiter.admit(wait.until, 100), Wait), "one at a time"

    at = wait.until + LEAST_PATIENCE_S
    for _ in range(20):
        sent(limiter, at)


def test_a_refusal_right_after_a_run_seemed_over_is_heeded() -> None:
    limiter = RateLimiter()
    limiter.refused(0.05, None, sent(limiter, 0.0))
    probe_at = when(limiter, 0.1)
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
    refused = {20, 40, 41}
    for number in range(42):
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
