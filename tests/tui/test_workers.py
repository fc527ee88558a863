"""Work in the background that is over before it began."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Coroutine
from typing import Any

import pytest
from app_bench import until
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static
from textual.worker import WorkerFailed

from tui_batch.tui.desk import Wish
from tui_batch.tui.quick_keys import QuickKeys


class Part(Static):
    """Tells when it is taken down."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()

    def on_unmount(self) -> None:
        self.gone.set()


class Whole(Vertical):
    """Fills its part when it is too late."""

    def compose(self) -> ComposeResult:
        yield Part()

    async def fill(self) -> None:
        await self.query_one(Part).gone.wait()
        self.query_one(Part).update("late")


class Keeping(QuickKeys[Wish]):
    def compose(self) -> ComposeResult:
        yield Whole()


async def test_work_for_parts_that_are_taken_down_with_their_whole_is_no_fault() -> None:
    app = Keeping()
    async with app.run_test():
        whole = app.query_one(Whole)
        whole.run_worker(whole.fill())
        await asyncio.sleep(0)
        await whole.remove()
    app = Keeping()
    async with app.run_test():  # or with the app
        whole = app.query_one(Whole)
        whole.run_worker(whole.fill())


class Lacking(QuickKeys[Wish]):
    """Looks for a part that it has not."""

    has_looked = False

    def on_mount(self) -> None:
        self.run_worker(self.fill())

    async def fill(self) -> None:
        self.has_looked = True
        self.screen.query_one(Part)


async def opened(app: Lacking) -> None:
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.has_looked)


async def test_work_for_parts_that_never_were_is_a_fault() -> None:
    with pytest.raises(WorkerFailed, match="NoMatches"):
        await opened(Lacking())


async def guarded(work: Coroutine[Any, Any, None]) -> None:
    await work


async def test_work_that_is_replaced_before_it_began_is_let_go_without_a_warning() -> None:
    done: list[int] = []

    async def one(number: int) -> None:
        done.append(number)

    app = QuickKeys[Wish]()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        async with app.run_test() as pilot:
            for number in (1, 2, 3):
                app.run_worker(guarded(one(number)), group="reading", exclusive=True)
            await until(pilot, lambda: not app.workers)
            app.run_worker(guarded(one(4)))  # and the app closes
            app.workers.cancel_all()
        gc.collect()
    assert done == [3]
    assert [str(one.message) for one in said] == []
