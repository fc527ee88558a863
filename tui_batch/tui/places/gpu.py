"""Place 5: graphics cards, this machine's and those that the settings name."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static
from textual.worker import Worker

from tui_batch import figures
from tui_batch.gpu.sample import GpuSample
from tui_batch.gpu.watch import Card, GpuPoint, GpuWatch, usual_samplers
from tui_batch.safe_text import safe_text
from tui_batch.tui.actions import bindings
from tui_batch.tui.desk import Desk
from tui_batch.tui.place import Place
from tui_batch.tui.view import View
from tui_batch.tui.widgets.charts import (
    MUTED,
    Axes,
    Glyphs,
    Kind,
    Line,
    Values,
    bar,
    dots_wide,
    line_chart,
    sparkline,
)
from tui_batch.tui.widgets.live_panel import terminal_glyphs

UNKNOWN = "n/a"
SPAN_S = 300.0
"""The charts show the last five minutes."""
CHART_LINES = 7
TWO_CHARTS = 100
"""Cells from which on a card has two charts side by side."""
HOT_C = 85.0
"""About where data-centre cards begin to slow down."""
FULL = 95.0
NONE_YET = "Looking for graphics cards …"
HELP = "Cards of other machines: name their exporters in the settings, as gpu_exporters: [http://gpu-box:9400/metrics]"


def level(points: Sequence[GpuPoint], now: float, figure: Callable[[GpuPoint], float | None], count: int) -> Values:
    """A figure at `count` moments of the last minutes, the newest last; None before the card was first seen."""
    step = SPAN_S / count
    found: list[float | None] = [None] * count
    for point in points:
        place = count - 1 - int((now - point.at) / step)
        if 0 <= place < count and (value := figure(point)) is not None:
            found[place] = max(value, found[place] or 0.0)
    return _bridged(found, gap=max(1, round(3.0 / step)))


def _bridged(values: list[float | None], gap: int) -> Values:
    """Moments between two looks have the value before them; longer silence stays a gap."""
    last, age = None, 0
    for place, value in enumerate(values):
        last, age = (last, age + 1) if value is None else (value, 0)
        if value is None and age <= gap:
            values[place] = last
    return values


def meter(name: str, share: float | None, words: str, width: int, glyphs: Glyphs) -> Content:
    """`GPU   ██████──── 64 %`; a sensor that is missing has no bar and says n/a."""
    head = (f"{name:<6} ", MUTED)
    if share is None:
        return Content.assemble(head, (words, "" if words != UNKNOWN else MUTED))
    style = "$warning" if share >= FULL else "$primary"
    return Content.assemble(head, bar(share / 100.0, width, style, glyphs), f" {words}")


def percent(value: float | None) -> str:
    """Percent in words."""
    return UNKNOWN if value is None else f"{value:.0f} %"


def memory(sample: GpuSample) -> str:
    """Used of total, in binary gigabytes, as cards are sold."""
    if sample.memory_used is None:
        return UNKNOWN
    total = "" if sample.memory_total is None else f" of {sample.memory_total / 2**30:.1f}"
    return f"{sample.memory_used / 2**30:.1f}{total} GiB"


def power(sample: GpuSample) -> str:
    """Draw and limit."""
    if sample.power_w is None:
        return UNKNOWN
    limit = "" if sample.power_limit_w is None else f" of {sample.power_limit_w:.0f}"
    return f"{sample.power_w:.0f}{limit} W"


def temperature(sample: GpuSample) -> tuple[str, str]:
    """Degrees, and the style to say them in."""
    if sample.temperature_c is None:
        return UNKNOWN, MUTED
    hot = sample.temperature_c >= HOT_C
    return f"{sample.temperature_c:.0f} °C" + (" hot" if hot else ""), "bold $warning" if hot else ""


def title(sample: GpuSample) -> Content:
    """Number, name, machine, temperature, processes."""
    where = f"  {sample.where}" if sample.where else ""
    count = sample.processes
    busy = "" if count is None else f"  {count} process{'' if count == 1 else 'es'}"
    words, style = temperature(sample)
    return Content.assemble(
        (f"{sample.index}  {safe_text(sample.name, 60)}", "bold"), (safe_text(where, 60), MUTED), "  ", (words, style),
        (busy, MUTED),
    )  # fmt: skip


def power_share(sample: GpuSample) -> float | None:
    """Draw in percent of the limit."""
    if sample.power_w is None or not sample.power_limit_w:
        return None
    return 100.0 * sample.power_w / sample.power_limit_w


def card_lines(card: Card, now: float, width: int, height: int, glyphs: Glyphs) -> list[Content]:
    """One card: meters, and charts where `height` allows; in a long list one line each."""
    sample = card.last
    if height < 5:
        return [_row(card, now, width, glyphs)]
    room = max(8, min(40, width - 32))
    lines = [
        title(sample),
        meter("GPU", sample.utilisation, percent(sample.utilisation), room, glyphs),
        meter("memory", sample.memory_percent, memory(sample), room, glyphs),
        meter("power", power_share(sample), power(sample), room, glyphs),
    ]
    if height >= len(lines) + CHART_LINES + 1:
        return [*lines, *_charts(card, now, width, min(CHART_LINES + 3, height - len(lines) - 1), glyphs), Content("")]
    spark = sparkline(level(card.points, now, _utilisation, room), room, 100.0, glyphs)
    return [*lines, Content.assemble(("5 min  ", MUTED), (spark, "$primary")), Content("")][:height]


def _row(card: Card, now: float, width: int, glyphs: Glyphs) -> Content:
    """A card in one line, for many of them: name, load, memory, power, temperature, load over time."""
    sample = card.last
    words, style = temperature(sample)
    name = f"{sample.index} {sample.name}" + (f" {sample.where}" if sample.where else "")
    fixed = Content.assemble(
        f"{safe_text(name, 20):<20} ",
        _short_meter(sample.utilisation, glyphs),
        f" {percent(sample.utilisation):>5}  ",
        _short_meter(sample.memory_percent, glyphs),
        f" {percent(sample.memory_percent):>5}  ",
        f"{power(sample):>12} ",
        (f"{words:>7}", style),
    )
    room = width - fixed.cell_length - 2
    if room < 8:
        return fixed
    spark = sparkline(level(card.points, now, _utilisation, room), room, 100.0, glyphs)
    return Content.assemble(fixed, "  ", (spark, "$primary"))


def _short_meter(share: float | None, glyphs: Glyphs) -> Content:
    width = 6
    return Content(" " * width) if share is None else bar(share / 100.0, width, "$primary", glyphs)


def _utilisation(point: GpuPoint) -> float | None:
    return point.utilisation


def _charts(card: Card, now: float, width: int, height: int, glyphs: Glyphs) -> list[Content]:
    """Load and memory in percent; at the right, where there is room, watts and degrees."""
    each = (width - 3) // 2 if width >= TWO_CHARTS else width
    count = min(dots_wide(each, glyphs), 150)

    def values(figure: Callable[[GpuPoint], float | None]) -> Values:
        return level(card.points, now, figure, count)

    load = (Line(values(lambda one: one.memory), "$accent"), Line(values(_utilisation), "$primary"))
    axes = Axes(lambda value: f"{value:.0f}", figures.duration(SPAN_S), 100.0)
    key = Content.assemble(("GPU %", "$primary"), "  ", ("memory %", "$accent"))
    left = [key, *line_chart(load, each, height - 1, axes, glyphs)]
    if each == width:
        return left
    heat = (Line(values(lambda one: one.power_w), "$warning", Kind.AREA), Line(values(lambda one: one.temperature_c)))
    key = Content.assemble(("power W", "$warning"), "  ", ("temperature °C", "$primary"))
    right = [key, *line_chart(heat, each, height - 1, Axes(axes.label, axes.span), glyphs)]
    padded = [one.pad_right(max(0, each - one.cell_length)) for one in left]
    return [Content.assemble(one, "   ", other) for one, other in zip(padded, right, strict=True)]


def draw(watch: GpuWatch, now: float, width: int, height: int, glyphs: Glyphs) -> list[Content]:
    """All cards, and in one quiet line each what cannot be read."""
    quiet = [Content.styled(safe_text(words, width), MUTED) for words in watch.troubles]
    cards = watch.cards
    if not cards:
        told = [*quiet, Content(""), Content.styled(HELP, MUTED)] if quiet else [Content.styled(NONE_YET, MUTED)]
        return [Content(""), *told]
    each = (height - len(quiet)) // len(cards)
    lines = [line for card in cards for line in card_lines(card, now, width, each, glyphs)]
    return [line.truncate(width, ellipsis=True) for line in (*lines, *quiet)]


class GpuPlace(Place):
    """The cards, followed from the first time that the place is opened."""

    NAME = "gpu"
    TITLE = "GPU"
    BINDINGS: ClassVar[list[BindingType]] = bindings("gpu")
    DEFAULT_CSS = """
    GpuPlace VerticalScroll { padding: 0 1; }
    GpuPlace Static { height: auto; }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.gpus = GpuWatch(usual_samplers(desk.settings.gpu_exporters), time.monotonic)
        """What is shown. Replaced before the place is opened, it shows other cards."""
        self._glyphs = terminal_glyphs()
        self._lines: list[Content] = []
        self._following: list[Worker[None]] = []

    def compose(self) -> ComposeResult:
        """One scrolling text."""
        with VerticalScroll():
            yield Static(id="cards", markup=False)

    def entered(self) -> None:
        """Begins to follow the sources; they are followed while the app is open, so that charts have no holes."""
        self.query_one(VerticalScroll).focus()
        if not self._following:
            self.action_gpu_look()

    def action_gpu_look(self) -> None:
        """Looks at every source now."""
        for worker in self._following:
            worker.cancel()
        self._following = [
            self.run_worker(self.gpus.follow(source), group="gpu", exit_on_error=True) for source in self.gpus.sources
        ]

    def show(self, view: View) -> None:
        """Draws what changed."""
        super().show(view)
        width, height = self.content_size.width - 2, self.content_size.height
        lines = draw(self.gpus, self.gpus.now, max(20, width), height, self._glyphs)
        if len(lines) != len(self._lines) or not all(map(Content.is_same, lines, self._lines)):
            self._lines = lines
            self.query_one("#cards", Static).update(Content("\n").join(lines))
