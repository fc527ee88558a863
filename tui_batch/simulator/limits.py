"""The limits a server enforces: requests and tokens in a window, slots, and the queue before the slots."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from tui_batch.domain.outcome import RateHeaders, Window

MINUTE_S = 60.0


class SlidingWindow:
    """Never more than the limit in any span: exact, half-open (now - span, now]."""

    def __init__(self, per_minute: int, span_s: float = MINUTE_S) -> None:
        """`span_s` below 60 counts in shorter intervals: 60 a minute with a span of 1 s is one a second."""
        self._minute = per_minute
        self._limit = max(1, math.floor(per_minute * span_s / MINUTE_S))
        self._span = span_s
        self._entries: deque[tuple[float, int]] = deque()
        self._used = 0

    def wait_s(self, now: float, amount: int) -> float:
        """Seconds until the amount fits; 0 when it fits now, infinity when it never will."""
        self._expire(now)
        if amount > max(self._limit, self._minute):
            return math.inf
        excess = self._used + min(amount, self._limit) - self._limit
        if excess <= 0:
            return 0.0
        # Oldest first: the wait ends when enough of them have left the window.
        for at, used in self._entries:
            excess -= used
            if excess <= 0:
                return max(at + self._span - now, 0.0)
        return self._span

    def add(self, now: float, amount: int) -> None:
        """Counts an amount that was let in."""
        self._entries.append((now, amount))
        self._used += amount

    def state(self, now: float) -> Window:
        """What the response headers say: the limit, what is left, and the time until all of it is back."""
        self._expire(now)
        reset = self._entries[-1][0] + self._span - now if self._entries else 0.0
        return Window(self._minute, max(self._limit - self._used, 0), reset)

    def _expire(self, now: float) -> None:
        edge = now - self._span
        while self._entries and self._entries[0][0] <= edge:
            self._used -= self._entries.popleft()[1]


class Exceeded(StrEnum):
    """Which limit stood in the way."""

    REQUESTS = "requests"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request was let in."""

    exceeded: Exceeded | None = None
    wait_s: float = 0.0
    """Seconds after which it would fit; infinity: never."""


class ModelLimits:
    """Request and token windows of one model: all of them admit a request, or none counts it."""

    def __init__(self, rpm: int | None, tpm: int | None, span_s: float) -> None:
        """`span_s` below 60 counts in shorter intervals, and over the minute too."""
        spans = {min(span_s, MINUTE_S), MINUTE_S}
        self._requests = [SlidingWindow(rpm, span) for span in sorted(spans)] if rpm else []
        self._tokens = [SlidingWindow(tpm, span) for span in sorted(spans)] if tpm else []

    def admit(self, now: float, tokens: int) -> Verdict:
        """Counts the request when every window has room. A refused request is not counted."""
        wait_requests = max((window.wait_s(now, 1) for window in self._requests), default=0.0)
        wait_tokens = max((window.wait_s(now, tokens) for window in self._tokens), default=0.0)
        if wait_requests or wait_tokens:
            exceeded = Exceeded.REQUESTS if wait_requests > wait_tokens else Exceeded.TOKENS
            return Verdict(exceeded, max(wait_requests, wait_tokens))
        for window in self._requests:
            window.add(now, 1)
        for window in self._tokens:
            window.add(now, tokens)
        return Verdict()

    def state(self, now: float) -> RateHeaders:
        """The minute's windows, as headers tell them."""
        return RateHeaders(
            self._requests[-1].state(now) if self._requests else Window(),
            self._tokens[-1].state(now) if self._tokens else Window(),
        )


class QueueFull(Exception):
    """All slots are busy and the queue before them is full."""


class Slots:
    """Requests worked on at the same time; more wait in arrival order, up to the queue's length."""

    def __init__(self, count: int | None, queue_length: int) -> None:
        self._count = count
        self._queue_length = queue_length
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.busy = 0
        self.most_busy = 0
        self.most_waiting = 0

    @property
    def full(self) -> bool:
        """Whether one more would be turned away."""
        return self._count is not None and self.busy >= self._count and len(self._waiting) >= self._queue_length

    async def acquire(self) -> None:
        """Takes a slot, waiting for one if need be. Raises QueueFull."""
        if self._count is not None and self.busy >= self._count:
            await self._wait()
        else:
            self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)

    async def _wait(self) -> None:
        if self.full:
            raise QueueFull
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self.most_waiting = max(self.most_waiting, len(self._waiting))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def release(self) -> None:
        """Gives a slot back: to the next in the queue, who then holds it, or to nobody."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.busy -= 1
