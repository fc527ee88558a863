"""Percentiles and rates against the plain computation on all values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.engine.histogram import Histogram, WindowedRate

latencies = st.lists(st.floats(0.000_2, 20_000), min_size=1, max_size=200)


def histogram_of(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@settings(deadline=None, max_examples=60)
@given(latencies, st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_percentiles_are_within_2_5_percent(values: list[float], share: float) -> None:
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]

    assert histogram_of(values).percentile(share) == pytest.approx(exact, rel=0.026)


@settings(deadline=None, max_examples=60)
@given(latencies, latencies)
def test_merging_is_as_adding_all(one: list[float], other: list[float]) -> None:
    merged = histogram_of(one)
    merged.merge(histogram_of(other))

    both = histogram_of(one + other)
    assert len(merged) == len(both)
    assert [merged.percentile(p / 10) for p in range(11)] == [both.percentile(p / 10) for p in range(11)]


def test_nothing_added_has_no_percentile() -> None:
    assert Histogram().percentile(0.5) is None


@pytest.mark.parametrize("value", [-1.0, 0.0, 1e9])
def test_odd_values_are_counted_at_the_ends(value: float) -> None:
    histogram = histogram_of([value])

    assert len(histogram) == 1
    assert histogram.percentile(0.5) is not None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 100)), min_size=1, max_size=100))
def test_the_windowed_rate_is_what_happened_in_the_window(events: list[tuple[float, int]]) -> None:
    meter, now, seen = WindowedRate(10.0), 0.0, []
    for pause, amount in events:
        now += pause
        meter.add(now, amount)
        seen.append((now, amount))

    age = min(10.0, max(1.0, now - seen[0][0]))
    inner = sum(amount for at, amount in seen if at > now - 9.8)
    outer = sum(amount for at, amount in seen if at >= now - 10.0)
    assert inner / age - 1e-6 <= meter.rate(now) <= outer / age + 1e-6


def test_a_rate_falls_to_nothing_when_nothing_happens() -> None:
    meter = WindowedRate(10.0)
    meter.add(0.0, 50)

    assert meter.rate(0.5) == 50.0
    assert meter.rate(5.0) == 10.0
    assert meter.rate(11.0) == 0.0
    assert WindowedRate().rate(5.0) == 0.0
