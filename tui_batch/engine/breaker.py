"""Keeps requests from a deployment that does not answer: closed, open, half-open with one probe."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from tui_batch.domain.outcome import OutcomeClass

FAILURES = frozenset(
    {OutcomeClass.TIMEOUT, OutcomeClass.CONNECTION, OutcomeClass.SERVER_ERROR, OutcomeClass.OVERLOADED}
)
"""Classes that say that the server, not the request, is unwell (docs/outcomes.md)."""
NEUTRAL = frozenset({OutcomeClass.RATE_LIMITED})
"""Says that the server is there, but not that it can do the work: neither fills nor clears the record."""


class BreakerState(StrEnum):
    """Whether requests pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When to open and for how long."""

    consecutive: int = 5
    """Failures in a row that open it."""
    share: float = 0.5
    """Share of failures among the last `window` outcomes that opens it."""
    window: int = 20
    minimum: int = 10
    """Outcomes needed before a share means anything."""
    first_open_s: float = 5.0
    """Doubles with every probe that fails and should not have."""
    young_open_s: float = 15.0
    """No wait is longer than this,"""
    share_of_outage: float = 0.25
    """or than this share of the outage so far: a short one is not made a long one by the waiting."""
    longest_open_s: float = 60.0


UNLUCKY = 0.02
"""Probes whose failing together is likelier than this on a server that is back, as it failed before, prove nothing."""
MOST_EXCUSED = 3
REMEMBERED = 200
"""Outcomes after which what came before counts for half."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A request may go. Call `started` when it does."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """No request may go before `until`; None: until the probe in flight ends."""

    until: float | None


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """For a screen."""

    state: BreakerState
    until: float | None
    """When a probe may go; only while open."""
    failures: int
    outcomes: int
    """How many of the last outcomes were failures."""


ALLOWED = Allowed()


class Breaker:
    """One deployment's breaker. Times are seconds on the caller's clock."""

    def __init__(self, policy: BreakerPolicy | None = None) -> None:
        self._policy = policy or BreakerPolicy()
        self._steady = [0.0, 0.0]
        """Failures between successes, and all outcomes up to the latest success: how the server is when it is well."""
        self._out_since = 0.0
        self._recent: deque[bool] = deque(maxlen=self._policy.window)
        self._row = 0
        self._opened_at: float | None = None
        self._openings = 0
        self._probing = False

    def allow(self, now: float) -> Allowed | Blocked:
        """Whether a request may go now. Changes nothing."""
        if self._opened_at is None:
            return ALLOWED
        if self._probing:
            return Blocked(None)
        until = self._opened_at + self._open_s()
        return ALLOWED if now >= until else Blocked(until)

    def started(self, now: float) -> None:
        """A request that was allowed goes out; while not closed it is the probe."""
        if self._opened_at is not None and now >= self._opened_at + self._open_s():
            self._probing = True

    def record(self, cls: OutcomeClass, now: float, sent_at: float | None = None) -> None:
        """What came of a request. With `sent_at`, requests sent before the opening cannot decide the probe."""
        failed = cls in FAILURES
        if self._opened_at is not None:
            if self._probing and (sent_at is None or sent_at >= self._opened_at):
                self._judge_probe(cls, now)
            return
        if cls in NEUTRAL:
            return
        self._recent.append(failed)
        if not failed:
            self._remember(self._row)
        self._row = self._row + 1 if failed else 0
        if failed and self._is_bad():
            self._open(now)

    def abandoned(self, now: float, sent_at: float | None = None) -> None:
        """A request was cancelled on its way. If it was the probe, the next request may probe."""
        if self._opened_at is None or sent_at is None or sent_at >= self._opened_at:
            self._probing = False

    @property
    def health(self) -> float:
        """About the share of the last outcomes that were no failures: 1 after few, never below a third.

        1 as well while open: then the breaker itself decides, and a probe must not be passed over.
        """
        if self._opened_at is not None:
            return 1.0
        outcomes = len(self._recent)
        return 1.0 - sum(self._recent) / (outcomes + self._policy.minimum / 2)

    def snapshot(self, now: float) -> BreakerSnapshot:
        """The state as it is at `now`."""
        failures, outcomes = sum(self._recent), len(self._recent)
        if self._opened_at is None:
            return BreakerSnapshot(BreakerState.CLOSED, None, failures, outcomes)
        until = self._opened_at + self._open_s()
        if self._probing or now >= until:
            return BreakerSnapshot(BreakerState.HALF_OPEN, None, failures, outcomes)
        return BreakerSnapshot(BreakerState.OPEN, until, failures, outcomes)

    def _judge_probe(self, cls: OutcomeClass, now: float) -> None:
        self._probing = False
        if cls in FAILURES:
            self._open(now)
            return
        # Anything else, even a refusal or an error of the request's own, shows that the server is back.
        self._opened_at = None
        self._openings = 0
        self._row = 0
        self._recent.clear()

    def _remember(self, failures: int) -> None:
        """A success after so many failures: those were no outage."""
        self._steady[0] += failures
        self._steady[1] += failures + 1
        if self._steady[1] > REMEMBERED:
            self._steady = [count / 2 for count in self._steady]

    def _is_bad(self) -> bool:
        policy = self._policy
        if self._row >= policy.consecutive:
            return True
        enough = len(self._recent) >= policy.minimum
        return enough and sum(self._recent) >= policy.share * len(self._recent)

    def _open(self, now: float) -> None:
        if self._openings == 0:
            self._out_since = now
        self._opened_at = now
        self._openings += 1
        self._probing = False

    def _open_s(self) -> float:
        failed, outcomes = self._steady
        probes = self._openings - 1
        opened_at = self._out_since if self._opened_at is None else self._opened_at
        return open_s(
            self._policy, probes - excused(failed / outcomes if outcomes else 0.0), opened_at - self._out_since
        )


def excused(share: float) -> int:
    """How many failed probes mean nothing on a server that fails this share of requests while it is well."""
    if share <= 0.0:
        return 0
    return MOST_EXCUSED if share >= 1.0 else min(MOST_EXCUSED, int(math.log(UNLUCKY) / math.log(share)))


def open_s(policy: BreakerPolicy, failed_probes: int, outage_s: float) -> float:
    """How long nothing is sent after so many probes that should not have failed, in an outage that is so old."""
    doubled = policy.first_open_s * 2.0 ** max(0, min(16, failed_probes))
    return min(policy.longest_open_s, doubled, max(policy.young_open_s, policy.share_of_outage * outage_s))
