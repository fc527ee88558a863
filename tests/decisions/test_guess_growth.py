"""How soon more than a guessed limit is tried: so rarely that the refusals it costs are few in a hundred requests."""

from __future__ import annotations

import pytest

from tui_batch.engine.pacer import FIRST_GROW_S, LONGEST_GROW_S, first_grow_s
from tui_batch.engine.ratelimit import Admitted, RateLimiter


@pytest.mark.parametrize(
    ("guess", "seconds"), [(60, 300.0), (120, 150.0), (600, FIRST_GROW_S), (10_000, FIRST_GROW_S), (1, LONGEST_GROW_S)]
)
def test_the_first_try_comes_after_300_requests_within_bounds(guess: int, seconds: float) -> None:
    assert first_grow_s(guess) == seconds


def test_a_small_limit_that_was_learned_is_not_passed_for_three_minutes() -> None:
    limiter, now = RateLimiter(), 0.0
    taken, refused = list[float](), list[float]()
    while now < 190.0:
        verdict = limiter.admit(now, 1)
        if not isinstance(verdict, Admitted):
            now = verdict.until
            continue
        lately = [at for at in taken if at > now - 60.0]
        if len(lately) < 60:
            taken.append(now)
            limiter.settle(verdict.ticket, 1)
        else:
            refused.append(now)
            limiter.refused(now, lately[0] + 60.0 - now, verdict.ticket)
        now += 0.01
    assert len(refused) == 1
    assert len(taken) >= 4 * 60
