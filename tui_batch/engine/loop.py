"""The event loop the program runs on: uvloop where the platform has it, with Python's search for cycles made rare."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

COLLECT_EVERY = 50_000
"""New objects between two searches for cycles. Python's own 700 searches a page of a thousand rows a dozen times over:
at 256 in flight that was an eighth of the engine's CPU. What cycles may hold meanwhile is some 10 MB."""

SWITCH_S = 0.001
"""A thread that prepares rows or writes outcomes lets the loop go on after so long. With Python's own 5 ms an answer
waits for a whole page to be prepared, and a commit, which lets go of the interpreter at every row, for whole turns."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end, as asyncio.run does, on the quickest loop there is."""
    with _rare_collections(), _quick_switches(), asyncio.Runner(loop_factory=_quickest()) as runner:
        return runner.run(main)


def _quickest() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the quickest loop there is; None: Python's own is that, or the only one that works."""
    if not suits_uvloop(sys.version_info[:3]):
        return None
    try:
        from uvloop import new_event_loop
    except ImportError:  # Windows
        return None
    return new_event_loop


def suits_uvloop(version: tuple[int, int, int]) -> bool:
    """Whether uvloop and an app on it work with this Python.

    Textual sets Python's eager task factory, and from 3.13 on uvloop 0.23 hands it an argument that it takes only since
    3.13.3 (uvloop's pull request 748, CPython's 128306): before that the first task ends the program.
    """
    return not (3, 13, 0) <= version < (3, 13, 3)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """What is loaded by now stays to the end and is searched no more; what comes is searched, but seldom."""
    threshold = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, *threshold[1:])
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()


@contextmanager
def _quick_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
