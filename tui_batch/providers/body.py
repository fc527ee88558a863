"""Writing request bodies and reading untyped answers."""

from __future__ import annotations

from math import isfinite
from typing import Any

import orjson

from tui_batch.domain.request import Json
from tui_batch.providers.base import EncodeError

_ORDERED = frozenset({"response_format", "format", "output_config", "tools", "functions"})
"""Fields that hold a JSON Schema. A model writes an answer's fields in the schema's order, so that order is meaning."""


def canonical(body: dict[str, Json]) -> bytes:
    """JSON with sorted keys, so that equal requests are equal bytes; schemas keep the order they were written in.

    Raises EncodeError for a value that JSON cannot hold, such as half a surrogate pair.
    """
    try:
        if not _ORDERED.isdisjoint(body):
            body = {
                name: orjson.Fragment(orjson.dumps(value)) if name in _ORDERED else value
                for name, value in body.items()
            }
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise EncodeError(f"the request cannot be written as JSON: {error}") from None


def word(value: Any) -> str | None:
    """The value if it is text."""
    return value if isinstance(value, str) else None


def compact(value: Json) -> str | None:
    """The value as JSON text; None when it is nested too deep to be written."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return None


def is_vector(value: Any) -> bool:
    """Whether a value is an embedding: finite numbers, and at least one."""
    return isinstance(value, list) and bool(value) and all(type(one) in (int, float) and isfinite(one) for one in value)
