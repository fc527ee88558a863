"""The circuit breaker: when it opens, for how long, and how one probe decides."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.outcome import OutcomeClass
from tui_batch.engine.breaker import (
    FAILURES,
    Allowed,
    Blocked,
    Breaker,
    BreakerPolicy,
    BreakerState,
    excused,
    open_s,
)

C = OutcomeClass


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(5):
        breaker.record(C.CONNECTION, at)
    return breaker


@pytest.mark.parametrize("cls", sorted(FAILURES))
def test_five_failures_in_a_row_open_it(cls: OutcomeClass) -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.record(cls, 1.0)
    assert isinstance(breaker.allow(1.0), Allowed)

    breaker.record(cls, 1.0)

    assert breaker.allow(1.0) == Blocked(6.0)


def test_half_of_the_last_outcomes_open_it_once_there_are_ten() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.record(C.OK, 0.0)
        breaker.record(C.TIMEOUT, 0.0)
    assert isinstance(breaker.allow(0.0), Allowed)

    breaker.record(C.OK, 0.0)
    breaker.record(C.TIMEOUT, 0.0)

    assert isinstance(breaker.allow(0.0), Blocked)


@pytest.mark.parametrize("cls", [C.BAD_REQUEST, C.REFUSED, C.QUOTA, C.RATE_LIMITED, C.MALFORMED])
def test_what_is_not_the_servers_health_never_opens_it(cls: OutcomeClass) -> None:
    breaker = Breaker()
    for _ in range(100):
        breaker.record(cls, 0.0)

    assert isinstance(breaker.allow(0.0), Allowed)


def test_refusals_between_failures_do_not_hide_them() -> None:
    breaker = Breaker()
    for _ in range(5):
        breaker.record(C.CONNECTION, 0.0)
        breaker.record(C.RATE_LIMITED, 0.0)

    assert isinstance(breaker.allow(0.0), Blocked)


def test_one_probe_goes_and_the_rest_wait_for_it() -> None:
    breaker = opened()
    assert isinstance(breaker.allow(4.9), Blocked)
    assert isinstance(breaker.allow(5.0), Allowed)
    assert breaker.snapshot(5.0).state is BreakerState.HALF_OPEN

    breaker.started(5.0)

    assert breaker.allow(5.1) == Blocked(None)
    breaker.record(C.OK, 5.2, sent_at=5.0)
    assert isinstance(breaker.allow(5.2), Allowed)
    assert breaker.snapshot(5.2).state is BreakerState.CLOSED


def waits(breaker: Breaker, probes: int) -> list[float]:
    """How long it stays open each time, when so many probes fail at once."""
    now, periods = 0.0, list[float]()
    for _ in range(probes):
        blocked = breaker.allow(now)
        assert isinstance(blocked, Blocked)
        assert blocked.until is not None
        periods.append(blocked.until - now)
        now = blocked.until
        breaker.started(now)
        breaker.record(C.SERVER_ERROR, now, sent_at=now)
    return periods


def test_failed_probes_double_the_time_to_a_quarter_of_the_outage_and_a_minute() -> None:
    periods = waits(opened(), 20)

    assert periods[:6] == [5.0, 10.0, 15.0, 15.0, 15.0, 15.0]
    assert periods[6] == 0.25 * 75.0
    assert periods == sorted(periods)
    assert periods[-1] == 60.0


def test_a_probe_that_fails_as_requests_did_while_all_was_well_doubles_nothing() -> None:
    breaker = Breaker()
    for number in range(100):
        breaker.record(C.TIMEOUT if number % 5 == 4 else C.OK, 0.0)
    breaker.record(C.OK, 0.0)
    for _ in range(5):
        breaker.record(C.CONNECTION, 0.0)

    assert waits(breaker, 4) == [5.0, 5.0, 5.0, 10.0]


@given(st.floats(0.0, 1.0), st.integers(-3, 1_000), st.floats(0.0, 1e6))
def test_the_wait_is_bounded_and_a_server_that_fails_more_when_well_excuses_more(
    share: float, probes: int, outage_s: float
) -> None:
    policy = BreakerPolicy()
    wait = open_s(policy, probes, outage_s)

    assert policy.first_open_s <= wait <= policy.longest_open_s
    assert wait <= max(policy.young_open_s, outage_s / 4)
    assert 0 <= excused(share) <= 3
    assert excused(min(1.0, share * 1.5)) >= excused(share)


def test_after_it_closed_the_next_opening_is_short_again() -> None:
    breaker = opened()
    breaker.started(5.0)
    breaker.record(C.TIMEOUT, 5.0)
    breaker.started(15.0)
    breaker.record(C.OK, 15.0)
    for _ in range(5):
        breaker.record(C.CONNECTION, 20.0)

    assert breaker.allow(20.0) == Blocked(25.0)


def test_a_cancelled_probe_lets_the_next_request_probe() -> None:
    breaker = opened()
    breaker.started(5.0)

    breaker.abandoned(6.0)

    assert isinstance(breaker.allow(6.0), Allowed)


def test_stragglers_sent_before_it_opened_do_not_decide_the_probe() -> None:
    breaker = opened(at=10.0)
    breaker.record(C.OK, 11.0, sent_at=9.0)
    assert breaker.snapshot(11.0).state is BreakerState.OPEN
    breaker.started(15.0)

    breaker.record(C.TIMEOUT, 15.5, sent_at=9.0)
    breaker.abandoned(15.6, sent_at=9.0)

    assert breaker.allow(15.7) == Blocked(None)
    breaker.record(C.OK, 16.0, sent_at=15.0)
    assert breaker.snapshot(16.0).state is BreakerState.CLOSED


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from(OutcomeClass), st.booleans()), max_size=80))
def test_it_never_blocks_for_ever(events: list[tuple[float, OutcomeClass, bool]]) -> None:
    breaker, now = Breaker(), 0.0
    for pause, cls, cancel in events:
        now += pause
        verdict = breaker.allow(now)
        if isinstance(verdict, Blocked):
            assert verdict.until is not None
            assert now < verdict.until <= now + 60.0
            now = verdict.until
        assert isinstance(breaker.allow(now), Allowed)
        breaker.started(now)
        if cancel:
            breaker.abandoned(now)
        else:
            breaker.record(cls, now)


def test_health_falls_with_failures_and_leaves_the_probe_its_chance() -> None:
    breaker = Breaker()
    assert breaker.health == 1.0
    breaker.record(OutcomeClass.OK, 0.0)
    breaker.record(OutcomeClass.SERVER_ERROR, 0.0)
    after_one = breaker.health
    breaker.record(OutcomeClass.SERVER_ERROR, 0.0)
    assert 1 / 3 < breaker.health < after_one < 1.0
    for _ in range(5):
        breaker.record(OutcomeClass.SERVER_ERROR, 0.0)
    assert breaker.snapshot(0.0).state is BreakerState.OPEN
    assert breaker.health == 1.0
