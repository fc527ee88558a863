"""The event loop the program runs on: uvloop where the platform has it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end, as asyncio.run does, on the quickest loop there is."""
    try:
        from uvloop import new_event_loop
    except ImportError:  # Windows, PyPy
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)
