"""Charts are text of exactly the size asked for, that tells its figures without any colour."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.tui.widgets.charts import (
    Axes,
    Bin,
    Glyphs,
    Kind,
    Line,
    Part,
    bar,
    cells,
    glyphs_for,
    histogram,
    legend,
    line_chart,
    nice_top,
    sparkline,
    stacked_bar,
    stretched,
)

AXES = Axes(lambda value: f"{value:g}", "5:00")
SIZES = st.integers(1, 60)
FIGURES = st.lists(st.none() | st.floats(0, 1e12), max_size=80)
BOTH = st.sampled_from(list(Glyphs))


def plain(contents: list[object]) -> list[str]:
    """The text of lines."""
    return [getattr(content, "plain", "") for content in contents]


@given(FIGURES, FIGURES, SIZES, st.integers(1, 20), BOTH)
@settings(max_examples=60)
def test_a_chart_has_the_size_asked_for_whatever_the_figures(
    one: list[float | None], two: list[float | None], width: int, height: int, glyphs: Glyphs
) -> None:
    chart = line_chart([Line(one, kind=Kind.AREA), Line(two)], width, height, AXES, glyphs)
    assert len(chart) in (0, height)
    assert {content.cell_length for content in chart} <= {width}
    if glyphs is Glyphs.ASCII:
        assert all(content.plain.isascii() for content in chart)


def test_a_chart_shows_the_newest_at_the_right_and_the_axis_from_nought() -> None:
    chart = plain(line_chart([Line([1.0, 1.0, 1.0, 9.0])], 20, 6, AXES, Glyphs.ASCII))
    assert chart[0].startswith("10+")
    assert chart[0].rstrip().endswith("*")
    assert chart[2].startswith(" 5+")
    assert chart[4].startswith(" 0+****")
    assert chart[5].endswith("- now")


def test_braille_puts_a_dot_where_the_value_is() -> None:
    (top, bottom) = (plain(line_chart([Line([value])], 8, 3, Axes(str, "", 1.0))) for value in (1.0, 0.0))
    assert top[0].endswith("⠉" * 4)
    assert bottom[1].endswith("⣀" * 4)


def test_a_gap_in_what_is_known_is_a_gap() -> None:
    chart = plain(line_chart([Line([5.0, None, 5.0])], 16, 4, AXES, Glyphs.ASCII))
    assert any("*  " in row.rstrip() and row.rstrip().endswith("*") for row in chart)


def test_a_chart_that_is_too_small_to_read_is_none() -> None:
    assert line_chart([Line([1.0])], 5, 2, AXES) == []


@given(st.floats(1e-6, 1e12))
@settings(max_examples=60)
def test_the_top_of_an_axis_is_round_and_not_far_above(largest: float) -> None:
    assert largest * (1 - 1e-6) <= nice_top(largest) <= largest * 2.51


@given(FIGURES, SIZES, BOTH)
@settings(max_examples=60)
def test_a_sparkline_is_as_wide_as_asked_for(values: list[float | None], width: int, glyphs: Glyphs) -> None:
    assert len(sparkline(values, width, glyphs=glyphs)) == width


def test_a_sparkline_tells_nothing_from_unknown() -> None:
    assert sparkline([None, 0.0, 4.0, 8.0], 5) == "  ▁▄█"


def test_more_figures_than_places_keep_their_peaks() -> None:
    assert stretched([1.0, 9.0, 1.0, 1.0], 2) == [9.0, 1.0]


@given(st.floats(0, 1), SIZES, BOTH)
@settings(max_examples=60)
def test_a_bar_fills_its_share(share: float, width: int, glyphs: Glyphs) -> None:
    drawn = bar(share, width, "$primary", glyphs)
    assert drawn.cell_length == width
    empty = drawn.plain.count("." if glyphs is Glyphs.ASCII else "─")
    assert abs((width - empty) - share * width) <= 1.001
    assert share == 0 or empty < width


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=6), SIZES)
@settings(max_examples=100)
def test_shares_of_a_stacked_bar_fill_it_and_hide_nothing(counts: list[int], width: int) -> None:
    widths = cells(counts, width)
    assert sum(widths) == (width if sum(counts) else 0)
    assert all(size >= 0 for size in widths)
    if width >= len(counts):
        assert all(size >= 1 for size, count in zip(widths, counts, strict=True) if count)


def test_states_are_told_by_glyph_and_word() -> None:
    parts = [
        Part("done", 6, "$success", "█", "#"),
        Part("dead", 1, "$error", "✗", "x"),
        Part("cached", 0, "", "▓", "="),
    ]
    assert stacked_bar(parts, 14).plain == "█" * 12 + "✗" * 2
    assert stacked_bar(parts, 14, Glyphs.ASCII).plain == "#" * 12 + "x" * 2
    assert legend(parts, str).plain == "█ 6 done   ✗ 1 dead"


def test_a_histogram_is_in_proportion_and_labelled() -> None:
    rows = [row.plain for row in histogram([Bin("timeout", 5), Bin("overloaded", 10)], 24, str, Glyphs.ASCII)]
    assert rows == ["timeout    #####.....  5", "overloaded ########## 10"]


def test_what_to_draw_with_depends_on_the_terminal() -> None:
    assert glyphs_for("utf-8", "xterm-256color") is Glyphs.UNICODE
    assert glyphs_for("UTF8", "") is Glyphs.UNICODE
    assert glyphs_for("iso8859-1", "xterm") is Glyphs.ASCII
    assert glyphs_for("utf-8", "linux") is Glyphs.ASCII
    assert glyphs_for(None, "xterm") is Glyphs.ASCII
