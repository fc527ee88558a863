"""Ctrl-C, SIGTERM and SIGHUP: the first asks the work to end well, the second to stop, the third leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from tui_batch.cli.console import say
from tui_batch.cli.exits import Exit, Interrupted

LAST = 3
"""The interrupt that no longer waits for anything."""


class Interrupts:
    """Counts the interrupts of this process and hands each to whoever is in charge at the moment."""

    def __init__(self) -> None:
        self.count = 0
        self._react: Callable[[int], None] | None = None
        self._unheard = False
        """An interrupt came while nobody was in charge; whoever comes next gets it."""

    @contextmanager
    def handled_by(self, react: Callable[[int], None]) -> Iterator[None]:
        """Within the block `react` gets the number of each interrupt, from 1."""
        before, self._react = self._react, react
        try:
            if self._unheard:
                self._unheard = False
                react(self.count)
            yield
        finally:
            self._react = before

    def arrive(self) -> None:
        """One more interrupt."""
        self.count += 1
        if self.count >= LAST:
            leave_at_once()
        if self._react is None:
            self._unheard = True
        else:
            self._react(self.count)


def leave_at_once() -> NoReturn:
    """Ends the process without waiting for anything: a disk that refuses, a thread that reads a silent pipe."""
    say("left at once; answers that were still on their way will be asked for again")
    os._exit(Exit.INTERRUPTED)


@contextmanager
def listening() -> Iterator[Interrupts]:
    """Takes the signals over for the running loop. A signal that was ignored (nohup) stays ignored."""
    interrupts = Interrupts()
    loop = asyncio.get_running_loop()
    names = ("SIGINT", "SIGBREAK") if sys.platform == "win32" else ("SIGINT", "SIGTERM", "SIGHUP")
    taken = [number for name in names if (number := getattr(signal, name)) and _free(number)]
    restore = [_take(loop, number, interrupts) for number in taken]
    try:
        yield interrupts
    finally:
        for undo in restore:
            undo()


def _free(number: int) -> bool:
    return signal.getsignal(number) is not signal.SIG_IGN


def _take(loop: asyncio.AbstractEventLoop, number: int, interrupts: Interrupts) -> Callable[[], object]:
    """Installs the handler; returns what puts the old one back."""
    before = signal.getsignal(number)
    try:
        loop.add_signal_handler(number, interrupts.arrive)
    except NotImplementedError:  # Windows: the handler runs between two bytecodes and only wakes the loop

        def wake(_number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(interrupts.arrive)

        signal.signal(number, wake)
        return lambda: signal.signal(number, before)

    def undo() -> None:
        loop.remove_signal_handler(number)
        signal.signal(number, before)

    return undo


@contextmanager
def cancelling(interrupts: Interrupts) -> Iterator[None]:
    """Within the block an interrupt cancels the task it is in, and Interrupted is raised. A second leaves at once."""
    task = asyncio.current_task()
    assert task is not None

    def cancel(number: int) -> None:
        if number > 1:
            leave_at_once()
        say("interrupted: ending (again: leave at once)")
        task.cancel()

    try:
        with interrupts.handled_by(cancel):
            yield
    except asyncio.CancelledError:
        if not interrupts.count:
            raise
        task.uncancel()
        raise Interrupted from None
