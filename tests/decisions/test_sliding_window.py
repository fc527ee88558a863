"""The sliding window is exact: compared with a model that keeps everything and tries every moment."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.engine.window import EXACT_ENTRIES, QUANTA, SlidingWindow

PERIOD = 60.0


def counted(taken: list[tuple[float, int]], now: float) -> int:
    return sum(amount for at, amount in taken if at + PERIOD > now)


def model_earliest(taken: list[tuple[float, int]], limit: int, now: float, amount: int) -> float:
    """The first of all moments at which anything changes that has room."""
    for moment in sorted({now, *(at + PERIOD for at, _ in taken if at + PERIOD > now)}):
        used = counted(taken, moment)
        if used + amount <= limit or used == 0:
            return moment
    raise AssertionError("an empty window always has room")


steps = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 12)), min_size=1, max_size=60)


@settings(deadline=None, max_examples=70)
@given(steps, st.integers(1, 20))
def test_each_take_waits_exactly_as_long_as_it_must(steps: list[tuple[int, int]], limit: int) -> None:
    window = SlidingWindow(limit)
    taken: list[tuple[float, int]] = []
    now = 0.0
    for pause, amount in steps:
        now += pause
        at = window.earliest(now, amount)
        assert at == model_earliest(taken, limit, now, amount)
        now = at
        window.take(now, amount)
        taken.append((now, amount))
        assert window.used(now) == counted(taken, now)


@settings(deadline=None, max_examples=100)
@given(steps, st.integers(1, 20))
def test_no_period_ever_holds_more_than_the_limit(steps: list[tuple[int, int]], limit: int) -> None:
    window = SlidingWindow(limit)
    taken: list[tuple[float, int]] = []
    now = 0.0
    for pause, amount in steps:
        now = window.earliest(now + pause / 10, min(amount, limit))
        window.take(now, min(amount, limit))
        taken.append((now, min(amount, limit)))
    for start, _ in taken:
        assert sum(amount for at, amount in taken if start <= at < start + PERIOD) <= limit


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_settling_counts_what_was_really_used(steps: list[tuple[int, int, int]]) -> None:
    window = SlidingWindow(10)
    real: list[tuple[float, int]] = []
    now = 0.0
    for pause, estimate, actual in steps:
        now += pause
        window.settle(window.take(now, estimate), actual)
        real.append((now, actual))
        assert window.used(now) == counted(real, now)


def test_settling_after_the_entry_has_passed_changes_nothing() -> None:
    window = SlidingWindow(10)
    claim = window.take(0.0, 5)
    assert window.used(61.0) == 0

    window.settle(claim, 9)

    assert window.used(61.0) == 0


def test_what_is_given_back_is_free_at_once() -> None:
    window = SlidingWindow(2)
    claim = window.take(0.0, 2)
    assert window.earliest(1.0, 1) == 60.0

    window.give_back(claim)

    assert window.earliest(1.0, 1) == 1.0


def test_an_amount_above_the_whole_limit_goes_alone() -> None:
    window = SlidingWindow(100)
    assert window.earliest(0.0, 500) == 0.0
    window.take(0.0, 500)

    assert window.earliest(1.0, 1) == 60.0
    assert window.earliest(1.0, 500) == 60.0


def test_a_limit_turned_while_it_runs_holds_at_once() -> None:
    window = SlidingWindow(10)
    for second in range(10):
        window.take(float(second), 1)

    window.limit = 20
    assert window.earliest(10.0, 1) == 10.0
    window.limit = 5
    assert window.earliest(10.0, 1) == 65.0
    window.limit = None
    assert window.earliest(10.0, 1) == 10.0


def test_the_margin_makes_every_entry_live_longer() -> None:
    window = SlidingWindow(1, margin_s=0.25)
    window.take(0.0, 1)

    assert window.earliest(10.0, 1) == 60.25


def test_a_million_takes_stay_in_bounded_memory_and_err_to_the_safe_side() -> None:
    window = SlidingWindow(None)
    for number in range(200_000):
        window.take(number * 0.0005, 1)

    assert len(window) <= EXACT_ENTRIES + QUANTA + 1
    # 120,000 takes lie in the last minute; sharing may hold some up to 10 ms longer, never shorter.
    assert 120_000 <= window.used(199_999 * 0.0005) <= 120_000 + 25
