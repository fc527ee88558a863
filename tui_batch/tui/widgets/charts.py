"""Charts as text: pure functions from figures and a size to lines.

Everything that a colour tells is told by a glyph or a word as well, so that it survives NO_COLOR. Styles are theme
variables and are looked up when the line is painted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from textual.content import Content

Values = Sequence[float | None]
"""In order of time; None: nothing is known of that moment."""
MUTED = "dim"


class Glyphs(Enum):
    """What a terminal can show."""

    UNICODE = "unicode"
    ASCII = "ascii"


def glyphs_for(encoding: str | None, term: str) -> Glyphs:
    """What to draw with, by a terminal's encoding and its kind: a Linux console has no font with braille."""
    if term == "linux" or encoding is None or "utf" not in encoding.lower():
        return Glyphs.ASCII
    return Glyphs.UNICODE


class Kind(Enum):
    """How a line of a chart is drawn."""

    LINE = "line"
    AREA = "area"
    """Filled down to the axis."""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure over time."""

    values: Values
    style: str = "$primary"
    kind: Kind = Kind.LINE


# A braille character is a cell of 2 x 4 dots; bit numbers by column and row (Unicode, block Braille Patterns).
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE = 0x2800
_BLOCKS = " ▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = " ._-=+*#@"
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_MARKS = "*+ox"
_ROUND = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(slots=True)
class _Cell:
    """What is drawn at one place of a chart."""

    bits: int = 0
    mark: str = ""
    style: str = ""


class _Canvas:
    """Dots on a grid of cells: 2 x 4 a cell with braille, 1 x 1 with plain characters."""

    def __init__(self, width: int, height: int, glyphs: Glyphs) -> None:
        self.glyphs = glyphs
        self._cells = [[_Cell() for _ in range(width)] for _ in range(height)]
        self.across, self.down = (2, 4) if glyphs is Glyphs.UNICODE else (1, 1)
        self.dots_wide, self.dots_high = width * self.across, height * self.down

    def dot(self, x: int, y: int, style: str, mark: str) -> None:
        """A dot, counted from the left and the bottom."""
        row, cell_y = divmod(self.dots_high - 1 - y, self.down)
        column, cell_x = divmod(x, self.across)
        cell = self._cells[row][column]
        if self.glyphs is Glyphs.UNICODE:
            cell.bits |= _DOTS[cell_x][cell_y]
        cell.mark, cell.style = mark, style

    def rows(self) -> list[Content]:
        """What was drawn; neighbours of one style are one piece, as pieces are what drawing costs."""
        drawn = []
        for row in self._cells:
            runs = groupby(row, key=lambda cell: cell.style)
            drawn.append(Content.assemble(*(("".join(map(self._char, run)), style) for style, run in runs)))
        return drawn

    def _char(self, cell: _Cell) -> str:
        if self.glyphs is Glyphs.UNICODE:
            return chr(_BRAILLE + cell.bits) if cell.bits else " "
        return cell.mark or " "


def dots_wide(width: int, glyphs: Glyphs = Glyphs.UNICODE) -> int:
    """How many moments a chart of so many columns can show, axis not counted."""
    return width * 2 if glyphs is Glyphs.UNICODE else width


def plot(lines: Sequence[Line], width: int, height: int, top: float, glyphs: Glyphs = Glyphs.UNICODE) -> list[Content]:
    """Lines from 0 to `top` without axes; values are spread over the width, later lines are drawn over earlier ones."""
    if width < 1 or height < 1:
        return []
    canvas = _Canvas(width, height, glyphs)
    for number, line in enumerate(lines):
        _draw(canvas, line, top, _MARKS[number % len(_MARKS)])
    return canvas.rows()


def _draw(canvas: _Canvas, line: Line, top: float, mark: str) -> None:
    before: int | None = None
    for x, value in enumerate(stretched(line.values, canvas.dots_wide)):
        if value is None or not math.isfinite(value):
            before = None
            continue
        share = 0.0 if top <= 0 else min(1.0, max(0.0, value / top))
        y = round(share * (canvas.dots_high - 1))
        lowest = 0 if line.kind is Kind.AREA else y if before is None else min(y, before + (1 if before < y else 0))
        highest = y if before is None or line.kind is Kind.AREA else max(y, before - (1 if before > y else 0))
        for dot in range(lowest, highest + 1):
            canvas.dot(x, dot, line.style, mark)
        before = y


def stretched(values: Values, count: int) -> list[float | None]:
    """Values as `count` of them: the largest of each share when there are more, repeated when there are fewer."""
    size = len(values)
    if not size or count < 1:
        return [None] * max(0, count)
    found: list[float | None] = []
    for n in range(count):
        first = n * size // count
        last = max(first + 1, (n + 1) * size // count)
        known = [value for value in values[first:last] if value is not None]
        found.append(max(known) if known else None)
    return found


def nice_top(largest: float) -> float:
    """The end of an axis: the next number of one digit, or 1.5 or 2.5, times a power of ten; 1 without figures."""
    if largest <= 0 or not math.isfinite(largest):
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next((step * power for step in _ROUND if largest <= step * power * (1 + 1e-9)), largest)


@dataclass(frozen=True, slots=True)
class Axes:
    """How a chart is labelled."""

    label: Callable[[float], str]
    """A value of the vertical axis, in few characters."""
    span: str
    """The time that the left end lies back, in words: 5:00."""
    top: float | None = None
    """The end of the vertical axis; None: a round number above the largest value."""
    until: str = "now"
    """What the right end is."""


def line_chart(
    lines: Sequence[Line], width: int, height: int, axes: Axes, glyphs: Glyphs = Glyphs.UNICODE
) -> list[Content]:
    """A chart with its axes, `height` lines of `width` cells; nothing when that is too small to read."""
    known = [value for line in lines for value in line.values if value is not None and math.isfinite(value)]
    top = nice_top(max(known, default=0.0)) if axes.top is None else axes.top
    marks = (axes.label(top), axes.label(top / 2), axes.label(0))
    margin = max(len(mark) for mark in marks)
    inner, rows = width - margin - 1, height - 1
    if inner < 4 or rows < 2:
        return []
    body = plot(lines, inner, rows, top, glyphs)
    upright, corner = ("│", "└") if glyphs is Glyphs.UNICODE else ("|", "+")
    tick = "┤" if glyphs is Glyphs.UNICODE else "+"
    drawn = []
    for row, content in enumerate(body):
        mark = {0: marks[0], (rows - 1) // 2: marks[1] if rows >= 5 else "", rows - 1: marks[2]}.get(row, "")
        drawn.append(Content.assemble((f"{mark:>{margin}}{tick if mark else upright}", MUTED), content))
    return [*drawn, Content.assemble((" " * margin + corner + _time_axis(inner, axes, glyphs), MUTED))]


def _time_axis(width: int, axes: Axes, glyphs: Glyphs) -> str:
    rule = "─" if glyphs is Glyphs.UNICODE else "-"
    left, right = f" {axes.span} {'ago' if axes.until == 'now' else 'before'} ", f" {axes.until}"
    if width < len(left) + len(right) + 2:
        return rule * width
    return rule + left + rule * (width - 1 - len(left) - len(right)) + right


def sparkline(values: Values, width: int, top: float | None = None, glyphs: Glyphs = Glyphs.UNICODE) -> str:
    """One line of bars, the newest at the right; unknown moments are empty, and known ones never are."""
    shown = stretched(values, width) if len(values) > width else [*[None] * (width - len(values)), *values]
    known = [value for value in shown if value is not None]
    largest = max(known, default=0.0) if top is None else top
    blocks = _BLOCKS if glyphs is Glyphs.UNICODE else _ASCII_BLOCKS
    return "".join(" " if value is None else blocks[_level(value, largest, len(blocks) - 1)] for value in shown)


def _level(value: float, largest: float, steps: int) -> int:
    share = 0.0 if largest <= 0 else min(1.0, max(0.0, value / largest))
    return max(1, round(share * steps))


def bar(share: float, width: int, style: str, glyphs: Glyphs = Glyphs.UNICODE) -> Content:
    """A bar filled to a share (0 to 1) of its width, to an eighth of a cell. Anything above 0 can be seen."""
    share = min(1.0, max(0.0, share))
    if glyphs is Glyphs.ASCII:
        full = math.ceil(share * width) if share < 0.5 else math.floor(share * width)
        return Content.assemble(("#" * full, style), ("." * (width - full), MUTED))
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    filled = "█" * full + _EIGHTHS[rest]
    return Content.assemble((filled, style), ("─" * (width - len(filled)), MUTED))


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a stacked bar."""

    name: str
    count: int
    style: str
    glyph: str
    plain: str
    """The glyph where the terminal has only ASCII."""

    def sign(self, glyphs: Glyphs) -> str:
        """The glyph that this terminal can show."""
        return self.glyph if glyphs is Glyphs.UNICODE else self.plain


