"""Work in the background that is over before it began."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Coroutine
from typing import Any

from app_bench import until

from tui_batch.tui.desk import Wish
from tui_batch.tui.quick_keys import QuickKeys


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
