"""Foreign text of several lines made fit for the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rich.style import Style
from rich.text import Text

from tui_batch.safe_text import safe_text

MOST_CHARS = 20_000
"""Of one text that is shown; more is for a file, not for a screen."""
CELL = 60
"""Characters of a cell in the table of first rows."""


def paragraphs(text: str, style: Style | str = "", limit: int = MOST_CHARS) -> Text:
    """The text with its own lines; control characters made visible, nothing read as markup."""
    cut = text[:limit]
    shown = Text("\n".join(safe_text(line) for line in cut.splitlines()), style)
    if len(text) > limit:
        shown.append(f"\n… {len(text) - limit:,} more characters", "dim")
    return shown


def cell(value: Any) -> Text:
    """A column's value in a few characters."""
    if isinstance(value, str):
        text = value[: CELL + 1]
    else:
        text = "" if value is None else orjson.dumps(value, default=str)[: CELL * 4].decode("utf-8", "replace")
    return Text(safe_text(text, CELL), no_wrap=True)


def row_cells(row: Mapping[str, Any], columns: tuple[str, ...]) -> list[Text]:
    """A row of the table of first rows."""
    return [cell(row.get(column)) for column in columns]
