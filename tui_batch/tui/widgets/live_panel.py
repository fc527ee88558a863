"""The selected job, live: what matters in words and gauges first, then as many charts as there is room for."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from textual.content import Content
from textual.geometry import Size

from tui_batch import figures
from tui_batch.tui.history import History, Point, finished, tokens
from tui_batch.tui.view import JobView, View
from tui_batch.tui.widgets import live_lines
from tui_batch.tui.widgets.charts import (
    MUTED,
    Axes,
    Glyphs,
    Kind,
    Line,
    Values,
    dots_wide,
    glyphs_for,
    line_chart,
    sparkline,
)
from tui_batch.tui.widgets.lines import Lines
from tui_batch.tui.widgets.live_lines import OwnKeys, Subject

SPANS_S = (600.0, 3_600.0, 43_200.0)
"""What charts show at most: ten minutes, an hour, twelve hours. A younger job fills them sooner."""
LOWEST = 6
"""Lines that a chart needs, its title included."""
NARROWEST = 38
GUTTER = 3
ROOMY = 20
"""From so many lines on kinds of failures have a line each; with fewer the charts need them."""
BEST_SHAPE = 2.2
"""Width to height of a chart, as the eye sees it."""
QUICKEST_S, SLOWEST_S = 1.0, 5.0
"""Between two drawings of the same charts; the words beside them are drawn at every tick."""
PERCENTILES = ("$success", "$warning", "$error")


@dataclass(frozen=True, slots=True)
class Chart:
    """A titled chart, not yet drawn to a size."""

    title: str
    lines: tuple[Line, ...]
    axes: Axes
    key: Content


@dataclass(frozen=True, slots=True)
class Frame:
    """What can be drawn on."""

    width: int
    height: int
    glyphs: Glyphs = Glyphs.UNICODE
    span_s: float = SPANS_S[0]
    """The longest time that a chart shows."""
    keys: OwnKeys = field(default_factory=dict)


def draw_words(view: View, frame: Frame) -> list[Content]:
    """Everything about the selected job that is no picture, in at most the lines and cells of the frame."""
    job = view.job
    if job is None or frame.width < 20 or frame.height < 1:
        return []
    subject = subject_of(view, job, view.history.get(job.id), frame)
    lines = words(subject, frame.width, frame.height)
    return [line.truncate(frame.width, ellipsis=True) for line in lines[: frame.height]]


def draw_pictures(job: JobView, history: History | None, frame: Frame) -> list[Content]:
    """What can be drawn of a job's history in what is left: charts, else one line each, else nothing."""
    if history is None or history.age_s <= 0 or frame.height < 1 or frame.width < 20:
        return []
    width, glyphs = frame.width, frame.glyphs
    if frame.height <= LOWEST:
        drawn = sparks(job, history, frame)[: frame.height]
        return [Content(""), *drawn] if len(drawn) < frame.height else drawn
    charts = charts_of(history, frame, "now" if job.is_active else "the end")
    return [Content(""), *chart_grid(charts, width, frame.height - 1, glyphs)]


def subject_of(view: View, job: JobView, history: History | None, frame: Frame) -> Subject:
    """A job with the deployments that it may use, and its tokens a second."""
    spec = job.job.spec
    used = {(name, ref.model) for ref in (*spec.models, *filter(None, [spec.judge])) for name in ref.endpoints}
    lanes = tuple(lane for lane in view.engine.lanes if (lane.endpoint, lane.model) in used)
    recent = None if history is None else history.rates(tokens, 10.0, 1)[0]
    alerts = () if job.live is not None else view.alerts.get(job.id, ())
    return Subject(job, view.now, lanes, recent, alerts, frame.glyphs, view.engine.trouble, frame.keys)


