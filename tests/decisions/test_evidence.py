"""Whether any limit explains refusals, against servers that have one and servers that refuse by chance."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.engine.evidence import JITTER_S, Evidence

Server = Callable[[float, int], bool]
"""(time, tokens) -> whether the request is taken."""


def limited(limit: int, span_s: float, *, by_tokens: bool = False) -> Server:
    """Takes at most so many requests (or tokens) in any span."""
    taken: list[tuple[float, int]] = []

    def take(now: float, tokens: int) -> bool:
        used = sum(amount for at, amount in taken if at > now - span_s)
        amount = tokens if by_tokens else 1
        if used + amount > limit:
            return False
        taken.append((now, amount))
        return True

    return take


def by_chance(share: float, seed: int) -> Server:
    rng = random.Random(seed)
    return lambda now, tokens: rng.random() >= share


def gather(server: Server, per_s: Callable[[float], float], seconds: float, seed: int, stop_s: float = 0.5) -> Evidence:
    """What a client sees that sends at a rate that varies, and stops for a moment when it is refused."""
    rng, evidence, now = random.Random(seed), Evidence(), 0.0
    while now < seconds:
        now += rng.expovariate(per_s(now))
        tokens = rng.randint(50, 150)
        evidence.sent(now, tokens)
        if not server(now + rng.uniform(0.0, JITTER_S / 2), tokens):
            evidence.refused(now, tokens)
            now += stop_s
    return evidence


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([1.0, 2.0, 10.0, 60.0]), st.integers(4, 60), st.integers(0, 1_000), st.booleans())
def test_a_limit_over_any_span_explains_all_of_its_refusals(span_s: float, limit: int, seed: int, tokens: bool) -> None:
    in_tokens = tokens and span_s == 60.0
    server = limited(limit * 100 if in_tokens else limit, span_s, by_tokens=in_tokens)

    evidence = gather(server, lambda now: limit / span_s * (0.5 + now % 5), 30.0, seed)

    assert evidence.unexplained(30.0) == 0


@pytest.mark.parametrize(("share", "seconds"), [(0.02, 20.0), (0.05, 15.0), (0.1, 10.0)])
def test_no_limit_explains_refusals_by_chance(share: float, seconds: float) -> None:
    def load(now: float) -> float:
        """It rises."""
        return 2.0 + 2.0 * now

    tries = [gather(by_chance(share, seed), load, seconds, seed, 0.1) for seed in range(10)]
    found = [one.unexplained(seconds) >= 2 for one in tries]

    assert sum(found) >= 7


def burst(evidence: Evidence, at: float, number: int) -> None:
    for _ in range(number):
        evidence.sent(at, 100)


def test_a_refusal_is_unexplained_once_more_was_taken_than_it_allows_and_counts_twice_when_by_far_more_was() -> None:
    evidence = Evidence()
    burst(evidence, 0.0, 9)
    evidence.refused(0.0, 100)
    assert evidence.unexplained(1.0) == 0
    burst(evidence, 70.0, 10)
    assert evidence.unexplained(10.0) == 0
    assert evidence.unexplained(59.0) == 0, "what was sent later is left out"

    evidence.sent(71.0, 100)
    evidence.refused(71.0, 100)
    burst(evidence, 72.0, 12)
    assert evidence.unexplained(73.0) == 0, "twelve may be what others use, or a sloppy count"
    burst(evidence, 75.0, 1)
    assert evidence.unexplained(76.0) == 0, "thirteen in a minute, but not in a second"
    burst(evidence, 75.0, 14)
    assert evidence.unexplained(76.0) == 1
    burst(evidence, 75.0, 14)
    assert evidence.unexplained(76.0) == 2


def test_what_came_before_the_first_refusal_does_not_count_for_a_limit_may_have_fallen() -> None:
    evidence = Evidence()
    for number in range(100):
        evidence.sent(number / 10, 100)
    evidence.sent(20.0, 100)
    evidence.refused(20.0, 100)

    assert evidence.unexplained(25.0) == 0


def test_what_was_not_sent_after_all_is_no_evidence() -> None:
    evidence = Evidence()
    evidence.sent(1.0, 100)
    evidence.refused(1.0, 100)
    burst(evidence, 2.0, 50)
    for _ in range(49):
        evidence.withdrew(2.0, 100)

    assert evidence.unexplained(5.0) == 0


def test_refusals_that_always_come_at_the_same_count_agree_on_a_limit() -> None:
    evidence = Evidence()
    for second in range(0, 10, 2):
        burst(evidence, float(second), 10)
        evidence.sent(second + 0.2, 100)
        evidence.refused(second + 0.2, 100)

    assert evidence.agrees(10.0)
    assert not gather(by_chance(0.1, 3), lambda now: 10.0 + 4.0 * now, 20.0, seed=3).agrees(20.0)


def test_evidence_stays_small_and_right_over_an_hour() -> None:
    evidence = Evidence()
    for second in range(3_600):
        burst(evidence, float(second), 2)
    evidence.refused(3_599.0, 100)
    burst(evidence, 3_600.0, 30)

    assert evidence.unexplained(3_601.0) == 0, "31 in a minute are fewer than what was taken before"
    assert len(evidence) < 10_000
