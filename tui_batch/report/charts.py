"""Charts as inline SVG: pure functions from figures to markup. Colours come from the page's style; text is escaped.

Every chart has a title that a screen reader reads, and a table of the same figures stands elsewhere in the report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

WIDTH = 720
HEIGHT = 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 12, 40
_INNER_W = WIDTH - _LEFT - _RIGHT
_INNER_H = HEIGHT - _TOP - _BOTTOM
_ROW_H = 26
_NAMES_W = 240
_NAME_CHARS = 34
_VALUES_W = 130

_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440)
_CLOCK = (*map(float, (1, 2, 5, 10, 15, 30)), *(60.0 * minutes for minutes in _MINUTES))
"""Steps between seconds and a day."""

Label = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Series:
    """A line over equal steps of x."""

    name: str
    style: str
    """A CSS class of the page: ok, bad, info, warn or muted."""
    values: tuple[float | None, ...]
    """None: nothing there; the line has a gap."""
    shaded: bool = False
    """What lies under the line is shaded."""


@dataclass(frozen=True, slots=True)
class Axes:
    """What the axes of a chart mean."""

    title: str
    x_high: float
    """The seconds at the right end; the left end is 0."""
    x_label: Label
    y_label: Label
    y_high: float | None = None
    """None: from the figures."""
    y_step: float = 0.0
    """The smallest step between two lines of the grid: 1 for what is counted."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar with its name and its value in words."""

    name: str
    value: float
    words: str
    style: str = "info"


def nice_step(high: float, parts: int = 4) -> float:
    """A round step (1, 2 or 5 times a power of ten) of which about `parts` reach `high`."""
    if high <= 0:
        return 1.0
    rough = high / parts
    power = 10.0 ** floor(log10(rough))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= rough * 0.999)


def time_step(seconds: float, parts: int = 6) -> float:
    """A step that clocks have (15 s, 5 min, 6 h, 10 days, ...) of which at most `parts` reach a time."""
    rough = seconds / parts
    if rough <= 1:
        return nice_step(seconds, parts)
    if rough > _CLOCK[-1]:
        return _CLOCK[-1] * nice_step(seconds / _CLOCK[-1], parts)
    return next(step for step in _CLOCK if step >= rough)


def line_chart(axes: Axes, series: Sequence[Series], marks: Sequence[tuple[float, str]] = ()) -> str:
    """Lines over a common axis, which begins at 0. `marks` are upright lines at a value of x, with words."""
    high = axes.y_high or max((value for one in series for value in one.values if value is not None), default=0.0)
    top = _ceiling(high, axes.y_step)
    parts = [_grid(axes, top)]
    for one in series:
        parts += [_stretch(one, run, top) for run in _runs(one.values)]
    parts += [_mark(_LEFT + _INNER_W * _part(at, axes.x_high), words) for at, words in marks]
    parts.append(_legend(series))
    return _svg(axes.title, HEIGHT, parts)


def _stretch(series: Series, run: Sequence[tuple[int, float]], top: float) -> str:
    """A stretch of a line without a gap; a single value is a dot."""
    points = [(_x(place, len(series.values)), _y(value, top)) for place, value in run]
    (first, height), (last, _) = points[0], points[-1]
    if len(points) == 1:
        return f'<circle class="dot {series.style}" cx="{first:.1f}" cy="{height:.1f}" r="2"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    line = f'<polyline class="line {series.style}" points="{path}"/>'
    if not series.shaded:
        return line
    base = _TOP + _INNER_H
    area = f"{first:.1f},{base} {path} {last:.1f},{base}"
    return f'<polygon class="area {series.style}" points="{area}"/>{line}'


def histogram(axes: Axes, bars: Sequence[Bar], marks: Sequence[tuple[float, str]] = ()) -> str:
    """Upright bars side by side, each with its name below. `marks` are lines at a place counted in bars, with words."""
    top = _ceiling(max((bar.value for bar in bars), default=0.0), axes.y_step)
    width = _INNER_W / max(1, len(bars))
    parts = [_y_grid(axes, top)]
    for place, bar in enumerate(bars):
        x, y = _LEFT + place * width, _y(bar.value, top)
        tip = f"<title>{_safe(bar.name)}: {_safe(bar.words)}</title>"
        parts.append(
            f'<rect class="bar {bar.style}" x="{x + 1:.1f}" y="{y:.1f}" width="{max(1.0, width - 2):.1f}" '
            f'height="{_TOP + _INNER_H - y:.1f}">{tip}</rect>'
        )
        parts.append(_text(x + width / 2, HEIGHT - _BOTTOM + 16, bar.name, "middle"))
    parts += [_mark(_LEFT + mark * width, words) for mark, words in marks]
    parts.append(_text(_LEFT, HEIGHT - 6, " · ".join(words for _, words in marks), "start"))
    return _svg(axes.title, HEIGHT, parts)


