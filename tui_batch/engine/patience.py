"""Going on with the store although the disk refuses for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tui_batch.store.connection import StoreTrouble

T = TypeVar("T")

AGAIN_S = 0.5
"""Pause between two tries."""


async def persistently(action: Callable[[], Awaitable[T]], say: Callable[[str | None], None]) -> T:
    """Does something with the store, again and again while the disk refuses or another program holds it.

    `say` gets the words of the trouble at each failure, and None once it is over.
    """
    troubled = False
    while True:
        try:
            result = await action()
        except StoreTrouble as error:
            troubled = True
            say(error.message)
            await asyncio.sleep(AGAIN_S)
        else:
            if troubled:
                say(None)
            return result
