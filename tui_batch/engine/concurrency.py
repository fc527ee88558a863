"""How many requests may be in flight: a fixed number, or one that finds the server's own.

The automatic limit treats the server as a black box with a throughput X(n) at n in flight that first rises and then
stays flat while latency grows. It looks for the knee: the least n at which X(n) is (nearly) the best seen.
Throughput at a level follows from Little's law, X = in flight / mean latency, over requests sent after the level
was reached; unlike counting answers that needs no whole number of rounds when answers come in bursts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tui_batch.domain.outcome import OutcomeClass

REFUSALS = frozenset({OutcomeClass.RATE_LIMITED, OutcomeClass.OVERLOADED})
ANSWERS = frozenset({OutcomeClass.OK, OutcomeClass.TRUNCATED, OutcomeClass.INVALID})
"""Outcomes whose latency is that of the model's work."""
WORTHWHILE = 1.10
"""A higher level must bring at least this factor of throughput to be worth its latency."""
STILL_BEST = 0.95
"""A level is as good as the best when it reaches this share of its throughput."""
FINE_ENOUGH = 1.25
"""The search ends when the level that is too low and the one that is enough are this close."""
SPARE = 1.1
"""Headroom over the knee by Little's law, so that no slot waits for our next request."""
USED = 0.8
"""A level counts as exercised when at least this share of it was in flight; otherwise work was short."""
MUCH_LESS = 0.5
"""Refusals with fewer than this share of the limit in flight are not about how many are in flight."""
CUT = 0.7
"""What a refusal leaves of the limit."""
NEAR_CEILING = 0.95
"""After a cut the limit returns quickly to this share of where it was refused, then slowly."""
SMALL_STEP = 1.15
"""Refused this little above a level that went well, the limit returns to that level instead of being cut,"""
FIRST_STAY_S = 4.0
LONGEST_STAY_S = 60.0
"""and stays there: for longer each time that a little more was refused."""
FORGET_CEILING = 1.5
"""This far above the level that was refused, the refusal is history and the search begins anew."""
SHRUNK = 0.8
"""At rest, less than this share of the usual throughput means that the server has changed."""
TRY_UP = 1.25
TRY_DOWN = 0.8
"""At rest a level this much higher, then one this much lower, is tried now and then: the server may have grown, and
what was found in a hurry may be too much."""
FIRST_TRY_S = 10.0
LONGEST_TRY_UP_S = 30.0
LONGEST_TRY_DOWN_S = 600.0
"""A level that is too low costs throughput while it is tried; one that is too high only latency."""


@dataclass(slots=True)
class _Level:
    """What is measured at one limit, from requests sent after it was reached."""

    since: float | None = None
    """When the number in flight came up (or down) to the limit; None: not yet."""
    count: int = 0
    work: float = 0.0
    latency: float = 0.0
    in_flight: float = 0.0

    def add(self, latency_s: float, in_flight: int, work: float) -> None:
        """One answer."""
        self.count += 1
        self.work += work
        self.latency += latency_s
        self.in_flight += in_flight

    @property
    def mean_latency(self) -> float:
        """Seconds."""
        return self.latency / self.count

    @property
    def mean_in_flight(self) -> float:
        """Requests in flight when answers came."""
        return self.in_flight / self.count

    @property
    def throughput(self) -> float:
        """Work per second by Little's law, each request weighted with its own work."""
        return self.mean_in_flight * self.work / max(self.latency, 1e-9)


@dataclass(slots=True)
class _Trial:
    """When to try another level next; rarer each time that it was not worth it."""

    factor: float
    longest_s: float
    every_s: float = FIRST_TRY_S
    at: float = math.inf

    def soon(self, now: float) -> None:
        """Things have changed: try again shortly."""
        self.every_s = FIRST_TRY_S
        self.at = now + self.every_s

    def later(self, now: float) -> None:
        """It was not worth it."""
        self.every_s = min(self.longest_s, self.every_s * self.factor)
        self.at = now + self.every_s


def work_of(output_tokens: int | None) -> float:
    """What one answer is worth: its tokens, plus what a request costs beside them (about twenty tokens' time)."""
    return 20.0 + (output_tokens or 0)


