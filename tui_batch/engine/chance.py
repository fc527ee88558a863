"""Tells refusals that come by chance from those that a lower rate would avoid.

Some servers and proxies refuse a few requests in a hundred whatever the rate. Slowing down does not help there, so
it is tried: a while at half the pace. Refused as often as before: the pace is not the reason, and it is dropped.
Not refused any more: the rate was the reason.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_SHARE = 0.2
"""Above this share of refusals, a pace a third lower would be refused too: half the pace proves nothing."""
LEAST_SHARE = 0.02
"""Below this share a later trial costs more than the refusals."""
RARE = 0.03
"""Up to this share of refusals there is time to find out what they mean."""
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
FIRST_WAIT_S = 60.0
LONGEST_WAIT_S = 960.0
UNLIKELY = 1e-7
"""A row of refusals less likely than this, by chance alone, is none."""
LATELY = 256
"""Requests among which a row is looked for."""
TOGETHER_S = 0.02
"""Requests sent closer together than this may reach the server in another order."""
TAKEN = 2.0
"""Not refused in so many times as long as other refusals took: taken, most likely."""
WORSE = 2.5
"""Believed no longer when this many times as many are refused as when it was settled,"""
MUCH_WORSE = 0.1
"""and this much more of all."""
SOON = 25
MOSTLY = 0.6
"""Of so few requests this share tells as much: even of MOST_SHARE refused by chance, one in 100,000 such would be."""
BLOCK_S = 5.0
BLOCK_REQUESTS = 100
"""The share is watched afterwards over stretches of this long, and of at least so many requests."""


class Verdict(StrEnum):
    """What a trial showed."""

    CHANCE = "chance"
    RATE = "rate"
    OPEN = "open"


@dataclass(slots=True)
class _Sent:
    """A request."""

    at: float
    refused: bool = False


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
        self._lately: deque[_Sent] = deque(maxlen=LATELY)
        self._row = 0
        self._next_at = -math.inf
        self._wait_s = FIRST_WAIT_S

    def sent(self, now: float) -> None:
        """A request goes out."""
        self._lately.append(_Sent(now))
        self._block_sent += 1

    def withdrew(self, sent_at: float) -> None:
        """What was said to be sent then was not."""
        if (one := self._sent_at(sent_at)) is not None:
            self._lately.remove(one)
            self._block_sent -= 1

    def accepted(self) -> None:
        """The server took a request."""
        self._accepted += 1

    def refused(self, now: float, sent_at: float, refusal_s: float) -> None:
        """The server refused a request. May end the belief in chance. `refusal_s`: the longest that any took."""
        self._refused += 1
        if (one := self._sent_at(sent_at)) is not None:
            one.refused = True
        self._row = self._row_of(now - TAKEN * refusal_s) if self.believed else 0
        self._block_refused += 1
        if self.believed and self._is_too_much(now):
            self.believed = False
            self._start_counting()

    @property
    def are_few(self) -> bool:
        """Whether so small a share is refused that it may be chance; few requests prove nothing."""
        return self._refused <= max(FEW, MOST_SHARE * (self._accepted + self._refused))

    @property
    def are_rare(self) -> bool:
        """Whether hardly any is refused."""
        return self._refused <= RARE * (self._accepted + self._refused)

    def believe(self, now: float) -> bool:
        """No limit explains the refusals: takes them for chance, if they are few. Whether it does."""
        if not self.are_few:
            return False
        self.on_trial = False
        self.believed = True
        self._share = _plausible(self._refused / (self._accepted + self._refused))
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
            if not self.are_few:
                self.give_up(now)
                return Verdict.RATE
            self.on_trial = False
            self.believed = True
            self._share = _plausible(max(self._share, self._refused / total))
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
        if self._share**self._row < UNLIKELY:
            return True
        if self._block_sent < SOON:
            return False
        share = self._block_refused / self._block_sent
        if self._block_sent < BLOCK_REQUESTS:
            return share > MOSTLY
        is_too_much = share > max(WORSE * self._share, self._share + MUCH_WORSE)
        # Too much is seen at once: where refusals come within milliseconds, seconds hold tens of thousands of them.
        if is_too_much or now - self._block_since >= BLOCK_S:
            self._begin_block(now)
        return is_too_much

    def _sent_at(self, at: float) -> _Sent | None:
        return next((one for one in reversed(self._lately) if one.at == at and not one.refused), None)

    def _row_of(self, until: float) -> int:
        """How many of the requests last sent were refused one after another. What was sent before `until` was taken.

        Whether what was sent since then is taken is not known yet, and so is what was sent together with it.
        """
        under_way: list[float] = []
        refused: list[float] = []
        taken_at = -math.inf
        for one in reversed(self._lately):
            if one.refused:
                refused.append(one.at)
            elif one.at > until:
                under_way.append(one.at)
            else:
                taken_at = one.at
                break
        under_way.reverse()
        return sum(at > taken_at + TOGETHER_S and not _has_near(under_way, at) for at in refused)

    def _begin_block(self, now: float) -> None:
        self._block_since = now
        self._block_sent = self._block_refused = 0


def _plausible(share: float) -> float:
    """A share of refusals as it is believed in. Two of three requests are no share: what follows is held to less."""
    return min(MOST_SHARE, max(LEAST_SHARE, share))


def _has_near(times: Sequence[float], at: float) -> bool:
    """Whether any of these times, in order, is near one."""
    place = bisect_left(times, at - TOGETHER_S)
    return place < len(times) and times[place] <= at + TOGETHER_S
