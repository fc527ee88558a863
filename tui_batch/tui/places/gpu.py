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
from tui_batch.tui.widgets.lines import same_lines, takes_other_room
from tui_batch.tui.widgets.live_panel import terminal_glyphs

UNKNOWN = "n/a"
SPAN_S = 300.0
"""The charts show the last five minutes."""
CHART_LINES = 7
LEAST_LINES = 6
"""With less room than this a card has one line in a list."""
TWO_CHARTS = 100
THREE_CHARTS = 150
"""Cells from which on a card has so many charts side by side."""
HOT_C = 85.0
"""About where data-centre cards begin to slow down."""
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
    """`GPU    ██████──── 64 %`; a sensor that is missing has no bar and says n/a."""
    head = (f"{name:<6} ", MUTED)
    if share is None:
        return Content.assemble(head, (words, "" if words != UNKNOWN else MUTED))
    return Content.assemble(head, bar(share / 100.0, width, "$primary", glyphs), f" {words}")


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


def temperature(sample: GpuSample) -> str:
    """Degrees."""
    if sample.temperature_c is None:
        return UNKNOWN
    return f"{sample.temperature_c:.0f} °C" + (" hot" if sample.temperature_c >= HOT_C else "")


def title(sample: GpuSample) -> Content:
    """Number, name, machine, processes."""
    where = f"  {sample.where}" if sample.where else ""
    count = sample.processes
    busy = "" if count is None else f"  {count} process{'' if count == 1 else 'es'}"
    name = f"{sample.index}  {safe_text(sample.name, 60)}"
    return Content.assemble((name, "bold"), (safe_text(where, 60), MUTED), (busy, MUTED))


def power_share(sample: GpuSample) -> float | None:
    """Draw in percent of the limit."""
    if sample.power_w is None or not sample.power_limit_w:
        return None
    return 100.0 * sample.power_w / sample.power_limit_w


def card_lines(card: Card, now: float, width: int, height: int, glyphs: Glyphs) -> list[Content]:
    """One card in at most so many lines: a line for each sensor with its history, and charts where there is room."""
    lines = [title(card.last), *_meters(card, now, width, glyphs)]
    if height > len(lines) + CHART_LINES:
        tall = min(CHART_LINES + 3, height - len(lines) - 1)
        lines += _charts(card, now, width, tall, glyphs)
    return [*lines, Content("")]


def _meters(card: Card, now: float, width: int, glyphs: Glyphs) -> list[Content]:
    """Load, memory, power and temperature, each as a bar, in words, and over time."""
    one = card.last
    room = max(8, min(40, (width - 30) // 2))
    told = (
        ("GPU", one.utilisation, percent(one.utilisation), _utilisation, 100.0),
        ("memory", one.memory_percent, memory(one), _memory, 100.0),
        ("power", power_share(one), power(one), _power, one.power_limit_w),
        ("heat", one.temperature_c, temperature(one), _temperature, 100.0),
    )
    lines = []
    for name, share, words, figure, top in told:
        line = meter(name, share, words, room, glyphs)
        line = line.pad_right(max(0, room + 26 - line.cell_length))
        left = width - line.cell_length
        spark = sparkline(level(card.points, now, figure, left), left, top, glyphs) if left >= 8 else ""
        lines.append(Content.assemble(line, (spark, "$primary")))
    return lines


def rows_of(cards: Sequence[Card], now: float, width: int, glyphs: Glyphs) -> list[Content]:
    """Many cards, one line each, under a line that names the columns."""
    header = f"{'card':<20} {'GPU':<14}{'memory':<14}{'power':>12} {'heat':>8}"
    header += "  GPU, 5 min" if width >= len(header) + 12 else ""
    return [Content.styled(header, MUTED), *(_row(card, now, width, glyphs) for card in cards)]


def _row(card: Card, now: float, width: int, glyphs: Glyphs) -> Content:
    one = card.last
    model = one.name.removeprefix("NVIDIA ")
    name = f"{one.index} {one.where} {model}" if one.where else f"{one.index} {model}"
    fixed = Content.assemble(
        f"{safe_text(name, 20):<20} ",
        _short_meter(one.utilisation, glyphs),
        f" {percent(one.utilisation):>5}  ",
        _short_meter(one.memory_percent, glyphs),
        f" {percent(one.memory_percent):>5}  ",
        f"{power(one):>12} ",
        f"{temperature(one):>8}  ",
    )
    room = width - fixed.cell_length
    spark = sparkline(level(card.points, now, _utilisation, room), room, 100.0, glyphs) if room >= 8 else ""
    return Content.assemble(fixed, (spark, "$primary"))


def _short_meter(share: float | None, glyphs: Glyphs) -> Content:
    return Content(" " * 6) if share is None else bar(share / 100.0, 6, "$primary", glyphs)


def _utilisation(point: GpuPoint) -> float | None:
    return point.utilisation


def _memory(point: GpuPoint) -> float | None:
    return point.memory


def _power(point: GpuPoint) -> float | None:
    return point.power_w


def _temperature(point: GpuPoint) -> float | None:
    return point.temperature_c


def _charts(card: Card, now: float, width: int, height: int, glyphs: Glyphs) -> list[Content]:
    """Load and memory; beside them, where there is room, watts; and degrees where there is more."""
    across = 3 if width >= THREE_CHARTS else 2 if width >= TWO_CHARTS else 1
    each = (width - 3 * (across - 1)) // across
    count = min(dots_wide(each, glyphs), 150)

    def line(figure: Callable[[GpuPoint], float | None], style: str, kind: Kind = Kind.LINE) -> Line:
        return Line(level(card.points, now, figure, count), style, kind)

    blocks = [
        (
            Content.assemble(("GPU %", "$primary"), "  ", ("memory %", "$accent")),
            (line(_memory, "$accent"), line(_utilisation, "$primary")),
            100.0,
        ),
        (Content("power W"), (line(_power, "$warning", Kind.AREA),), card.last.power_limit_w),
        (Content("heat °C"), (line(_temperature, "$error"),), 100.0),
    ]
    drawn = []
    for key, lines, top in blocks[:across]:
        axes = Axes(lambda value: f"{value:.0f}", figures.duration(SPAN_S), top)
        drawn.append([key, *line_chart(lines, each, height - 1, axes, glyphs)])
    return [
        Content("   ").join([piece.pad_right(max(0, each - piece.cell_length)) for piece in pieces])
        for pieces in zip(*drawn, strict=True)
    ]


def draw(watch: GpuWatch, now: float, width: int, height: int, glyphs: Glyphs) -> list[Content]:
    """All cards, and in one quiet line each what cannot be read."""
    quiet = [Content.styled(safe_text(words, width), MUTED) for words in watch.troubles]
    cards = watch.cards
    if not cards:
        told = [*quiet, Content(""), Content.styled(HELP, MUTED)] if quiet else [Content.styled(NONE_YET, MUTED)]
        return [Content(""), *told]
    each = (height - len(quiet)) // len(cards)
    if each < LEAST_LINES:
        lines = rows_of(cards, now, width, glyphs)
    else:
        lines = [line for card in cards for line in card_lines(card, now, width, each, glyphs)]
    return [line.truncate(width, ellipsis=True) for line in (*lines, *quiet)]


class GpuPlace(Place):
    """The cards, followed from the first time that the place is opened."""

    NAME = "gpu"
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
        if not same_lines(lines, self._lines):
            layout = takes_other_room(self._lines, lines, width)
            self._lines = lines
            self.query_one("#cards", Static).update(Content("\n").join(lines), layout=layout)
