"""Time as the simulator sees it, injected so that tests can run minutes in a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from. The default is the machine's own."""

    now: Callable[[], float] = time.monotonic
    """Seconds that never run backwards; limits are counted with it."""
    wall: Callable[[], float] = time.time
    """Unix time, for `created` fields."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits that many seconds of `now`."""
