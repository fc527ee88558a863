"""What an earlier process learned of limits is where the next one begins, and never where it stays."""

from __future__ import annotations

from collections import deque

import pytest

from tui_batch.domain.learned import LearnedLimits
from tui_batch.domain.outcome import RateHeaders, Window
from tui_batch.engine.ratelimit import DAY_S, FORGOTTEN_S, UNHEARD, Admitted, RateLimiter, Wait

NOTHING = LearnedLimits(None, None, None, None, None, at=0.0)
SIXTY = LearnedLimits(None, 60, None, None, None, at=0.0)
PACED = LearnedLimits(9.8, None, None, None, None, at=0.0)
STATED = LearnedLimits(None, None, 60, None, None, at=0.0)


def believing(limits: LearnedLimits, now: float = 100.0) -> RateLimiter:
    limiter = RateLimiter()
    limiter.believe(limits, now)
    return limiter


def play(limiter: RateLimiter, limit: int, span_s: float, *, since: float, seconds: float) -> tuple[int, int]:
    """Against a strict server of so many requests in a span: how many were taken, how many refused."""
    now, taken, kept, refused = since, 0, deque[float](), 0
    while now < since + seconds:
        verdict = limiter.admit(now, 1)
        if isinstance(verdict, Wait):
            now = verdict.until
            continue
        while kept and kept[0] <= now - span_s:
            kept.popleft()
        if len(kept) < limit:
            kept.append(now)
            taken += 1
            limiter.settle(verdict.ticket, 1)
        else:
            refused += 1
            limiter.refused(now, None, verdict.ticket)
        now += 0.002
    return taken, refused


@pytest.mark.parametrize(("limits", "limit", "span_s"), [(SIXTY, 60, 60.0), (PACED, 10, 1.0)])
def test_a_limit_that_was_learned_is_kept_from_the_first_request_on(
    limits: LearnedLimits, limit: int, span_s: float
) -> None:
    taken, refused = play(believing(limits), limit, span_s, since=100.0, seconds=100.0)

    assert refused == 0
    assert taken >= 0.9 * limit * (100.0 // span_s)


def test_it_is_shown_as_learned() -> None:
    shown = believing(SIXTY).snapshot(100.0)

    assert (shown.rpm, shown.learned) == (60, True)
    assert believing(PACED).snapshot(100.0).pace_per_s == 9.8


def test_what_was_sent_just_before_counts_against_it() -> None:
    limiter = RateLimiter()
    limiter.recall(70.0, 60, 0)
    limiter.believe(SIXTY, 100.0)

    verdict = limiter.admit(100.0, 1)

    assert isinstance(verdict, Wait)
    assert verdict.until >= 130.0


def test_a_header_overrules_it_at_once() -> None:
    limiter = believing(LearnedLimits(None, 60, 60, 1_000, 500, at=0.0))

    limiter.learn(RateHeaders(requests=Window(600, 599, 1.0)), 100.0)

    shown = limiter.snapshot(100.0)
    assert (shown.rpm, shown.tpm, shown.rpd) == (600, None, 500)


def test_a_limit_that_headers_stated_is_void_where_they_no_longer_come() -> None:
    limiter = believing(STATED)
    for number in range(UNHEARD):
        assert limiter.snapshot(100.0).rpm == 60
        verdict = limiter.admit(100.0 + number, 1)
        assert isinstance(verdict, Admitted)
        limiter.settle(verdict.ticket, 1, 100.5 + number)

    assert limiter.snapshot(120.0).rpm is None
    assert limiter.learned is None


@pytest.mark.parametrize("age_s", [60.0, DAY_S + 1.0])
def test_a_limit_that_was_raised_since_is_found_out_with_few_refusals(age_s: float) -> None:
    limiter = believing(SIXTY, now=age_s)

    play(limiter, 600, 60.0, since=age_s, seconds=400.0)
    taken, refused = play(limiter, 600, 60.0, since=age_s + 460.0, seconds=300.0)

    assert taken >= 0.95 * 5 * 600
    assert refused <= 0.01 * taken


def test_after_a_day_more_is_tried_at_once_and_after_a_month_it_is_forgotten() -> None:
    old = believing(SIXTY, now=DAY_S + 1.0)
    taken, _ = play(old, 600, 60.0, since=DAY_S + 1.0, seconds=60.0)
    assert taken > 60

    assert believing(SIXTY, now=FORGOTTEN_S + 1.0).snapshot(FORGOTTEN_S + 1.0).rpm is None


def test_a_limit_that_fell_since_is_learned_anew() -> None:
    limiter = believing(SIXTY)

    play(limiter, 20, 60.0, since=100.0, seconds=200.0)
    taken, refused = play(limiter, 20, 60.0, since=300.0, seconds=600.0)

    assert taken >= 0.95 * 10 * 20
    assert refused <= 4


def test_only_what_a_server_taught_is_kept_with_the_time_of_the_last_lesson() -> None:
    assert RateLimiter(rpm=60).learned is None
    assert believing(NOTHING).learned is None
    assert believing(SIXTY, now=70.0).learned == SIXTY

    limiter = RateLimiter()
    limiter.learn(RateHeaders(requests=Window(600, 599, 1.0)), 12.0)
    assert limiter.learned == LearnedLimits(None, None, 600, None, None, at=12.0)


def test_more_is_tried_too_once_requests_no_longer_come_all_at_once() -> None:
    """A window that is used up at once has a gap to try in; one that fills more slowly later has none to wait for."""
    limiter, taken = believing(SIXTY), list[float]()
    times = [100.0 + 0.002 * n for n in range(60)] + [160.0 + 0.5 * n for n in range(1_500)]
    for now in times:
        verdict = limiter.admit(now, 1)
        if isinstance(verdict, Admitted):
            taken.append(now)
            limiter.settle(verdict.ticket, 1)

    assert sum(at > times[-1] - 60.0 for at in taken) >= 110
