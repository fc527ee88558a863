"""When all that a key set going is done, as far as it goes through the queues of the app's parts.

Textual gives every part of the screen a queue and a task of its own. A key is handed to the part that has the focus,
from there to the part around it, and so on up to the app, which does what is bound to it: that may be an action of the
first part again, whose message goes the same way. What follows it through the same queues comes home after it,
whatever the loop does meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from textual.dom import DOMNode

RISES = 2
"""The key's own way up, and that of the message of what is bound to it."""
ROUNDS = 4
"""Times in a queue: a part answers a message by one to itself, and that by another: submitted, left, entered."""


class WayHome:
    """Goes through the queues of some parts, behind what is in them, and calls at its end."""

    def __init__(self, parts: Iterable[DOMNode], came: Callable[[], None]) -> None:
        """`parts` are those that the key goes through, the first one first."""
        self._left = deque(part for part in tuple(parts) * RISES for _ in range(ROUNDS))
        self._came = came

    def go_on(self) -> None:
        """To the end of the next part's queue. One that is closing has no queue any more."""
        while self._left:
            if self._left.popleft().call_later(self.go_on):
                return
        self._came()
