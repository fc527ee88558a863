"""Figures as people read them."""

from __future__ import annotations

import pytest

from tui_batch import figures
from tui_batch.domain.job import Counters


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "?"),
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59, "59 s"),
        (187, "3:07"),
        (7500, "2:05:00"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert figures.duration(seconds) == shown


@pytest.mark.parametrize(
    ("nano", "shown"),
    [
        (0, "$0"),
        (12_340_000_000, "$12.34"),
        (12_300_000, "$0.0123"),
        (450_000, "$0.00045"),
        (40_600, "$0.000041"),
        (9_990, "$0.000010"),
        (380, "$0.00000038"),
        (20, "$0.000000020"),
        (1, "$0.000000001"),
        (1_234_567_000_000_000, "$1,234,567.00"),
    ],
)
def test_dollars_keep_the_digits_that_matter(nano: int, shown: str) -> None:
    assert figures.dollars(nano) == shown


def test_an_unknown_cost_is_a_question_mark_and_never_nought() -> None:
    assert figures.cost(Counters(unpriced=1)) == "$?"
    assert figures.cost(Counters(unpriced=1, cost_nano=10_000_000)) == "$0.0100 + ?"
    assert figures.cost(Counters()) == "$0"


def test_percent_is_rounded_down_so_that_a_hundred_means_all() -> None:
    assert figures.percent(999, 1000) == "99 %"
    assert figures.percent(1000, 1000) == "100 %"
    assert figures.percent(0, 0) == "0 %"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        *((0, "0"), (950, "950"), (12_345, "12.3k"), (123_456, "123k"), (4_500_000, "4.5M")),
        *((99_949, "99.9k"), (99_950, "100k"), (999_499, "999k"), (999_500, "1.0M"), (999_999_999, "1.0G")),
    ],
)
def test_short_counts_take_five_characters_at_most(number: int, shown: str) -> None:
    assert figures.short_count(number) == shown
    assert len(shown) <= 5


def test_times_are_utc_to_the_millisecond() -> None:
    assert figures.utc(0.5) == "1970-01-01T00:00:00.500Z"
    assert figures.utc(None) is None


def test_rates() -> None:
    assert figures.rate(12.34) == "12.3/s"
    assert figures.rate(0.5) == "30.0/min"
