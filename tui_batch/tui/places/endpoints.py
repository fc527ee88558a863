"""Place 4: where requests go, how that is going, and what a person may change about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from tui_batch import figures
from tui_batch.domain.endpoint import DeploymentKey, Endpoint, KeyKind
from tui_batch.engine.snapshot import LaneLimits, LaneSnapshot
from tui_batch.safe_text import safe_text
from tui_batch.tui.actions import bindings
from tui_batch.tui.desk import Desk
from tui_batch.tui.place import Place
from tui_batch.tui.screens.limits import LimitsDialog
from tui_batch.tui.tones import Span, Spans, Tone, plain
from tui_batch.tui.view import View
from tui_batch.tui.widgets.charts import MUTED, Glyphs
from tui_batch.tui.widgets.gauges import IN_FLIGHT, STYLES, gauge, gauges_of, health
from tui_batch.tui.widgets.lines import same_lines, takes_other_room
from tui_batch.tui.widgets.live_lines import joined, latencies
from tui_batch.tui.widgets.live_panel import terminal_glyphs
from tui_batch.tui.widgets.status_line import StatusLine
from tui_batch.tui.widgets.table import Column, Table
from tui_batch.work.reach import Reachable, Trial, reachable, try_endpoint

if TYPE_CHECKING:
    from tui_batch.tui.app import BatchApp

_STATUS: dict[str, Span] = {
    "ready": ("○ ready", Tone.PLAIN),
    "running": ("○ runs here", Tone.GOOD),
    "key missing": ("– no key", Tone.MUTED),
    "not running": ("– not running", Tone.MUTED),
}
UNTIL = "until the app closes, for the jobs it runs"
"""How long and for what a change made here holds."""
MOST_TOLD = 400
"""Characters of what an endpoint said."""
UNUSABLE = frozenset({"key missing", "not running"})


@dataclass(frozen=True, slots=True)
class Row:
    """A deployment in use, or an endpoint that is not."""

    endpoint: str
    model: str = ""
    """Empty: no job uses the endpoint."""
    lane: LaneSnapshot | None = None
    status: str = ""
    """Of an endpoint that is not in use, as `llmbatch-tui endpoints` says it."""
    is_off: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Tells rows apart."""
        return self.endpoint, self.model

    @property
    def health(self) -> Span:
        """Glyph, words and tone."""
        if self.lane is not None:
            return health(self.lane)
        return ("– switched off", Tone.WARN) if self.is_off else _STATUS.get(self.status, (self.status, Tone.MUTED))


def rows_of(view: View, known: Iterable[Reachable], *, unusable: Callable[[Reachable], bool]) -> list[Row]:
    """Deployments first, then endpoints without one; those that `unusable` holds for are left out."""
    lanes = sorted(view.engine.lanes, key=lambda lane: (lane.endpoint, lane.model))
    used = {lane.endpoint for lane in lanes}
    rows = [Row(lane.endpoint, lane.model, lane, is_off=lane.is_off) for lane in lanes]
    for one in known:
        name = one.endpoint.name
        if name not in used and not unusable(one):
            rows.append(Row(name, status=one.status, is_off=name in view.engine.off))
    return rows


def _limit(used: Callable[[LaneSnapshot], int], limit: Callable[[LaneSnapshot], int | None]) -> Callable[[Row], Spans]:
    def cell(row: Row) -> Spans:
        if row.lane is None:
            return ()
        most = limit(row.lane)
        full = most is not None and used(row.lane) >= most
        return (
            (figures.short_count(used(row.lane)), Tone.WARN if full else Tone.PLAIN),
            ("" if most is None else f"/{figures.short_count(most)}", Tone.MUTED),
        )

    return cell


def _latency(row: Row) -> Spans:
    if row.lane is None or row.lane.latency.p50 is None:
        return ()
    return plain(f"{figures.duration(row.lane.latency.p50)} / {figures.duration(row.lane.latency.p95)}")


def _tokens(row: Row) -> Spans:
    return () if row.lane is None else plain(figures.short_count(round(row.lane.tokens_per_s)))


COLUMNS: tuple[Column[Row], ...] = (
    Column("endpoint", "Endpoint", lambda row: plain(row.endpoint), 12),
    Column("model", "Model", lambda row: plain(row.model), 14, stretches=True),
    Column("health", "Health", lambda row: (row.health,), 20),
    Column("flight", "In flight", _limit(lambda one: one.in_flight, lambda one: one.limit), 9, right=True),
    Column("rpm", "RPM", _limit(lambda one: one.rpm_used, lambda one: one.rpm), 9, right=True),
    Column("tpm", "TPM", _limit(lambda one: one.tpm_used, lambda one: one.tpm), 10, right=True, drop=1),
    Column("tokens", "Tokens/s", _tokens, 8, right=True, drop=3),
    Column("latency", "p50 / p95", _latency, 17, right=True, drop=4),
)


