"""The app's timer: quick while anything moves or somebody types, slow while all stands still or nobody looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from textual.app import App

from tui_batch.tui.pulse import PATIENCE, SLOW_S, TICK_S, Pulse


class Timers:
    """Stands for the app: notes the timers that are set."""

    def __init__(self) -> None:
        self.set: list[float] = []
        self.stopped = 0

    def set_interval(self, seconds: float, _callback: Callable[[], Awaitable[None]]) -> Timers:
        self.set.append(seconds)
        return self

    def stop(self) -> None:
        self.stopped += 1


async def nothing() -> None:
    pass


def started() -> tuple[Timers, Pulse]:
    timers = Timers()
    pulse = Pulse(cast(App[Any], timers), nothing)
    pulse.start()
    return timers, pulse


def rest(pulse: Pulse) -> None:
    for _ in range(PATIENCE):
        pulse.seen(moves=False)


def test_it_slows_down_when_nothing_moves_and_quickens_at_a_key() -> None:
    timers, pulse = started()
    rest(pulse)
    pulse.touch()
    assert timers.set == [TICK_S, SLOW_S, TICK_S]
    assert timers.stopped == 2


def test_it_stays_quick_while_a_job_runs() -> None:
    timers, pulse = started()
    for _ in range(100):
        pulse.seen(moves=True)
    assert timers.set == [TICK_S]


def test_a_job_that_begins_elsewhere_quickens_it() -> None:
    timers, pulse = started()
    rest(pulse)
    pulse.seen(moves=True)
    assert timers.set[-1] == TICK_S


def test_nobody_who_looks_needs_quick_looks() -> None:
    timers, pulse = started()
    pulse.focus(False)
    pulse.seen(moves=True)
    pulse.focus(True)
    assert timers.set == [TICK_S, SLOW_S, TICK_S]


async def test_a_slow_look_is_not_begun_twice() -> None:
    looks = []

    async def look() -> None:
        looks.append(1)
        await pulse._look()  # the next beat, while this one has not ended

    pulse = Pulse(cast(App[Any], Timers()), look)
    await pulse._look()
    assert looks == [1]