def _mark(x: float, words: str) -> str:
    line = f'<line class="mark" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_TOP + _INNER_H}"/>'
    return f"<g><title>{_safe(words)}</title>{line}</g>"


def _part(value: float, whole: float) -> float:
    return min(1.0, max(0.0, value / whole if whole > 0 else 0.0))


def bar_list(title: str, bars: Sequence[Bar]) -> str:
    """Bars below one another, with their names on the left and their values on the right."""
    top = max((bar.value for bar in bars), default=0.0) or 1.0
    room = WIDTH - _NAMES_W - _VALUES_W
    parts = []
    for place, bar in enumerate(bars):
        y = place * _ROW_H + 4
        length = max(1.0, room * bar.value / top) if bar.value else 0.0
        parts.append(_text(_NAMES_W - 8, y + 14, bar.name, "end", bar.name))
        parts.append(
            f'<rect class="bar {bar.style}" x="{_NAMES_W}" y="{y}" width="{length:.1f}" height="{_ROW_H - 8}"/>'
        )
        parts.append(_text(_NAMES_W + length + 8, y + 14, bar.words, "start"))
    return _svg(title, max(1, len(bars)) * _ROW_H + 8, parts)


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height}" width="100%" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{_safe(title)}</title>{''.join(parts)}</svg>"
    )


def _grid(axes: Axes, top: float) -> str:
    step = time_step(axes.x_high)
    marks = [number * step for number in range(int(axes.x_high / step + 1e-9) + 1)] if axes.x_high > 0 else [0.0]
    parts = [_y_grid(axes, top)]
    for value in marks:
        x = _LEFT + _INNER_W * (value / axes.x_high if axes.x_high > 0 else 0.0)
        parts.append(
            f'<line class="tick" x1="{x:.1f}" y1="{_TOP + _INNER_H}" x2="{x:.1f}" y2="{_TOP + _INNER_H + 4}"/>'
        )
        parts.append(_text(x, HEIGHT - _BOTTOM + 18, axes.x_label(value), "middle"))
    return "".join(parts)


def _y_grid(axes: Axes, top: float) -> str:
    step = max(axes.y_step, nice_step(top))
    parts = []
    for number in range(int(top / step + 1e-9) + 1):
        y = _y(number * step, top)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 6, y + 4, axes.y_label(number * step), "end"))
    return "".join(parts)


def _legend(series: Sequence[Series]) -> str:
    if len(series) < 2:
        return ""
    parts = []
    for place, one in enumerate(series):
        x = _LEFT + place * 150
        parts.append(f'<rect class="bar {one.style}" x="{x}" y="{HEIGHT - 12}" width="10" height="10"/>')
        parts.append(_text(x + 15, HEIGHT - 3, one.name, "start"))
    return "".join(parts)


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Stretches without a gap."""
    runs: list[list[tuple[int, float]]] = []
    open_run = False
    for place, value in enumerate(values):
        if value is None:
            open_run = False
            continue
        if not open_run:
            runs.append([])
            open_run = True
        runs[-1].append((place, value))
    return runs


def _ceiling(high: float, least: float) -> float:
    """The next whole step at or above the highest value."""
    step = max(least, nice_step(high))
    steps = high / step
    return step * max(1, floor(steps) + (steps - floor(steps) > 1e-9))


def _x(place: int, count: int) -> float:
    return _LEFT + _INNER_W * (place / (count - 1) if count > 1 else 0.5)


def _y(value: float, top: float) -> float:
    return _TOP + _INNER_H * (1 - min(1.0, max(0.0, value / top if top else 0.0)))


def _text(x: float, y: float, words: str, anchor: str, tip: str = "") -> str:
    shown = words if len(words) <= _NAME_CHARS or anchor == "start" else words[: _NAME_CHARS - 1] + "…"
    title = f"<title>{_safe(tip)}</title>" if tip and tip != shown else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_safe(shown)}{title}</text>'


def _safe(words: str) -> str:
    return escape(words, quote=True)
