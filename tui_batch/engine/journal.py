"""What a person would want to read about deployments and the disk, on its way into the log.

Changes of a job's state are logged by the store, in the transaction that makes them. All else comes through here:
the engine is looked at now and then, and what differs from the time before is worth a line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tui_batch.engine.breaker import BreakerState
from tui_batch.engine.snapshot import EngineSnapshot, LaneSnapshot
from tui_batch.store.events import Events

WORTH_S = 5.0
"""A server that asks to wait less than this is not worth a line."""
WAITING = 1_000
"""Lines that may wait for the disk; beyond that the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line for the log."""

    at: float
    """Unix time."""
    level: str
    text: str
    job_id: int | None = None
    """None: it is about no job."""


class Journal:
    """Gathers lines and writes them when the disk allows."""

    def __init__(self, events: Events, clock: Callable[[], float]) -> None:
        self._events = events
        self._clock = clock
        self._waiting: deque[Entry] = deque(maxlen=WAITING)
        self._lanes: dict[tuple[str, str], LaneSnapshot] = {}

    def note(self, level: str, text: str, job_id: int | None = None) -> None:
        """Takes a line (level: info, warning or error). Never waits."""
        self._waiting.append(Entry(self._clock(), level, text, job_id))

    def observe(self, snapshot: EngineSnapshot) -> None:
        """Notes what changed about the deployments since the last look."""
        for lane in snapshot.lanes:
            key = (lane.endpoint, lane.model)
            for level, text in lane_changes(self._lanes.get(key), lane):
                self.note(level, text)
            self._lanes[key] = lane

    async def flush(self) -> None:
        """Writes what waits. Raises StoreTrouble while the disk refuses; what it did not take goes on waiting."""
        while self._waiting:
            entry = self._waiting[0]
            await self._events.log(entry.job_id, entry.level, entry.text, at=entry.at)
            if self._waiting and self._waiting[0] is entry:
                self._waiting.popleft()


def lane_changes(before: LaneSnapshot | None, now: LaneSnapshot) -> Iterator[tuple[str, str]]:
    """(level, words) for each change of a deployment that a person would want to know of."""
    name = f"{now.model} @ {now.endpoint}"
    if now.closed and (before is None or now.closed != before.closed):
        yield "warning", f"{name} is no longer used: {now.closed}"
    if before is not None and before.closed and not now.closed:
        yield "info", f"{name} is used again"
    was_open = before is not None and before.breaker != BreakerState.CLOSED
    is_open = now.breaker != BreakerState.CLOSED
    if is_open and not was_open:
        yield "warning", f"{name} fails: no requests but for a probe now and then"
    if was_open and not is_open:
        yield "info", f"{name} answers again"
    wait = stated_wait(now)
    if wait >= WORTH_S and (before is None or wait > stated_wait(before) + WORTH_S):
        yield "info", f"{name} asks to wait {wait:.0f} s"


def stated_wait(lane: LaneSnapshot) -> float:
    """Seconds that a server's Retry-After still holds a deployment."""
    hold = lane.hold
    return 0.0 if hold is None or hold.what != "Retry-After" or hold.seconds is None else hold.seconds
