"""When all that a key set going is done, as far as it goes through the queues of the app's parts.

Textual gives every part of the screen a queue and a task of its own. A key is handed to the part that has the focus,
from there to the part around it, and so on up to the app, which does what is bound to it: that may be an action of the
first part again, whose message goes the same way. What follows it through the same queues comes home after it,
whatever the loop does meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from textual.dom import DOMNode

RISES = 2
"""The key's own way up, and that of the message of what is bound to it."""
ROUNDS = 4
"""Times in a queue: a part answers a message by one to itself, and that by another: submitted, left, entered."""
LONGEST_S = 3.0
"""A part that answers nothing for so long keeps no key from the others."""


class WayHome:
    """Goes through the queues of some parts, behind what is in them, and calls once: at its end, or when it is lost."""

    def __init__(self, parts: Iterable[DOMNode], came: Callable[[], None]) -> None:
        """`parts` are those that the key goes through, the first one first."""
        self._left = deque(part for part in tuple(parts) * RISES for _ in range(ROUNDS))
        self._came = came
        self._is_over = False
        self._limit = asyncio.get_running_loop().call_later(LONGEST_S, self._end)

    def go_on(self) -> None:
        """To the end of the next part's queue. One that is closing has no queue any more."""
        while self._left:
            if self._left.popleft().call_later(self.go_on):
                return
        self._end()

    def _end(self) -> None:
        self._left.clear()
        self._limit.cancel()
        if not self._is_over:
            self._is_over = True
            self._came()
