"""Values as cells of a table that a spreadsheet may open."""

from __future__ import annotations

import re

import orjson

from tui_batch.domain.request import Json

_RISKY = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def cell(value: Json) -> str:
    """A value as a cell: empty for null, `true`/`false`, numbers as they are, lists and objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return orjson.dumps(value).decode()


def harmless(text: str) -> str:
    """Text that a spreadsheet would take for a formula gets a `'` in front; plain numbers stay numbers."""
    if text.startswith(_RISKY) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text