def words(subject: Subject, width: int, height: int) -> list[Content]:
    """What matters most stands first, so that what does not fit is what matters least."""
    first = [
        live_lines.heading(subject, width),
        *live_lines.progress(subject, width),
        live_lines.pace(subject, width),
        live_lines.message(subject.job, width),
        live_lines.money(subject, width),
        live_lines.traffic(subject, width),
    ]
    told = [line for line in first if line is not None]
    bars = height // 4 if height >= ROOMY else 1
    last = [*live_lines.failures(subject, width, bars), *live_lines.quality(subject, width)]
    room = height - len(told) - len(last)
    return [*told, *live_lines.limits(subject, width, min(room, max(2, height // 4))), *last]


def charts_of(history: History, frame: Frame, until: str) -> list[Chart]:
    """The charts in order of what they tell. Those of latency and of requests in flight need the engine here.

    `until` is what their right end is: now, or the end of what was seen.
    """
    span = history.span_s(frame.span_s)
    count = min(round(span), dots_wide(min(frame.width, 100), frame.glyphs))

    def seconds(value: float) -> str:
        return f"{value:.0f} s" if value >= 10 or value == 0 else f"{value:.1f} s"

    ago = figures.duration(span)
    whole = Axes(_short, ago, until=until)
    rates = history.rates(finished, span, count)
    charts = [Chart("items a second", (Line(rates, "$primary", Kind.AREA),), whole, _now(rates, "most"))]
    latency = [history.levels(level, span, count) for level in (_p99, _p95, _p50)]
    if any(value is not None for value in latency[0]):
        lines = tuple(Line(values, style) for values, style in zip(latency, reversed(PERCENTILES), strict=True))
        charts.append(Chart("latency", lines, Axes(seconds, ago, until=until), _percentiles(latency)))
    amount = history.rates(tokens, span, count)
    if any(amount):
        charts.append(Chart("tokens a second", (Line(amount, "$primary", Kind.AREA),), whole, _now(amount, "most")))
    flight = history.levels(_in_flight, span, count)
    if any(value is not None for value in flight):
        charts.append(Chart("in flight", (Line(flight, "$primary", Kind.AREA),), whole, _now(flight, "most")))
    return charts


def dot_s(history: History, frame: Frame) -> float:
    """Seconds after which the charts of a job that runs look other than before: about the width of a dot."""
    return min(SLOWEST_S, max(QUICKEST_S, history.span_s(frame.span_s) / dots_wide(min(frame.width, 100))))


def _short(value: float) -> str:
    return f"{value:g}" if value < 1_000 else figures.short_count(round(value))


def _p50(point: Point) -> float | None:
    return point.latency.p50


def _p95(point: Point) -> float | None:
    return point.latency.p95


def _p99(point: Point) -> float | None:
    return point.latency.p99


def _in_flight(point: Point) -> float | None:
    return None if point.in_flight is None else float(point.in_flight)


def _now(values: Values, most: str) -> Content:
    known = [value for value in values if value is not None]
    if not known:
        return Content("")
    return Content.assemble((f"  {_number(known[-1])}", "bold"), (f"  {most} {_number(max(known))}", MUTED))


def _number(value: float) -> str:
    if value == round(value):
        return figures.short_count(round(value))
    return f"{value:.1f}" if value < 100 else figures.short_count(round(value))


def _percentiles(latency: Sequence[Values]) -> Content:
    """The newest of each, in its line's colour, with its name."""
    newest = [values[-1] for values in reversed(latency)]
    pieces = zip(("p50", "p95", "p99"), newest, PERCENTILES, strict=True)
    return Content.assemble(*((f"  {name} {figures.duration(value)}", style) for name, value, style in pieces))


def chart_grid(charts: Sequence[Chart], width: int, height: int, glyphs: Glyphs) -> list[Content]:
    """As many charts as are readable, beside and under each other."""
    if not charts:
        return []
    across, down = arrangement(len(charts), width, height)
    shown = charts[: across * down]
    each, tall = (width - GUTTER * (across - 1)) // across, height // down
    rows: list[Content] = []
    for first in range(0, len(shown), across):
        blocks = [_block(chart, each, tall, glyphs) for chart in shown[first : first + across]]
        rows += [_beside([block[n] for block in blocks], each) for n in range(tall)]
    return rows


def arrangement(count: int, width: int, height: int) -> tuple[int, int]:
    """How many of `count` charts stand beside each other, and how many rows there are of them.

    Most charts first, then none alone in a last row, then the shape that is best to read.
    """
    most = max(1, min(count, (width + GUTTER) // (NARROWEST + GUTTER)))

    def merit(across: int) -> tuple[int, bool, float]:
        down = rows_for(across)
        shown = min(count, across * down)
        shape = (width / across) / (2 * height / down)  # a cell is twice as high as wide
        return -shown, shown % across != 0, abs(math.log(max(shape, 0.01) / BEST_SHAPE))

    def rows_for(across: int) -> int:
        return max(1, min(-(-count // across), height // (LOWEST + 3)))

    across = min(range(1, most + 1), key=merit)
    return across, rows_for(across)


def _block(chart: Chart, width: int, height: int, glyphs: Glyphs) -> list[Content]:
    title = Content.assemble((chart.title, "bold"), chart.key).truncate(width, ellipsis=True)
    return [title, *line_chart(chart.lines, width, height - 1, chart.axes, glyphs)]


def _beside(pieces: Sequence[Content], width: int) -> Content:
    padded = [piece.pad_right(max(0, width - piece.cell_length)) for piece in pieces]
    return Content(" " * GUTTER).join(padded)


def sparks(job: JobView, history: History, frame: Frame) -> list[Content]:
    """The charts as one line each, the most telling first, where there is no room for real ones."""
    span, glyphs = history.span_s(frame.span_s), frame.glyphs
    room = max(10, frame.width - 30)
    rates = history.rates(finished, span, room)
    lines = [_spark("items a second", rates, room, figures.rate(job.rate), glyphs)]
    latency = history.levels(_p95, span, room)
    if latency[-1] is not None:
        lines.append(_spark("latency, p95", latency, room, figures.duration(latency[-1]), glyphs))
    amount = history.rates(tokens, span, room)
    if any(amount):
        lines.append(_spark("tokens a second", amount, room, _number(amount[-1] or 0.0), glyphs))
    flight = history.levels(_in_flight, span, room)
    if flight[-1] is not None:
        lines.append(_spark("in flight", flight, room, _number(flight[-1]), glyphs))
    return lines


def _spark(title: str, values: Values, room: int, newest: str, glyphs: Glyphs) -> Content:
    drawn = sparkline(values, room, glyphs=glyphs)
    return Content.assemble((f"{title:<16}", MUTED), (drawn, "$primary"), f" {newest:>12}")


def _moves(before: View, now: View) -> bool:
    """Whether the selected job may look other than in the view before."""
    old, new = before.job, now.job
    if (
        before.alerts is not now.alerts
        or old is None
        or new is None
        or new.live is not None
        or new.elsewhere
        or new.is_active
    ):
        return True
    return old.job is not new.job or old.live is not None or old.elsewhere


def terminal_glyphs() -> Glyphs:
    """What this process's terminal can show."""
    return glyphs_for(getattr(sys.__stdout__, "encoding", None), os.environ.get("TERM", ""))


class LivePanel(Lines):
    """Shows the selected job of each view it is given."""

    DEFAULT_CSS = """
    LivePanel { height: 1fr; padding: 0 1; background: $background; color: $foreground; border-top: solid $panel; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = terminal_glyphs()
        self._keys: OwnKeys = {}
        self._view = View(0.0)
        self._drawn_size = Size(0, 0)
        self._span = 0
        self._pictured: tuple[object, ...] = ()
        """What the pictures were drawn for."""
        self._pictured_at = 0.0
        """The newest point that they show."""
        self._pictures: list[Content] = []

    def know_keys(self, own: OwnKeys) -> None:
        """The person's own keys, which its hints name."""
        self._keys = own
        self._draw()

    def show(self, view: View) -> None:
        """Draws what changed about the selected job. Of one that stands still nothing does."""
        before, self._view = self._view, view
        if view.job is not None and not _moves(before, view) and self._drawn_size == self.content_size:
            return
        self._draw()

    def _draw(self) -> None:
        width, height = self._drawn_size = self.content_size
        if width <= 0:
            return  # no room is given out yet; on_resize comes with it
        lines = draw_words(self._view, Frame(width, height, self._glyphs, keys=self._keys))
        lines += self._drawn(Frame(width, height - len(lines), self._glyphs, SPANS_S[self._span]))
        self.put(lines)

    def _drawn(self, frame: Frame) -> list[Content]:
        job = self._view.job
        if job is None or (history := self._view.history.get(job.id)) is None or history.age_s <= 0:
            return []
        drawn_for, passed = (job.id, job.is_active, frame), history.newest_at - self._pictured_at
        if drawn_for != self._pictured or (passed >= dot_s(history, frame) if job.is_active else passed):
            self._pictures = draw_pictures(job, history, frame)
            self._pictured, self._pictured_at = drawn_for, history.newest_at
        return self._pictures

    def next_span(self) -> float:
        """The charts show more time, or the least again; returns how many seconds at most."""
        self._span = (self._span + 1) % len(SPANS_S)
        self._draw()
        return SPANS_S[self._span]

    def on_resize(self) -> None:
        """Other sizes have other charts."""
        self._draw()
