"""JSON as a person types or saves it: parameters, schemas. Only what a request can hold is taken."""

from __future__ import annotations

import json
import math

from tui_batch.domain.nesting import is_deeper
from tui_batch.domain.request import Json

MOST_DEPTH = 100
"""Lists and objects within one another. What writes requests goes 254 deep; what checks schemas not that deep."""
_LARGEST = 2**64
"""Whole numbers from here on cannot be written into a request."""


class NotJson(ValueError):
    """A text that is no JSON."""


def read_json(text: str) -> Json:
    """The value of a JSON text.

    Raises NotJson, with words, for what is no JSON; and ValueError, with words, for JSON that no request can hold.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"character {error.pos + 1}"
        raise NotJson(f"is not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if is_deeper(value, MOST_DEPTH):
        raise ValueError(_TOO_DEEP)
    if _has_half(value):
        raise ValueError("holds half a character (an escape from \\ud800 to \\udfff)")
    return value


def read_object(text: str) -> dict[str, Json]:
    """The JSON object of a text. Raises NotJson and ValueError as `read_json` does."""
    value = read_json(text)
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object, such as {}")
    return value


def json_or_text(text: str) -> Json:
    """JSON where a text can be read as such, else the text itself: `0`, `["."]`, `low`. Raises ValueError, with words,
    for JSON that no request can hold.
    """
    try:
        return read_json(text)
    except NotJson:
        return text


_TOO_DEEP = f"is nested too deeply: at most {MOST_DEPTH} levels"


def _no_constant(word: str) -> Json:
    raise NotJson(f"is not JSON: {word}")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{_short(digits)} is too large a number")
    return value


def _bounded(digits: str) -> int:
    if len(digits) > 20 or not -_LARGEST // 2 <= int(digits) < _LARGEST:
        raise ValueError(f"{_short(digits)} is too large a whole number: put it in quotes to have it as text")
    return int(digits)


def _short(digits: str) -> str:
    return digits if len(digits) <= 24 else f"{digits[:20]}..."


def _has_half(value: Json) -> bool:
    """Whether half of a surrogate pair stands in it: Python reads it, UTF-8 cannot say it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
