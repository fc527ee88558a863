"""Nested answers as columns: `response.category`, `response.person.age`. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tui_batch.domain.request import Json
from tui_batch.quality.answers import parsed_answer

PARTS = ("response", "usage")
"""Fields of a result line that may be nested."""
DEEPEST = 8
"""Levels that get columns of their own; what lies deeper stays JSON in one."""
ANSWER = f"{PARTS[0]}."
"""How the column of an answer's field begins."""
WIDEST = 500
"""Columns that one table gets from answers; further fields are in `response` alone."""
_OWN = "input_"


def flattened(line: Mapping[str, Json]) -> dict[str, Json]:
    """The line with the fields of a JSON answer after it, and with `usage` as two numbers.

    `response` itself stays as it is. An own column that begins like such a field gets `input_` in front.
    """
    flat: dict[str, Json] = {}
    for name, value in line.items():
        if name == "response":
            flat[name] = value
            flat.update(_leaves(name, parsed_answer(value) or {} if isinstance(value, str) else {}, 1))
        elif name == "usage":
            given = value if isinstance(value, dict) else {}
            flat.update({f"usage.{part}": given.get(part) for part in ("input_tokens", "output_tokens")})
        else:
            flat[_OWN + name if name.startswith(tuple(f"{part}." for part in PARTS)) else name] = value
    return flat


def _leaves(lead: str, value: Mapping[str, Json], depth: int) -> Iterator[tuple[str, Json]]:
    for name, inner in value.items():
        path = f"{lead}.{name}"
        if isinstance(inner, dict) and inner and depth < DEEPEST:
            yield from _leaves(path, inner, depth + 1)
        else:
            yield path, inner
