"""Whether any limit explains refusals, against servers that have one and servers that refuse by chance."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.engine.evidence import Evidence, Load, is_explained

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


def gather(server: Server, per_s: Callable[[float], float], seconds: float, seed: int) -> Evidence:
    """What a client sees that sends at a rate that varies, and stops for half a second when it is refused."""
    rng, evidence, now, taken = random.Random(seed), Evidence(), 0.0, list[tuple[float, int]]()
    while now < seconds:
        now += rng.expovariate(per_s(now))
        tokens = rng.randint(50, 150)
        evidence.sent(now)
        lately = [amount for at, amount in taken if at > now - 60.0]
        seen = (now, len(lately) + 1, sum(lately) + tokens, tokens)
        if server(now, tokens):
            taken.append((now, tokens))
            evidence.accepted(*seen)
        else:
            evidence.refused(*seen)
            now += 0.5
    return evidence


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([1.0, 2.0, 10.0, 60.0]), st.integers(4, 60), st.integers(0, 1_000), st.booleans())
def test_a_limit_over_any_span_explains_all_of_its_refusals(span_s: float, limit: int, seed: int, tokens: bool) -> None:
    in_tokens = tokens and span_s == 60.0
    server = limited(limit * 100 if in_tokens else limit, span_s, by_tokens=in_tokens)

    evidence = gather(server, lambda now: limit / span_s * (0.5 + now % 5), 30.0, seed)

    assert evidence.unexplained() == 0


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_no_limit_explains_refusals_by_chance(share: float) -> None:
    found = [gather(by_chance(share, seed), lambda now: 20.0, 20.0, seed).unexplained() >= 2 for seed in range(10)]

    assert sum(found) >= 7


def test_one_refusal_with_fewer_behind_it_than_those_that_were_taken_is_unexplained() -> None:
    def load(count: int) -> Load:
        return Load((count, count), (3.0, 3.0))

    assert is_explained(load(10), [load(9), load(8), load(10)])
    assert is_explained(load(10), [load(20)])
    assert not is_explained(load(10), [load(20), load(21)])
    assert is_explained(load(10), [Load((20, 5), (3.0, 3.0))] * 10)


def test_what_came_before_the_first_refusal_does_not_count_for_a_limit_may_have_fallen() -> None:
    evidence = Evidence()
    for number in range(100):
        evidence.sent(number / 10)
        evidence.accepted(number / 10, number + 1, 0, 0)
    evidence.sent(20.0)
    evidence.refused(20.0, 50, 0, 0)

    assert evidence.unexplained() == 0


def test_refusals_that_always_come_at_the_same_count_agree_on_a_limit() -> None:
    evidence = gather(limited(10, 1.0), lambda now: 30.0, 5.0, seed=1)

    assert evidence.agrees
    assert not gather(by_chance(0.1, 3), lambda now: 10.0 + 4.0 * now, 20.0, seed=3).agrees
