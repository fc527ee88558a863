"""Costs are reckoned in whole numbers, and are what fractions would give, to the last nano-dollar."""

import math
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.outcome import Usage
from tui_batch.money.prices import UnitPrices, cost, summed

PRICE = st.fractions(min_value=0, max_value=200_000, max_denominator=10_000)
TOKENS = st.integers(0, 2_000_000)


@settings(max_examples=60)
@given(st.lists(st.tuples(TOKENS, PRICE), max_size=6))
def test_a_sum_of_parts_is_exact(parts: list[tuple[int, Fraction]]) -> None:
    assert Fraction(*summed(parts)) == sum((tokens * price for tokens, price in parts), Fraction(0))


@settings(max_examples=60)
@given(
    prices=st.builds(UnitPrices, PRICE, PRICE, cached=st.none() | PRICE, per_request=PRICE),
    given_tokens=TOKENS,
    made=TOKENS,
    cached=st.integers(0, 1_000),
    batch=st.booleans(),
    region=st.none() | st.just("us"),
)
def test_a_request_costs_the_nearest_whole_number(
    prices: UnitPrices, given_tokens: int, made: int, cached: int, batch: bool, region: str | None
) -> None:
    cached = min(cached, given_tokens)
    usage = Usage(given_tokens, made, cached_tokens=cached, region=region)
    held = prices.input if prices.cached is None else prices.cached
    tokens = (given_tokens - cached) * prices.input + cached * held + made * prices.output
    factor = (Fraction(11, 10) if region else 1) * (prices.batch if batch else 1)
    expected = math.floor(tokens * factor + prices.per_request + Fraction(1, 2))
    assert cost(usage, prices, batch=batch) == (expected if prices.costs_tokens else 0)