class EndpointsPlace(Place):
    """The list, and everything about the one under the cursor."""

    NAME = "endpoints"
    BINDINGS: ClassVar[list[BindingType]] = bindings("endpoints")
    DEFAULT_CSS = """
    EndpointsPlace #endpoint-table { height: 1fr; min-height: 4; }
    EndpointsPlace #endpoint-line { display: none; }
    EndpointsPlace #endpoint-detail { height: auto; max-height: 60%; padding: 0 1; border-top: solid $panel; }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._known: tuple[Reachable, ...] = ()
        self._hidden = UNUSABLE
        """Statuses of endpoints that are not listed."""
        self._trials: dict[str, Trial | None] = {}
        """What endpoints said when they were tested, by name; None: the test is on its way."""
        self._limited: dict[str, LaneLimits] = {}
        """What was changed here, by deployment in words."""
        self._lines: list[Content] = []
        self._glyphs = terminal_glyphs()

    def compose(self) -> ComposeResult:
        """List and detail."""
        yield Table[Row](COLUMNS, lambda row: row.key, empty="Looking for endpoints …", id="endpoint-table")
        yield Static(id="endpoint-detail", markup=False)
        yield StatusLine(id="endpoint-line")

    @property
    def table(self) -> Table[Row]:
        """The list."""
        return self.query_one("#endpoint-table", Table)

    def show(self, view: View) -> None:
        """The rows, and the detail of the one under the cursor."""
        super().show(view)
        rows = rows_of(view, self._known, unusable=lambda one: one.status in self._hidden)
        if not rows:  # then a person wants to know what could be made usable
            rows = rows_of(view, self._known, unusable=lambda _: False)
        self.table.set_rows(rows)
        row = self.table.cursor_row
        width = self.content_size.width - 2
        lines = [] if row is None else self.detail(row, width)
        if not same_lines(lines, self._lines):
            layout = takes_other_room(self._lines, lines, width)
            self._lines = lines
            self.query_one("#endpoint-detail", Static).update(Content("\n").join(lines), layout=layout)
        self._say()

    def _say(self) -> None:
        """What holds here alone stands there as long as it does."""
        off = [f"{name} is off" for name in sorted(self.view.engine.off)]
        held = [*off, *(f"{name}: {limits}" for name, limits in self._limited.items())]
        line = self.query_one(StatusLine)
        line.display = bool(held)
        words = f"  {UNTIL}"
        line.say("", ((f"! {'; '.join(held)}", Tone.WARN), (words, Tone.MUTED)))

    def entered(self) -> None:
        """The list has the focus. Keys and local servers are looked for the first time."""
        self.table.focus()
        if not self._known:
            self.action_endpoints_look()

    def on_table_moved(self) -> None:
        """Another row, another detail."""
        self.show(self.view)

    # What is known of one

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint of that name: as jobs use it, or as it is known."""
        used = (one for job in self.view.jobs for one in job.job.spec.endpoints)
        known = (one.endpoint for one in self._known)
        return next((one for one in chain(used, known) if one.name == name), None)

    def detail(self, row: Row, width: int) -> list[Content]:
        """Address, gauges, figures, last trouble, last test."""
        words, tone = row.health
        endpoint = self.endpoint(row.endpoint)
        address = "" if endpoint is None else f"{endpoint.base_url}  {endpoint.api.value}  key {endpoint.key}"
        named = safe_text(
            f"{row.model} @ {row.endpoint}" if row.model else row.endpoint, max(10, width - len(words) - 2)
        )
        lines = [
            Content.assemble((named, "bold"), "  ", (words, STYLES[tone])),
            *told("", address, MUTED, width),
        ]
        if row.lane is not None:
            lines += _measured(row.lane, width, self._glyphs)
        elif not row.is_off:
            lines += told("", _unused(row, endpoint), MUTED, width)
        return [*lines, *self._tested(row.endpoint, width)]

    def _tested(self, name: str, width: int) -> list[Content]:
        if name not in self._trials:
            return []
        trial = self._trials[name]
        if trial is None:
            return [Content.assemble(("test     ", MUTED), "asking …")]
        style = "$error" if trial.trouble else "$success"
        mark = "✗" if trial.trouble else "✓"
        said = told("test     ", f"{mark} {trial}", style, width)
        models = safe_text(", ".join(trial.models), max(10, width - 9))
        return [*said, Content.assemble(("serves   ", MUTED), models)] if models else said

    # What can be done

    @property
    def _app(self) -> BatchApp:
        return cast("BatchApp", self.app)

    def action_endpoints_look(self) -> None:
        """Looks for keys and local servers."""
        self.run_worker(self._app.guarded(self._look()), group="endpoints-look", exclusive=True)

    async def _look(self) -> None:
        self._known = tuple(await reachable(self.desk.settings, self.desk.transport))
        self.show(self.view)

    def action_endpoints_all(self) -> None:
        """Shows the known providers without a key, or hides them."""
        self._hidden = frozenset() if self._hidden else UNUSABLE
        self.show(self.view)

    def action_endpoints_test(self) -> None:
        """Asks the endpoint under the cursor for its models."""
        row = self.table.cursor_row
        endpoint = None if row is None else self.endpoint(row.endpoint)
        if endpoint is not None and self._trials.get(endpoint.name, Trial(0.0)) is not None:
            self.run_worker(self._test(endpoint), group="endpoints-test")

    async def _test(self, endpoint: Endpoint) -> None:
        self._trials[endpoint.name] = None
        self._app.record("models", "--endpoint", endpoint.name)
        self.show(self.view)
        try:
            self._trials[endpoint.name] = await try_endpoint(endpoint, self.desk.transport)
        finally:
            if self._trials[endpoint.name] is None:
                del self._trials[endpoint.name]
        self.show(self.view)

    def action_endpoints_switch(self) -> None:
        """Switches the endpoint under the cursor off, or on again."""
        row = self.table.cursor_row
        if row is None:
            return
        name = row.endpoint
        if row.is_off:
            self.desk.controller.switch_on(name)
        else:
            self.desk.controller.switch_off(name)
        self._app.bridge.hurry()

    def action_endpoints_limits(self) -> None:
        """Asks for the limits of the deployment under the cursor."""
        row = self.table.cursor_row
        if row is None or row.lane is None:
            self._app.say("Limits are changed here while a job uses the endpoint; otherwise in the settings.")
            return
        self.run_worker(self._app.guarded(self._limit(row.lane)), group="verbs")

    async def _limit(self, lane: LaneSnapshot) -> None:
        limits = await self._app.push_screen_wait(LimitsDialog(lane))
        if limits is not None:
            self.desk.controller.set_limits(DeploymentKey(lane.endpoint, lane.model), limits)
            self._limited[f"{lane.model} @ {lane.endpoint}"] = limits
            self.show(self.view)


