"""Charts: well-formed, inside their frame, and true to scale."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.report.charts import (
    HEIGHT,
    WIDTH,
    Axes,
    Bar,
    Series,
    bar_list,
    histogram,
    line_chart,
    nice_step,
    time_step,
)
from tui_batch.report.shown import milliseconds
from tui_batch.report.spread import EDGES_MS, merged, percentile, spread_of

SVG = "{http://www.w3.org/2000/svg}"
NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=50)
AXES = Axes("a < b", 10.0, str, str)


def numbers(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", svg)]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.none() | st.floats(0, 1e12), min_size=1, max_size=30), st.booleans())
def test_a_line_stays_in_its_frame_and_has_a_gap_where_nothing_is(values: list[float | None], shaded: bool) -> None:
    svg = line_chart(AXES, [Series("one", "ok", tuple(values), shaded)])
    ElementTree.fromstring(svg)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in numbers(svg))
    runs = len(re.findall("1+", "".join("0" if value is None else "1" for value in values)))
    assert svg.count("<polyline") + svg.count("<circle") == runs


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(NAMES, st.integers(0, 10**9)), max_size=12))
def test_bars_are_true_to_scale_and_their_names_are_text(rows: list[tuple[str, int]]) -> None:
    bars = [Bar(name, value, str(value)) for name, value in rows]
    tree = ElementTree.fromstring(bar_list("bars", bars))
    widths = [float(one.get("width", "0")) for one in tree.iter(f"{SVG}rect")]
    assert len(widths) == len(rows)
    highest = max((value for _, value in rows), default=0)
    for width, (_, value) in zip(widths, rows, strict=True):
        assert abs(width - max(widths) * value / highest) <= 1.1 if highest else width == 0
    ElementTree.fromstring(histogram(AXES, bars, [(0.5, "p50 <1>")]))


@given(st.floats(1e-6, 1e15))
@settings(deadline=None, max_examples=100)
def test_steps_are_round_and_few(high: float) -> None:
    step = nice_step(high)
    assert 1.5 <= high / step <= 4.01
    assert f"{step:.0e}"[0] in "125"


@pytest.mark.parametrize(
    ("seconds", "step"),
    [(0.5, 0.1), (5, 1), (50, 10), (80, 15), (544, 120), (3_500, 600), (86_400, 14_400), (700_000, 172_800)],
)
def test_times_are_marked_as_on_a_clock(seconds: float, step: float) -> None:
    assert time_step(seconds) == pytest.approx(step)


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "?"), (999.4, "999 ms"), (999.6, "1.00 s"), (1_084, "1.08 s"), (9_996, "10.0 s"), (123_456, "123 s")],
)
def test_latencies_have_three_digits(value: float | None, words: str) -> None:
    assert milliseconds(value) == words


@given(st.floats(1e-3, 1e9))
@settings(deadline=None, max_examples=50)
def test_marks_of_time_are_few(seconds: float) -> None:
    assert 1 <= seconds / time_step(seconds) <= 6.01


@given(st.dictionaries(st.integers(0, 3_000_000), st.integers(1, 100), min_size=1, max_size=40))
@settings(deadline=None, max_examples=80)
def test_a_spread_counts_every_answer_and_orders_its_percentiles(counts: dict[int, int]) -> None:
    spread = spread_of(counts)
    assert spread is not None
    assert sum(one.count for one in spread.bins) == spread.count == sum(counts.values())
    assert min(counts) <= spread.p50 <= spread.p95 <= spread.p99 <= spread.longest == max(counts)
    assert all(left.high_ms == right.low_ms for left, right in zip(spread.bins, spread.bins[1:], strict=False))
    assert spread.bins[-1].low_ms <= spread.longest or spread.longest >= EDGES_MS[-1]


def test_percentiles_are_nearest_rank() -> None:
    ordered = [(n, 1) for n in range(1, 101)]
    assert [percentile(ordered, 100, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert merged([{1: 2}, {1: 1, 3: 4}]) == {1: 3, 3: 4}
    assert spread_of({}) is None
