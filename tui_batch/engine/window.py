"""An exact sliding window: never more than the limit in any period, and no slower than that."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

EXACT_ENTRIES = 4_096
"""Up to here every take has an entry of its own; above, takes close in time share one."""
QUANTA = 6_000
"""Shared entries span at most this part of a period: 10 ms of a minute, 14.4 s of a day."""


@dataclass(slots=True)
class Entry:
    """An amount that counts from `at` on. Shared entries count from the latest of their takes: late, never early."""

    first: float
    at: float
    amount: int
    live: bool = True


@dataclass(slots=True)
class Claim:
    """One take's part of an entry."""

    entry: Entry
    amount: int


class SlidingWindow:
    """At most `limit` in any `period_s` seconds. `margin_s` is added to the life of every entry.

    Exact while it holds at most EXACT_ENTRIES entries; beyond that an amount may be counted up to period / QUANTA
    longer than needed. It never holds more than EXACT_ENTRIES + QUANTA + 1 entries. A limit of None limits nothing,
    but use is still counted, so that a limit learned later knows what went before.
    """

    def __init__(self, limit: int | None, period_s: float = 60.0, margin_s: float = 0.0) -> None:
        self.limit = limit
        """May be changed at any time."""
        self.period_s = period_s
        self.margin_s = margin_s
        """May be changed at any time; seconds."""
        self._entries: deque[Entry] = deque()
        self._used = 0

    def used(self, now: float) -> int:
        """What counts against the limit at `now`."""
        self._expire(now)
        return self._used

    def fits(self, now: float, amount: int) -> bool:
        """Whether an amount fits at once; the quick form of `earliest`."""
        self._expire(now)
        return self.limit is None or not self._used or self._used + amount <= self.limit

    def earliest(self, now: float, amount: int) -> float:
        """When `amount` fits if nothing else is taken; `now` when it does at once.

        An amount above the whole limit fits when nothing else counts: waiting longer would not help it.
        """
        if self.limit is None or self.fits(now, amount):
            return now
        excess = self._used + amount - max(self.limit, 0)
        life = self.period_s + self.margin_s
        latest = 0.0
        for entry in self._entries:
            excess -= entry.amount
            if entry.amount:
                # Entries leave in the order of their taking, so one that was counted late holds those behind it.
                latest = max(latest, entry.at)
            if excess <= 0:
                break
        return max(now, latest + life)

    def take(self, now: float, amount: int) -> Claim:
        """Counts an amount from now on. Does not ask whether it fits."""
        self._expire(now)
        entry = self._entries[-1] if self._entries else None
        if entry is not None and now < entry.at:
            now = entry.at
        if entry is not None and self._shares(entry, now):
            entry.at = now
            entry.amount += amount
        else:
            entry = Entry(now, now, amount)
            self._entries.append(entry)
        self._used += amount
        return Claim(entry, amount)

    def settle(self, claim: Claim, actual: int) -> None:
        """Replaces an estimate by what was really used. May take the window above its limit: it was used."""
        change = actual - claim.amount
        claim.amount = actual
        if claim.entry.live:
            claim.entry.amount += change
            self._used += change

    def counted_by(self, claim: Claim, at: float) -> None:
        """The server may have counted it as late as `at`: it counts from then on."""
        claim.entry.at = max(claim.entry.at, at)

    def give_back(self, claim: Claim) -> None:
        """Undoes a take: it never reached the server."""
        self.settle(claim, 0)

    @property
    def room(self) -> int | None:
        """What is left of the limit, as of the last call that was given the time; None: no limit."""
        return None if self.limit is None else self.limit - self._used

    @property
    def oldest(self) -> float | None:
        """When the oldest entry was taken; None when there is none. As of the last call that was given the time."""
        return self._entries[0].first if self._entries else None

    def __len__(self) -> int:
        """Entries held; bounded."""
        return len(self._entries)

    def _shares(self, entry: Entry, now: float) -> bool:
        return len(self._entries) >= EXACT_ENTRIES and now - entry.first < self.period_s / QUANTA

    def _expire(self, now: float) -> None:
        entries = self._entries
        life = self.period_s + self.margin_s
        while entries and entries[0].at + life <= now:
            gone = entries.popleft()
            gone.live = False
            self._used -= gone.amount
