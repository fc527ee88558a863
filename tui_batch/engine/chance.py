"""Tells refusals that come by chance from those that a lower rate would avoid.

Some servers and proxies refuse a few requests in a hundred whatever the rate. Slowing down does not help there, so
it is tried: a while at half the pace. Refused as often as before: the pace is not the reason, and it is dropped.
Not refused any more: the rate was the reason.
"""

from __future__ import annotations

import math
from enum import StrEnum

MOST_SHARE = 0.2
"""Above this share of refusals, a pace a third lower would be refused too: half the pace proves nothing."""
LEAST_SHARE = 0.01
"""Below this share a later trial costs more than the refusals."""
FEW = 3
"""Refusals before a later trial."""
FEW_REQUESTS = 8
"""Fewer say nothing about a share."""
SLOWER = 0.5
"""The pace of a trial, as a share of the one that was refused."""
ENOUGH_REFUSED = 2
"""Refusals at half the pace that settle it, if they come about as often as before."""
AS_OFTEN = 0.25
"""As often: at least this part of the share before, which was counted on a few requests only."""
ENOUGH_EXPECTED = 4.0
"""A trial ends when so many refusals were to be expected by chance and none came; with one, after twice as many."""
LONGEST_TRIAL = 120
"""Requests."""
FIRST_WAIT_S = 10.0
LONGEST_WAIT_S = 960.0
UNLIKELY = 1e-4
"""A run of refusals less likely than this, by chance alone, is none,"""
LASTING_S = 3.0
"""if it lasts longer than this"""
MOST_OF = 0.8
"""and is most of what was sent meanwhile: refusals come back before the answers of requests sent with them."""
WORSE = 2.5
"""Believed no longer when this many times as many are refused as when it was settled,"""
MUCH_WORSE = 0.1
"""and this much more of all."""
BLOCK_S = 5.0
BLOCK_REQUESTS = 100
"""The share is watched afterwards over stretches of at least this long and this many requests."""


class Verdict(StrEnum):
    """What a trial showed."""

    CHANCE = "chance"
    RATE = "rate"
    OPEN = "open"


class ChanceTest:
    """Counts what one deployment takes and refuses. Times in seconds on the caller's clock."""

    def __init__(self) -> None:
        self.believed = False
        """Whether refusals are taken for chance: they say nothing about the rate."""
        self.on_trial = False
        self._accepted = 0
        self._refused = 0
        self._share = 0.0
        """Share of refusals when the trial began."""
        self._block_since = 0.0
        self._block_sent = 0
        self._block_refused = 0
        self._row = 0
        self._row_since = 0.0
        self._row_sent = 0
        self._next_at = -math.inf
        self._wait_s = FIRST_WAIT_S

    def sent(self) -> None:
        """A request goes out."""
        self._row_sent += 1
        self._block_sent += 1

    def accepted(self) -> None:
        """The server took a request."""
        self._accepted += 1
        self._row = 0

    def refused(self, now: float) -> None:
        """The server refused a request. May end the belief in chance."""
        self._refused += 1
        if self._row == 0:
            self._row_since = now
            self._row_sent = 1
        self._row += 1
        self._block_refused += 1
        if self.believed and self._is_too_much(now):
            self.believed = False
            self._start_counting()

    @property
    def are_few(self) -> bool:
        """Whether so small a share is refused that it may be chance; few requests prove nothing."""
        return self._refused <= max(FEW, MOST_SHARE * (self._accepted + self._refused))

    def believe(self, now: float) -> bool:
        """No limit explains the refusals: takes them for chance, if they are few. Whether it does."""
        if not self.are_few:
            return False
        self.on_trial = False
        self.believed = True
        self._share = max(LEAST_SHARE, self._refused / (self._accepted + self._refused))
        self._begin_block(now)
        return True

    def is_worth_a_trial(self, now: float) -> bool:
        """Whether a trial may begin: few are refused, but not too few, and the last trial is some time ago."""
        if now < self._next_at or self.on_trial:
            return False
        first = self._next_at == -math.inf
        total = self._accepted + self._refused
        share = self._refused / max(FEW_REQUESTS, total)
        return total >= FEW_REQUESTS and LEAST_SHARE <= share <= MOST_SHARE and (first or self._refused >= FEW)

    def begin(self) -> None:
        """A trial begins: from now on requests go at SLOWER times the pace."""
        self._share = self._refused / (self._accepted + self._refused)
        self.on_trial = True
        self._start_counting()

    def verdict(self, now: float) -> Verdict:
        """What the trial has shown so far; anything but OPEN ends it."""
        total = self._accepted + self._refused
        if self._refused >= ENOUGH_REFUSED and self._refused >= AS_OFTEN * self._share * total:
            self.on_trial = False
            self.believed = True
            self._share = max(self._share, self._refused / total)
            self._begin_block(now)
            return Verdict.CHANCE
        if self._accepted >= (1 + self._refused) * min(LONGEST_TRIAL, ENOUGH_EXPECTED / self._share):
            self.give_up(now)
            return Verdict.RATE
        return Verdict.OPEN

    def give_up(self, now: float) -> None:
        """The trial is over: the rate is the reason. Later trials are ever rarer."""
        self.on_trial = False
        self._next_at = now + self._wait_s
        self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s)
        self._start_counting()

    def _start_counting(self) -> None:
        self._accepted = self._refused = 0

    def _is_too_much(self, now: float) -> bool:
        lasting = now - self._row_since > LASTING_S and self._row >= MOST_OF * self._row_sent
        if lasting and self._share**self._row < UNLIKELY:
            return True
        if now - self._block_since < BLOCK_S or self._block_sent < BLOCK_REQUESTS:
            return False
        share = self._block_refused / self._block_sent
        self._begin_block(now)
        return share > max(WORSE * self._share, self._share + MUCH_WORSE)

    def _begin_block(self, now: float) -> None:
        self._block_since = now
        self._block_sent = self._block_refused = 0
