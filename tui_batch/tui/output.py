"""What is drawn goes to the terminal in a thread of its own, and never holds up the loop on which the jobs run.

A terminal may take nothing for hours (a stalled connection, a multiplexer that stands still) or be gone. Textual lets
the event loop wait for it: no request would be sent, no lease renewed, no hang-up heard. Here drawings that find the
way blocked are left out, and once the terminal takes something again all of it is drawn anew.
"""

from __future__ import annotations

import sys
import time
from asyncio import get_running_loop
from collections.abc import Callable
from contextlib import suppress
from io import RawIOBase
from threading import Condition, Thread
from typing import cast

from textual.driver import Driver

WAITING = 1 << 18
"""Characters that may wait for the terminal: several whole screens."""
CODE = 64
"""A writing of so few characters switches something in the terminal, and waits even where drawings are left out."""
LAST_S = 0.5
"""How long leaving waits for a terminal that takes nothing."""
LOOK_S = 2.0
"""How often a terminal on which nothing is drawn is looked at: is it still there?"""
FULL_S = 0.01
"""Until a terminal that said it takes nothing now is asked again."""


class Output:
    """The way to one terminal."""

    def __init__(
        self,
        take: Callable[[bytes], int | None],
        *,
        is_there: Callable[[], bool],
        redraw: Callable[[], object],
        gone: Callable[[], object],
    ) -> None:
        """`take` writes some of the bytes, waiting for the terminal, and says how many, or raises OSError.

        In the writer's thread `redraw` is called when drawings were left out and the terminal takes some again, and
        `gone` when there is no terminal any more: whoever asked for hang-ups to be ignored (nohup) is told by nothing
        else, and would leave behind a program that nobody sees.
        """
        self._take = take
        self._is_there = is_there
        self._redraw = redraw
        self._gone = gone
        self._changed = Condition()
        self._waiting: list[str] = []
        self._length = 0
        """Characters that wait or are being written."""
        self._left_out = False
        self._is_last = False
        self._thread = Thread(target=self._work, name="terminal-output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Queues a writing, or leaves it out. Never waits for the terminal."""
        with self._changed:
            room = WAITING - self._length
            if len(text) > CODE and (self._left_out or room < len(text) < WAITING):
                self._left_out = True
            elif room > -WAITING:
                self._waiting.append(text)
                self._length += len(text)
                self._changed.notify()

    def stop(self) -> None:
        """Returns when all was written, or the terminal has taken nothing for the time that leaving has for it."""
        with self._changed:
            self._is_last = True
            self._changed.notify()
        self._thread.join(LAST_S)

    def _work(self) -> None:
        while text := self._next():
            self._send(text.encode("utf-8", "replace"))
            with self._changed:
                self._length -= len(text)
                is_anew = self._left_out and not self._waiting
                if is_anew:
                    self._left_out = False
            if is_anew:
                self._redraw()

    def _next(self) -> str:
        """All that waits; empty after the last of it."""
        with self._changed:
            while not self._changed.wait_for(lambda: self._waiting or self._is_last, LOOK_S):
                if not self._is_there():
                    self._gone()
            text = "".join(self._waiting)
            self._waiting.clear()
            return text

    def _send(self, data: bytes) -> None:
        try:
            while data:
                if taken := self._take(data):
                    data = data[taken:]
                else:
                    time.sleep(FULL_S)
        except OSError:
            self._gone()


class PatientDriver(Driver):
    """A mix-in for Textual's drivers: what they write goes through an `Output`."""

    _output: Output | None = None
    is_back_at_once = False
    """Whether the terminal that is being left is taken again in the same breath: see GoingOnDriver."""

    def start_application_mode(self) -> None:
        """Takes the terminal."""
        if self._output is None:
            self._output = self._way()
        super().start_application_mode()  # type: ignore[safe-super]  # a real driver's comes next

    def _way(self) -> Output:
        """What is drawn goes to the terminal by it."""
        loop, app = get_running_loop(), self._app
        file = sys.__stdout__ if sys.platform == "win32" else sys.__stderr__  # which Textual draws on
        assert file is not None
        # The raw file: a thread that waits with the lock of a buffered one in its hand lets Python end with a crash.
        raw: RawIOBase = getattr(file.buffer, "raw", cast("RawIOBase", file.buffer))

        def on_loop(act: Callable[[], object]) -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(act)

        return Output(
            raw.write,
            is_there=raw.isatty if raw.isatty() else lambda: True,  # a hung-up terminal is none any more
            redraw=lambda: on_loop(lambda: app.refresh(layout=True)),
            gone=lambda: on_loop(app.exit),
        )

    def write(self, data: str) -> None:
        """Writes to the terminal, as soon as it takes it."""
        if self._output is not None:
            self._output.write(data)

    def close(self) -> None:
        """Leaves the terminal: the last that was written is drawn, if it takes it.

        Where it is back at once nothing is waited for, and what waits keeps its way and its order: a process that is
        stopped and told to go on again and again, while its terminal takes nothing, would do nothing else.
        """
        super().close()
        if self._output is not None and not self.is_back_at_once:
            self._output.stop()
            self._output = None


def patient(base: type[Driver]) -> type[Driver]:
    """A driver class that never waits for its terminal."""
    return type("Patient" + base.__name__, (PatientDriver, base), {})
