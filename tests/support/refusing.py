"""A store that refuses for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tui_batch.store.connection import StoreTrouble


def refusing(times: float, words: str = "the disk is full") -> tuple[Callable[[Any], Any], list[int]]:
    """A wrapper that makes an async function fail so many times, and a list with how often it did."""
    done: list[int] = []

    def wrap(function: Any) -> Any:
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            if len(done) < times:
                done.append(1)
                raise StoreTrouble(words)
            return await function(*args, **kwargs)

        return wrapped

    return wrap, done
