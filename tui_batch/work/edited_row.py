"""A row of the input as JSON that a person edits, and what they made of it."""

from __future__ import annotations

import orjson

from tui_batch.domain.request import Json
from tui_batch.errors import UserError


def row_text(data: bytes) -> str:
    """A stored row as JSON to be edited."""
    return orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def read_row(text: str, name: str) -> dict[str, Json]:
    """An edited row; `name` says what was read. Raises UserError naming line and column for what is no JSON object.

    It is read as every stored row is: what Python alone takes for JSON (NaN) would make the job unreadable.
    """
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        place = f"{name}, line {error.lineno}, column {error.colno}"
        raise UserError(f"{place}: is no JSON: {error.msg}", remedy="Nothing was changed. Edit it again.") from None
    if not isinstance(row, dict):
        raise UserError(f"{name}: must be a JSON object", remedy='Such as {"prompt": "..."}')
    return row
