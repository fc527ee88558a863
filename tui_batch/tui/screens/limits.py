"""A deployment's limits, changed while it works."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input, Static

from tui_batch.engine.snapshot import LaneLimits, LaneSnapshot
from tui_batch.tui.screens.dialog import Dialog, safe_content, words
from tui_batch.tui.widgets.entry import Entry
from tui_batch.tui.widgets.gauges import gauges_of, lane_name
from tui_batch.work.amounts import read_whole

FIELDS = (
    ("rpm", "requests a minute"),
    ("tpm", "tokens a minute"),
    ("max_in_flight", "requests in flight"),
)
REMARK = "Empty: no limit of yours. Lower limits that the server states still hold. This lasts until the app closes; "
KEEP = "to keep it, write rpm, tpm or max_in_flight into your settings."


def read_limit(text: str) -> int | None:
    """A limit as a person types it: 500, 20,000, 20k or nothing. Raises ValueError in words."""
    return read_whole(text) if text.strip() else None


class LimitsDialog(Dialog[LaneLimits | None]):
    """Dismissed with the limits, or None when they are left as they are."""

    DEFAULT_CSS = """
    LimitsDialog .row { height: 1; margin: 0; }
    LimitsDialog .row Static { width: 20; }
    LimitsDialog .row Input { width: 1fr; background: $panel; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, lane: LaneSnapshot) -> None:
        super().__init__()
        self._lane = lane

    def compose(self) -> ComposeResult:
        """A line for each limit."""
        now = ", ".join(f"{one.words} {one.name}" for one in gauges_of(self._lane))
        with VerticalScroll(classes="box", can_focus=False):
            yield words(f"Limits of {lane_name(self._lane)}", "title")
            yield words(f"Now: {now}", "muted")
            for field, label in FIELDS:
                value = getattr(self._lane.own, field)
                with Horizontal(classes="row"):
                    yield Static(label)
                    yield Entry("" if value is None else str(value), placeholder="none", id=field, compact=True)
            yield Static("", id="trouble", classes="trouble", markup=False)
            yield words(REMARK + KEEP, "muted detail")
            with Horizontal(classes="buttons"):
                yield Button(safe_content("Set (enter)"), id="set", compact=True)
                yield Button(safe_content("Leave (esc)"), id="leave", compact=True)

    def on_mount(self) -> None:
        """The first field."""
        self.query_one("#rpm").focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "set":
            self._set()
        else:
            self.dismiss(None)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._set()

    def _set(self) -> None:
        """All three or none: a mistake is named at its field, which gets the focus."""
        read: dict[str, int | None] = {}
        for field, label in FIELDS:
            box = self.query_one(f"#{field}", Input)
            try:
                read[field] = read_limit(box.value)
            except ValueError as error:
                self.query_one("#trouble", Static).update(safe_content(f"{label}: {error}"))
                box.focus()
                return
        self.dismiss(LaneLimits(**read))
