"""Help: every action with its keys and the command that does the same, searchable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from tui_batch.tui.actions import REGISTRY, Action
from tui_batch.tui.finding import found
from tui_batch.tui.screens.dialog import Dialog, words
from tui_batch.tui.tones import Tone, plain
from tui_batch.tui.widgets.entry import Entry
from tui_batch.tui.widgets.table import Column, Table

_CONTEXTS = {"app": "everywhere", "job": "on jobs", "new_job": "new job", "item": "one item"}

ABOUT = {
    "jobs": "A job is a file of rows and what is asked about each of them. "
    "Keys mean the marked jobs, else the one under the cursor.",
    "items": "The rows of the selected job with their answers. / filters them: state:dead field.tone:kind words; "
    "keys mean the marked items, else the one under the cursor.",
    "errors": "Dead items, in groups that failed alike. Mend what they failed of, then r tries the group again.",
    "endpoints": "The servers: their health, limits and load. What is set here holds until the app closes.",
    "gpu": "The graphics cards of this machine and of servers that tell of theirs.",
    "log": "What happened, and what you did, as commands to paste.",
}
"""What a place is for, by the context of its actions."""


@dataclass(frozen=True, slots=True)
class HelpRow:
    """An action as help shows it."""

    id: str
    where: str
    keys: str
    """The person's own."""
    help: str
    command: str

    @property
    def text(self) -> str:
        """What a search looks at."""
        return f"{self.where} {self.keys} {self.help} {self.command} {self.id}"


def help_rows(context: str, keys: Callable[[Action], str], actions: Iterable[Action] = REGISTRY) -> list[HelpRow]:
    """All actions, those of the context first, then what works everywhere, then the others in their order."""
    order = {context: 0, "job": 1, "app": 2}
    ranked = sorted(actions, key=lambda action: order.get(action.context, 3))
    return [
        HelpRow(
            action.id, _CONTEXTS.get(action.context, f"in {action.context}"), keys(action), action.help, action.command
        )
        for action in ranked
    ]


COLUMNS: tuple[Column[HelpRow], ...] = (
    Column("keys", "Key", lambda row: plain(row.keys, Tone.ACCENT), 10),
    Column("help", "What it does", lambda row: plain(row.help), 40, stretches=True),
    Column("where", "Where", lambda row: plain(row.where, Tone.MUTED), 12, drop=1),
    Column("command", "Command", lambda row: plain(row.command, Tone.MUTED), 25, drop=2),
)


class Help(Dialog[None]):
    """A list and a search over it."""

    DEFAULT_CSS = """
    Help > .box { max-width: 120; height: 94%; padding: 0; }
    Help .box Input { border: none; height: 1; padding: 0 1; background: $panel; }
    Help .under { padding: 0 1; }
    Help .muted { height: 1; padding: 0 1; }
    """

    def __init__(self, rows: list[HelpRow], about: str = "") -> None:
        super().__init__()
        self._rows = rows
        self._about = about

    def compose(self) -> ComposeResult:
        """What the place is for, search, list, what moves in lists."""
        with Vertical(classes="box"):
            if self._about:
                yield words(self._about, "under")
            yield Entry(placeholder="search: a word, a key, a command", compact=True)
            yield Table[HelpRow](COLUMNS, lambda row: row.id, empty="Nothing is called that.", id="help-table")
            yield words("in lists: ↑ ↓ j k move, g G first and last; esc closes", "muted")

    def on_mount(self) -> None:
        """Typing searches at once."""
        self._list("")
        self.query_one(Input).focus()

    @property
    def table(self) -> Table[HelpRow]:
        """The list."""
        return self.query_one("#help-table", Table)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._list(event.value)

    def _list(self, typed: str) -> None:
        words_of = typed.lower().split()
        exact = [row for row in self._rows if all(word in row.text.lower() for word in words_of)]
        near = exact or found(typed, self._rows, lambda row: row.text, len(self._rows))
        self.table.set_rows(near if typed else self._rows)

    def on_key(self, event: events.Key) -> None:
        """Arrows move in the list while typing goes on."""
        if self.query_one(Input).has_focus and event.key in ("down", "up", "pagedown", "pageup"):
            event.stop()
            step = 1 if event.key.endswith("down") else -1
            (self.table.action_page if event.key.startswith("page") else self.table.action_cursor)(step)