def cells(counts: Sequence[int], width: int) -> list[int]:
    """Widths that add up to `width`, in proportion; whatever is there at all gets a cell as long as there are cells."""
    total = sum(counts)
    if total <= 0 or width < 1:
        return [0] * len(counts)
    exact = [count * width / total for count in counts]
    found = [max(1 if count else 0, math.floor(share)) for count, share in zip(counts, exact, strict=True)]
    while sum(found) > width:  # the parts that got a cell beyond their due take it from the widest
        found[found.index(max(found))] -= 1
    by_rest = sorted(range(len(counts)), key=lambda n: found[n] - exact[n])
    for n in by_rest[: width - sum(found)]:
        found[n] += 1
    found[found.index(max(found))] += width - sum(found)
    return found


def stacked_bar(parts: Sequence[Part], width: int, glyphs: Glyphs = Glyphs.UNICODE) -> Content:
    """One line in which every part has its share, its glyph and its colour."""
    widths = cells([part.count for part in parts], width)
    drawn = [(part.sign(glyphs) * size, part.style) for part, size in zip(parts, widths, strict=True)]
    return Content.assemble(*drawn) if any(widths) else Content.assemble(("·" * width, MUTED))


def legend(parts: Sequence[Part], number: Callable[[int], str], glyphs: Glyphs = Glyphs.UNICODE) -> Content:
    """What the glyphs of a stacked bar mean, with counts; parts of which there are none are left out."""
    pieces: list[Content] = []
    for part in parts:
        if part.count:
            pieces.append(Content.assemble((part.sign(glyphs), part.style), f" {number(part.count)} {part.name}"))
    return Content("   ").join(pieces)


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a histogram."""

    label: str
    count: int
    style: str = "$primary"


def histogram(
    bins: Sequence[Bin], width: int, number: Callable[[int], str], glyphs: Glyphs = Glyphs.UNICODE
) -> list[Content]:
    """A line for each bin: label, bar in proportion to the largest, count."""
    if not bins:
        return []
    named = max(len(one.label) for one in bins)
    counted = max(len(number(one.count)) for one in bins)
    largest = max(one.count for one in bins)
    room = max(1, width - named - counted - 2)
    return [
        Content.assemble(
            f"{one.label:<{named}} ",
            bar(one.count / largest if largest else 0.0, room, one.style, glyphs),
            f" {number(one.count):>{counted}}",
        )
        for one in bins
    ]