class AutoLimit:
    """Finds the knee by doubling, then narrowing; then rests, and tries a little more from time to time.

    A refusal (429, 503, 529) ends all that: the limit is cut, once for all requests in flight, and then creeps back.
    Times are seconds on the caller's clock.
    """

    def __init__(self, initial: int = 8, minimum: int = 1, maximum: int = 1024) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self._limit = max(minimum, min(initial, maximum))
        self._level = _Level(since=-math.inf)
        self._step: Callable[[float], None] = self._double
        self._is_measured: Callable[[float], bool] = self._is_glimpsed
        self._low = 0
        """The highest level known to be too low; 0: none."""
        self._high = 0
        """The lowest level known to be enough; 0: none."""
        self._previous: tuple[int, float] | None = None
        """The level before this one while doubling, and its throughput."""
        self._best = 0.0
        self._best_requests = 0.0
        self._service_s = math.inf
        """Least mean latency of any level: about the time of a request that does not queue."""
        self._rest_rate: float | None = None
        self._up = _Trial(1.5, LONGEST_TRY_UP_S)
        self._down = _Trial(3.0, LONGEST_TRY_DOWN_S)
        self._cut_at = -math.inf
        self._ceiling = 0
        self._good = 0
        """The last level at which nothing was refused for a round, since the last cut; 0: none."""
        self._stay_s = FIRST_STAY_S
        self._stay_until = -math.inf

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return self._limit

    def on_outcome(
        self, now: float, cls: OutcomeClass, latency_s: float, in_flight: int, output_tokens: int | None
    ) -> None:
        """Takes note of one outcome. `in_flight` includes the request that ended."""
        if cls in REFUSALS:
            self._refused(now, latency_s, in_flight)
        elif cls in ANSWERS:
            self._answered(now, latency_s, in_flight, work_of(output_tokens))

    def _answered(self, now: float, latency_s: float, in_flight: int, work: float) -> None:
        level = self._level
        if level.since is None:
            if USED * self._limit <= in_flight <= self._limit:
                level.since = now
            return
        if now - latency_s < level.since:
            return
        level.add(latency_s, in_flight, work)
        if not self._is_measured(now):
            return
        if level.mean_in_flight < USED * self._limit:
            # Too little work came for this level to say anything.
            self._level = _Level()
        else:
            self._step(now)

    def _is_glimpsed(self, now: float) -> bool:
        """Quick and a little kind to the level (short requests end first): doubling too far is mended later."""
        level = self._level
        assert level.since is not None
        enough = level.count >= max(4, self._limit // 4)
        return enough and now - level.since >= max(0.2, 1.1 * level.mean_latency)

    def _is_weighed(self, now: float) -> bool:
        """Enough answers over enough time to compare levels that differ little."""
        level = self._level
        assert level.since is not None
        age = now - level.since
        if level.count >= max(100, self._limit):
            return age >= max(1.0, 2.0 * level.mean_latency)
        return level.count >= 10 and age >= max(4.0, 4.0 * level.mean_latency)

    def _go(self, limit: int, step: Callable[[float], None], measured: Callable[[float], bool]) -> None:
        self._limit = max(self._minimum, min(limit, self._maximum))
        self._step = step
        self._is_measured = measured
        self._level = _Level()

    def _note(self) -> float:
        """Takes the level's figures in; returns its throughput."""
        level = self._level
        self._service_s = min(self._service_s, level.mean_latency)
        self._best = max(self._best, level.throughput)
        self._best_requests = max(self._best_requests, level.mean_in_flight / max(level.mean_latency, 1e-9))
        return level.throughput

    def _forget(self) -> None:
        """The server is not the one that was measured."""
        self._low = self._high = 0
        self._best = self._best_requests = 0.0
        self._service_s = math.inf
        self._previous = None

    # The steps: each is called when the present level is measured.

    def _double(self, now: float) -> None:
        """Early growth: twice as many in flight while that helps."""
        rate = self._note()
        limit, previous = self._limit, self._previous
        if previous is not None and rate < WORTHWHILE * previous[1]:
            if previous[1] >= STILL_BEST * self._best:
                self._high = previous[0]
            else:
                self._low, self._high = previous[0], limit
            self._narrow(now)
            return
        if previous is not None:
            self._low = previous[0]
        self._previous = (limit, rate)
        if limit >= self._maximum:
            self._high = limit
            self._narrow(now)
        else:
            self._go(limit * 2, self._double, self._is_glimpsed)

    def _narrow(self, now: float) -> None:
        """Picks the next level between too low and enough, or comes to rest."""
        # No level below this can reach the best: X(n) is at most n / service time.
        knee = self._best_requests * self._service_s
        if self._low:
            self._low = max(self._low, min(self._high - 1, math.ceil(STILL_BEST * knee) - 1))
        if self._high <= max(self._minimum, self._low + 1, self._low * FINE_ENOUGH):
            self._settle(now)
            return
        guess = math.ceil(knee * SPARE)
        if not self._low < guess < self._high:
            guess = math.isqrt(self._low * self._high) if self._low else self._high // 2
        self._go(max(self._low + 1, guess), self._search, self._is_weighed)

    def _search(self, now: float) -> None:
        rate = self._note()
        if rate >= STILL_BEST * self._best:
            self._high = self._limit
        else:
            self._low = self._limit
        self._narrow(now)

    def _settle(self, now: float) -> None:
        """The search is over."""
        self._up.soon(now)
        self._down.soon(now)
        self._rest()

    def _rest(self) -> None:
        """Stays at the least level known to be enough."""
        self._rest_rate = None
        self._go(self._high, self._watch, self._is_weighed)

    def _watch(self, now: float) -> None:
        """At rest: has the server changed?"""
        rate = self._level.throughput
        usual = self._rest_rate
        if usual is not None and rate < SHRUNK * usual:
            self._forget()
            self._high = self._limit
            self._note()
            self._narrow(now)
            return
        self._rest_rate = rate if usual is None or rate > usual / SHRUNK else usual + 0.2 * (rate - usual)
        if now >= self._down.at and self._limit > self._minimum:
            self._go(int(self._limit * TRY_DOWN), self._try_down, self._is_weighed)
        elif now >= self._up.at and self._limit < self._maximum:
            self._go(math.ceil(self._limit * TRY_UP), self._try_up, self._is_weighed)
        else:
            self._level = _Level()

    def _try_down(self, now: float) -> None:
        """Whether a slightly lower level does as well."""
        if self._level.throughput >= STILL_BEST * (self._rest_rate or 0.0):
            self._high = self._limit
            self._down.soon(now)
        else:
            self._down.later(now)
        self._rest()

    def _try_up(self, now: float) -> None:
        """Whether a slightly higher level brings more by now."""
        if self._level.throughput < WORTHWHILE * (self._rest_rate or 0.0):
            self._up.later(now)
            self._rest()
            return
        before = self._high
        self._forget()
        self._low = before
        self._previous = (self._limit, self._note())
        self._go(self._limit * 2, self._double, self._is_glimpsed)

    def _refused(self, now: float, latency_s: float, in_flight: int) -> None:
        if now - latency_s < self._cut_at:
            # Sent before the last cut: that cut was for it, too.
            return
        if in_flight < MUCH_LESS * self._limit:
            # Something else, such as a rate limit, keeps the number down: this limit is not what the server minds.
            return
        self._cut_at = now
        if self._step == self._creep and self._good and self._limit <= max(self._good + 1, SMALL_STEP * self._good):
            self._step_back(now)
            return
        self._ceiling = self._limit
        self._good = 0
        self._stay_s = FIRST_STAY_S
        self._forget()
        self._go(int(self._limit * CUT), self._creep, self._is_glimpsed)

    def _step_back(self, now: float) -> None:
        """A little more than what went well was refused: that is where the limit is. What went well may not always."""
        if self._limit <= self._good:
            self._good = max(self._minimum, min(self._good - 1, int(STILL_BEST * self._good)))
        self._ceiling = self._limit
        self._stay_until = now + self._stay_s
        self._stay_s = min(LONGEST_STAY_S, 2 * self._stay_s)
        self._go(self._good, self._creep, self._is_glimpsed)

    def absolve(self) -> None:
        """The refusals that cut the limit came by chance: back to where it was, and the search goes on."""
        if self._step == self._creep:
            self._forget()
            self._go(self._ceiling, self._double, self._is_glimpsed)

    def _creep(self, now: float) -> None:
        """Growth after a refusal: half the way back to the ceiling each round, then about a fiftieth."""
        near = int(NEAR_CEILING * self._ceiling)
        limit = self._good = self._limit
        if now < self._stay_until:
            self._level = _Level()
            return
        if limit > FORGET_CEILING * self._ceiling:
            self._go(limit, self._double, self._is_glimpsed)
            return
        growth = (near - limit) // 2 if limit < near else limit // 50
        self._go(limit + max(1, growth), self._creep, self._is_glimpsed)
