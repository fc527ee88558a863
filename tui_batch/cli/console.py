"""What a command prints: data on standard output, words on standard error. Foreign text is never markup."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tui_batch.domain.request import Json
from tui_batch.errors import UserError
from tui_batch.safe_text import safe_text

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 4_000
"""Columns of an output that is no terminal: nothing is cut there."""


def say(text: str) -> None:
    """Words for a person, on standard error."""
    print(text, file=sys.stderr, flush=True)


def show_error(error: UserError) -> None:
    """An error and its remedy, on standard error. Its text may hold words of files and servers."""
    lines = [safe_text(line) for line in error.message.splitlines() or [""]]
    say("error: " + "\n  ".join(lines))
    if error.remedy:
        say("\n".join(safe_text(line) for line in error.remedy.splitlines()))


def put(text: str) -> None:
    """A line of data, on standard output."""
    print(text)


def put_json(value: Json) -> None:
    """A JSON document on standard output: indented for a terminal, one line elsewhere."""
    indent = 2 if sys.stdout.isatty() else None
    put(json.dumps(value, ensure_ascii=False, indent=indent))


def console() -> Console:
    """Rich on standard output."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else WIDE)


RIGHT = ">"
"""At the front of a column's title: figures, flush right."""


def put_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of plain text on standard output. A title that begins with RIGHT is flush right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in columns:
        right = title.startswith(RIGHT)
        table.add_column(title.removeprefix(RIGHT), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(safe_text(cell)) for cell in row))
    console().print(table, soft_wrap=False)


def put_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values on standard output, one pair a line; a name with an empty value is left out."""
    shown = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        put(f"{name:<{width}}  {safe_text(value)}")


def confirm(question: str, *, yes: bool) -> None:
    """Asks before what cannot be undone, default No. Raises UserError without a terminal and without --yes."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError(question.rstrip("?") + ": this needs a yes", remedy="Add --yes to the command.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError("nothing was changed")
