"""The way to the terminal: nothing waits for a terminal that takes nothing, and nothing is lost on one that does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stress_yard import DEADLINE_S, wait_until
from textual.app import App
from textual.driver import Driver

from tui_batch.tui.going_on import going_on
from tui_batch.tui.output import CODE, WAITING, Output, patient

FRAME = "x" * (CODE + 1)


class Terminal:
    """Takes a few bytes at a time, while its gate is open."""

    def __init__(self, at_a_time: int = 1 << 16) -> None:
        self.gate = threading.Event()
        self.taken = bytearray()
        self.redrawn = threading.Event()
        self.gone = threading.Event()
        self.is_closed = False
        self._at_a_time = at_a_time

    def is_there(self) -> bool:
        return not self.is_closed

    def take(self, data: bytes) -> int:
        self.gate.wait(DEADLINE_S)
        self.taken += data[: self._at_a_time]
        return min(len(data), self._at_a_time)


def opened(terminal: Terminal, take: Callable[[bytes], int] | None = None) -> Output:
    return Output(
        take or terminal.take, is_there=terminal.is_there, redraw=terminal.redrawn.set, gone=terminal.gone.set
    )


@given(st.lists(st.text(max_size=200), max_size=30), st.integers(1, 50))
def test_a_terminal_that_takes_all_gets_all_in_order(writings: list[str], at_a_time: int) -> None:
    terminal = Terminal(at_a_time)
    terminal.gate.set()
    output = opened(terminal)
    for text in writings:
        output.write(text)
    output.stop()
    assert terminal.taken.decode() == "".join(writings).encode("utf-8", "replace").decode()
    assert not terminal.redrawn.is_set()


def test_drawings_that_find_the_way_blocked_are_left_out_codes_are_not_and_all_is_drawn_anew() -> None:
    terminal = Terminal()
    output = opened(terminal)
    for _ in range(2 * WAITING // len(FRAME)):
        output.write(FRAME)
    output.write("code")
    terminal.gate.set()
    assert terminal.redrawn.wait(DEADLINE_S)
    assert len(terminal.taken) <= WAITING + len("code")
    assert terminal.taken.endswith(b"code")
    output.write(FRAME)
    output.stop()
    assert terminal.taken.endswith(FRAME.encode()), "it takes drawings again"


def test_a_drawing_larger_than_all_that_may_wait_is_drawn() -> None:
    terminal = Terminal()
    terminal.gate.set()
    output = opened(terminal)
    output.write("x" * (3 * WAITING))
    wait_until(lambda: len(terminal.taken) == 3 * WAITING)
    output.stop()


def test_what_waits_is_bounded_whatever_is_written() -> None:
    terminal = Terminal()
    output = opened(terminal)
    for _ in range(3 * WAITING // 4):
        output.write("code")
    terminal.gate.set()
    output.stop()
    assert WAITING <= len(terminal.taken) <= 2 * WAITING + len("code")


def test_leaving_does_not_wait_for_a_terminal_that_takes_nothing_or_is_gone() -> None:
    terminal = Terminal()
    output = opened(terminal)
    output.write(FRAME)
    output.stop()  # returns
    assert not terminal.taken
    terminal.gate.set()

    def refuse(_data: bytes) -> int:
        raise OSError

    output = opened(terminal, refuse)
    for _ in range(2 * WAITING // len(FRAME)):
        output.write(FRAME)
    output.stop()
    assert terminal.gone.wait(DEADLINE_S), "whoever waits for it is told"


def test_a_terminal_that_goes_while_nothing_is_drawn_is_missed() -> None:
    terminal = Terminal()
    output = opened(terminal)
    terminal.is_closed = True
    assert terminal.gone.wait(DEADLINE_S)
    output.stop()


async def test_a_signal_to_go_on_takes_no_terminal_that_was_left_for_good() -> None:
    taken: list[str] = []

    class Posix(Driver):
        _must_signal_resume = False

        def write(self, data: str) -> None: ...

        def start_application_mode(self) -> None:
            taken.append("taken")

        def stop_application_mode(self) -> None:
            taken.append("left")

        def disable_input(self) -> None: ...

        def _sigcont_application(self, *_: object) -> None:
            self.resume_application_mode()

    driver: Any = going_on(Posix)(App())
    driver.start_application_mode()
    driver._sigcont_application()
    await asyncio.sleep(0)
    assert taken == ["taken", "left", "taken"], "once, whoever had it meanwhile"
    driver._must_signal_resume = False  # Textual's drivers say so once they told the app
    driver.stop_application_mode()
    driver._sigcont_application()
    await asyncio.sleep(0)
    assert taken == ["taken", "left", "taken", "left"]
    driver._must_signal_resume = True  # ctrl+z: it was left for a while
    driver._sigcont_application()
    assert taken[-1] == "taken"


class Quiet(Driver):
    """Textual's driver for POSIX systems, as far as it takes and leaves a terminal."""

    _must_signal_resume = False

    def write(self, data: str) -> None: ...

    def start_application_mode(self) -> None:
        self._must_signal_resume = False
        self.write("[taken]")

    def stop_application_mode(self) -> None:
        self.write("[left]")

    def disable_input(self) -> None: ...


async def test_told_to_go_on_a_hundred_times_it_waits_for_no_terminal_that_takes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each time held up the jobs for half a second, and left a thread behind that wrote among the others."""
    terminal = Terminal()
    file = SimpleNamespace(buffer=SimpleNamespace(write=terminal.take, isatty=lambda: True))
    monkeypatch.setattr("sys.__stderr__", file)
    before = set(threading.enumerate())
    driver: Any = going_on(patient(Quiet))(App())
    driver.start_application_mode()
    (writer,) = set(threading.enumerate()) - before
    monkeypatch.setattr(writer, "join", lambda _: pytest.fail("it waits for the terminal"))
    for _ in range(100):
        driver._sigcont_application()
        await asyncio.sleep(0)
    assert set(threading.enumerate()) - before == {writer}
    monkeypatch.undo()
    terminal.gate.set()
    driver.stop_application_mode()
    driver.close()
    assert terminal.taken.decode() == "[taken]" + 100 * "[left][taken]" + "[left]"