def told(label: str, text: str, style: str, width: int) -> list[Content]:
    """Words that are shown whole, in as many lines as they take, beside a label."""
    safe = safe_text(text, MOST_TOLD)
    lines = wrap(safe, max(20, width - len(label)), break_on_hyphens=False) or [""]
    labels = (label, *(" " * len(label) for _ in lines[1:]))
    return [Content.assemble((name, MUTED), (line, style)) for name, line in zip(labels, lines, strict=True)]


def _unused(row: Row, endpoint: Endpoint | None) -> str:
    """Why no job uses an endpoint, and what would change that."""
    match row.status, endpoint:
        case "key missing", Endpoint(key=key) if key.kind is KeyKind.ENV:
            return f"No key: set {key.name} before you start the app, or name another in the settings."
        case "key missing", _:
            return "No key: the settings say where one is."
        case "not running", _:
            return "Nothing answers there. Start the server, then look again."
    return "No job of this app has used it yet."


def _gauge_lines(lane: LaneSnapshot, bar_width: int, glyphs: Glyphs) -> list[Content]:
    """A line for each limit, under each other."""
    gauges = gauges_of(lane)
    width = max(len(one.name) for one in gauges)
    lines = []
    for one in gauges:
        unbound = "(the jobs' own concurrency bounds it)" if one.name == IN_FLIGHT else "(no limit known)"
        remark = one.remark if one.limit is not None else unbound
        lines.append(gauge(replace(one, name=f"{one.name:<{width}}", remark=remark), bar_width, glyphs))
    return lines


def _measured(lane: LaneSnapshot, width: int, glyphs: Glyphs) -> list[Content]:
    """Gauges, latency and troubles of a deployment."""
    lines = _gauge_lines(lane, max(8, min(40, width - 40)), glyphs)
    if lane.latency.p50 is not None:
        lines.append(latencies(lane.latency))
    pieces = [Content(f"{figures.count(lane.requests)} requests, {figures.count(lane.failed)} failed")]
    if lane.tokens_per_s:
        pieces.append(Content(f"{figures.short_count(round(lane.tokens_per_s))} tokens/s"))
    if lane.pace_per_s is not None:
        pieces.insert(0, Content.styled(f"slowed to {figures.rate(lane.pace_per_s)} by refusals", "$warning"))
    lines.append(joined(pieces, width))
    if lane.closed:
        lines += told("", f"✗ not used: {lane.closed}", "$error", width)
    if lane.trouble:
        ago = figures.duration(lane.trouble_s)
        lines += told(f"trouble  {ago} ago  ", lane.trouble, "$error", width)
    return lines
