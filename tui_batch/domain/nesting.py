"""How deep lists and objects stand within one another: what writes and shows them goes so far and no further."""

from __future__ import annotations

from collections.abc import Iterable

from tui_batch.domain.request import Json


def is_deeper(value: Json, levels: int) -> bool:
    """Whether a JSON value has more than so many levels; a number or a text has none."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        level = [inner for one in level for inner in _inside(one) if isinstance(inner, dict | list)]
        if not level:
            return False
    return bool(level)


def _inside(value: Json) -> Iterable[Json]:
    return value.values() if isinstance(value, dict) else value
