"""What a command prints: data on standard output, words on standard error. Foreign text is never markup."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from tui_batch.errors import UserError
from tui_batch.safe_text import safe_lines, safe_text
from tui_batch.text_streams import json_for

if TYPE_CHECKING:
    from rich.console import Console

    from tui_batch.domain.request import Json

WIDE = 4_000
"""Columns of an output that is no terminal: nothing is cut there."""


def say(text: str) -> None:
    """Words for a person, on standard error. Nothing in them acts on the terminal: names and words of servers may."""
    print(safe_lines(text), file=sys.stderr, flush=True)


def show_error(error: UserError) -> None:
    """An error and its remedy, on standard error. Its text may hold words of files and servers."""
    say("error: " + "\n  ".join(error.message.splitlines() or [""]))
    if error.remedy:
        say(error.remedy)


def put(text: str) -> None:
    """A line of data, on standard output."""
    print(text)


def put_json(value: Json) -> None:
    """A JSON document on standard output: indented for a terminal, one line elsewhere."""
    indent = 2 if sys.stdout.isatty() else None
    put(json_for(sys.stdout, value, indent))


def console() -> Console:
    """Rich on standard output."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else WIDE)


RIGHT = ">"
"""At the front of a column's title: figures, flush right."""


class Long(Enum):
    """What becomes of a last column that is wider than the terminal. The others are never broken."""

    CUT = "ellipsis"
    WRAP = "fold"


LAST_AT_LEAST = 16
"""Columns of the terminal that the last column always gets."""
OTHERS_AT_MOST = 24
"""A longer name is cut where the terminal is too narrow for all."""


def put_table(columns: Sequence[str], rows: Iterable[Sequence[str]], long: Long = Long.WRAP) -> None:
    """A table of plain text on standard output. A title that begins with RIGHT is flush right."""
    from rich.table import Table
    from rich.text import Text

    cells = [[Text(safe_text(cell)) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, title in enumerate(columns):
        name = title.removeprefix(RIGHT)
        last = position == len(columns) - 1
        widest = max(len(name), *(row[position].cell_len for row in cells)) if cells else len(name)
        table.add_column(
            name,
            justify="right" if title.startswith(RIGHT) else "left",
            overflow="fold" if last and long is Long.WRAP else "ellipsis",
            no_wrap=not last or long is Long.CUT,
            min_width=min(widest, LAST_AT_LEAST if last else OTHERS_AT_MOST),
        )
    for row in cells:
        table.add_row(*row)
    console().print(table, soft_wrap=False)


def put_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values on standard output, one pair a line; a name with an empty value is left out."""
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        put_hanging(f"{name:<{width}}  ", value)


def put_hanging(lead: str, text: str) -> None:
    """A line; on a terminal its lines and what does not fit go below, indented by the lead's length."""
    if not sys.stdout.isatty():
        put(lead + safe_text(text))
        return
    room = max(LAST_AT_LEAST, shutil.get_terminal_size().columns - len(lead))
    lines = [part for line in text.splitlines() for part in textwrap.wrap(safe_text(line), room) or [""]]
    put(lead + ("\n" + " " * len(lead)).join(lines))


def confirm(question: str, *, yes: bool) -> None:
    """Asks before what cannot be undone, default No. Raises UserError without a terminal and without --yes."""
    if yes:
        return
    if not can_ask():
        raise UserError(question.rstrip("?") + ": this needs a yes", remedy="Add --yes to the command.")
    if not is_wanted(question):
        raise UserError("nothing was changed")


def can_ask() -> bool:
    """Whether a person sits at a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_wanted(question: str) -> bool:
    """Asks a person at the terminal, default No. Waits for the answer."""
    print(f"{safe_text(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
