"""An event loop whose clock jumps: waiting costs nothing, and everything happens at exact times.

The clock moves only when nothing is ready to run and no thread is at work, so that SQLite's real threads and real
files go along. Nothing here sleeps.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

import aiosqlite

T = TypeVar("T")

LONGEST_S = 150.0
"""Seconds of real time that a test may take. The runner's own time limit raises inside a callback of the loop, which
logs it and goes on: on a clock that jumps, a test that waits for what never comes would spin for ever."""
START = 1_800_000_000.0
"""Unix time at which the virtual clock starts."""


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[valid-type, misc]
    """Where a real selector would wait for a timer, moves the clock to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.until = time.monotonic() + LONGEST_S
        self.at_work = 0
        """Calls on other threads that have not come back."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if self.at_work or timeout is None:
            return super().select(None)
        if time.monotonic() > self.until:
            raise TimeoutError(f"not over after {LONGEST_S:.0f} s, at {self.now:.0f} s of virtual time")
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs on the jumping selector's clock."""

    def __init__(self) -> None:
        self.selector = _JumpingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now

    def wall(self) -> float:
        """Unix time on the virtual clock."""
        return START + self.selector.now

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        self.selector.at_work += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._back)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Joining the threads is work of theirs. From Python 3.13 it has a time limit, on the loop's clock."""
        self.selector.at_work += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self.selector.at_work -= 1

    def _back(self, _: Future[Any] | asyncio.Future[Any]) -> None:
        self.selector.at_work -= 1


def watch_aiosqlite(monkeypatch: Any) -> None:
    """Counts calls to SQLite's threads as work, so that the clock stands still meanwhile: opening and closing, too."""
    for name in ("_execute", "_connect", "close"):
        monkeypatch.setattr(aiosqlite.Connection, name, _counted(getattr(aiosqlite.Connection, name)))


def _counted(original: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., Coroutine[Any, Any, T]]:
    async def counted(*args: Any, **kwargs: Any) -> T:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.selector.at_work += 1
        try:
            return await original(*args, **kwargs)
        finally:
            loop.selector.at_work -= 1

    return counted


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
