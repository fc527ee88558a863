"""A deployment's use against its limits, as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from tui_batch import figures
from tui_batch.engine.breaker import BreakerState
from tui_batch.engine.snapshot import LaneSnapshot
from tui_batch.safe_text import safe_text
from tui_batch.tui.tones import Span, Tone
from tui_batch.tui.widgets.charts import MUTED, Glyphs, bar

NEARLY_FULL = 0.95
"""A limit used up to here is what holds the work back."""
IN_FLIGHT = "in flight"
SHORTEST = 4
"""A bar of fewer cells tells nothing."""
LONGEST = 24
WORTH_S = 1.0
"""A shorter wait is over before it is read."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """Something used against its limit."""

    name: str
    used: int
    limit: int | None
    """None: no limit is known."""
    remark: str = ""
    """Where the limit comes from: `learned`, `auto`."""

    @property
    def share(self) -> float | None:
        """Use as a share of the limit; None without one."""
        return None if not self.limit else self.used / self.limit

    @property
    def words(self) -> str:
        """The figures: `482/500 learned`."""
        limit = "" if self.limit is None else f"/{figures.short_count(self.limit)}"
        return f"{figures.short_count(self.used)}{limit}" + (f" {self.remark}" if self.remark else "")


def gauge(one: Gauge, bar_width: int, glyphs: Glyphs = Glyphs.UNICODE) -> Content:
    """Name, bar where there is a limit, figures. A full one is warned of by its colour and told by its figures."""
    share = one.share
    full = share is not None and share >= NEARLY_FULL
    words = (one.words, "bold $warning" if full else "")
    if share is None or bar_width < SHORTEST:
        return Content.assemble((f"{one.name} ", MUTED), words)
    drawn = bar(share, bar_width, "$warning" if full else "$primary", glyphs)
    return Content.assemble((f"{one.name} ", MUTED), drawn, " ", words)


def gauges_of(lane: LaneSnapshot) -> tuple[Gauge, ...]:
    """Requests and tokens a minute, requests a day where that is limited, and requests in flight."""
    own, learned = lane.own, "learned"
    day = () if lane.rpd is None else (Gauge("RPD", lane.rpd_used, lane.rpd),)
    return (
        Gauge("RPM", lane.rpm_used, lane.rpm, learned if lane.rpm is not None and lane.rpm != own.rpm else ""),
        Gauge("TPM", lane.tpm_used, lane.tpm, learned if lane.tpm is not None and lane.tpm != own.tpm else ""),
        *day,
        Gauge(IN_FLIGHT, lane.in_flight, lane.limit, "auto" if lane.limit not in (None, own.max_in_flight) else ""),
    )


STYLES = {
    Tone.GOOD: "$success",
    Tone.WARN: "$warning",
    Tone.BAD: "$error",
    Tone.PRIMARY: "$primary",
    Tone.MUTED: MUTED,
    Tone.PLAIN: "",
}
"""Tones as styles of a Content."""


def health(lane: LaneSnapshot) -> Span:
    """Whether requests go there: a glyph with words, and their tone."""
    if lane.is_off:
        return "– switched off", Tone.WARN
    if lane.closed:
        return "✗ not used", Tone.BAD
    match lane.breaker:
        case BreakerState.OPEN:
            wait = "" if lane.breaker_s is None else f", {lane.breaker_s:.0f} s"
            return f"✗ breaker open{wait}", Tone.BAD
        case BreakerState.HALF_OPEN:
            return "‖ breaker probes", Tone.WARN
    if lane.hold is not None and (lane.hold.seconds or 0.0) >= WORTH_S:
        return f"‖ {lane.hold.what}, {lane.hold.seconds:.0f} s", Tone.WARN
    return ("● working", Tone.GOOD) if lane.in_flight else ("○ idle", Tone.MUTED)


def lane_name(lane: LaneSnapshot) -> str:
    """Model and endpoint; foreign text made safe."""
    return safe_text(f"{lane.model} @ {lane.endpoint}")


def gauge_line(
    name: str, state: Span | None, gauges: Sequence[Gauge], width: int, glyphs: Glyphs = Glyphs.UNICODE
) -> Content:
    """One line: who, how it does where that matters, and the gauges, with bars as wide as the room allows.

    Where even their figures have no room, those furthest from their limit are left out.
    """
    parts: list[tuple[str, str]] = [] if state is None else [(state[0] + "  ", STYLES[state[1]])]
    named = min(max(14, width // 3), max(14, cell_len(name)))
    head = Content.assemble(_fit(name, named), "  ", *parts)
    shown = list(gauges)
    while len(shown) > 1 and _texts(shown) > width - head.cell_length:
        shown.remove(min(reversed(shown), key=lambda one: one.share or 0.0))
    with_bar = sum(1 for one in shown if one.share is not None)
    room = width - head.cell_length - _texts(shown)
    bars = min(LONGEST, room // with_bar - 1) if with_bar else 0
    return Content.assemble(head, Content("  ").join([gauge(one, bars, glyphs) for one in shown]))


def _texts(gauges: Sequence[Gauge]) -> int:
    """Cells that the gauges need without bars."""
    return sum(len(one.name) + len(one.words) + 1 for one in gauges) + 2 * (len(gauges) - 1)


def _fit(text: str, width: int) -> str:
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def lane_line(lane: LaneSnapshot, width: int, glyphs: Glyphs = Glyphs.UNICODE) -> Content:
    """A deployment with its gauges; its state stands there only when it is not simply at work."""
    ordinary = not lane.is_off and not lane.closed and lane.breaker == BreakerState.CLOSED
    return gauge_line(lane_name(lane), None if ordinary else health(lane), gauges_of(lane), width, glyphs)
