"""What refusals that have nothing to do with the rate cost: a deployment's whole admission, in virtual time.

Run: python -m bench.stray [--seeds 12] [--slots 4 16 64] [--refused 0.02 0.05 0.1]
Every case is played to the end by one that only waits as it is told to and never slows down, and by the program's own
limits, opening, breaker and `auto`; printed is the share of the former's answers that the latter got, over the first
15 and 40 seconds: the median and the tenth percentile of all seeds. The goal: of all cases together, 0.7 of what is
possible over 40 s in nine of ten, and no wait that lasts a minute.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.arena import table, verdict
from tui_batch.domain.endpoint import Api, Deployment, Endpoint
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.engine.lane import Lane
from tui_batch.engine.lane import Wait as LaneWait
from tui_batch.engine.ratelimit import RateLimiter, Ticket

GOAL = 0.7
WINDOWS_S = (15.0, 40.0)
REFUSAL_S = 0.03
TOKENS = 100
JITTER_S = 0.02
"""A request reaches the server up to so much later than another sent with it."""
LIMITED_S = 240.0
SETTLED_S = 120.0
"""From then on what is used of a limit is counted."""


@dataclass(frozen=True, slots=True)
class Case:
    """A server, and who asks it."""

    slots: int
    """Requests in flight at most; 0: the program finds them itself."""
    refused: float
    """Share of requests refused, whatever the rate."""
    retry_after_s: float | None
    latency_s: float
    limit: int | None = None
    """Requests that the server takes in any `span_s`; None: as many as come."""
    span_s: float = 60.0
    refusal_s: float = REFUSAL_S

    def __str__(self) -> str:
        """For the table."""
        if self.limit is not None:
            told = "no Retry-After" if self.retry_after_s is None else "Retry-After"
            few = f"{self.slots} in flight, " if self.slots < 64 else ""
            return f"{self.limit} in {self.span_s:g} s, {few}{self.latency_s:g} s, {told}"
        told = "no Retry-After" if self.retry_after_s is None else f"Retry-After {self.retry_after_s:g} s"
        slots = f"{self.slots} in flight" if self.slots else "auto"
        return f"{slots}, {self.latency_s:g} s, {self.refused:.0%}, {told}"


@dataclass(slots=True)
class Played:
    """What came of a case."""

    answered: list[float] = field(default_factory=list)
    refused: int = 0
    longest_s: float = 0.0
    """The longest time in which nothing was sent."""

    def until(self, seconds: float) -> int:
        """Answers by then."""
        return sum(at < seconds for at in self.answered)


class Patient(Lane):
    """Waits as it is told to, and learns nothing: the best that can be had from a server that refuses by chance."""

    def hold(self, now: float, *, auto: bool) -> LaneWait | None:
        """Nothing holds it."""
        return None

    def landed(self, now: float, ticket: Ticket, outcome: Outcome) -> None:
        """Only a Retry-After has a consequence."""
        self.in_flight -= 1
        self.limiter.settle(ticket, None)
        if outcome.retry_after_s is not None:
            self.limiter.stop_until(now + outcome.retry_after_s)


@dataclass(slots=True)
class Client:
    """Has work without end, and sends whatever its lane lets go."""

    lane: Lane
    case: Case
    rng: random.Random
    most: int
    played: Played = field(default_factory=Played)
    events: list[tuple[float, int, Ticket | None, Outcome | None]] = field(default_factory=list)
    serial: Iterator[int] = field(default_factory=itertools.count)
    taken: deque[float] = field(default_factory=deque)
    """When the server took what still counts."""
    sent_at: float = 0.0
    wake: float = float("inf")

    def play(self, seconds: float) -> Played:
        """From the first request on."""
        self._pump(0.0)
        while self.events and self.events[0][0] < seconds:
            now, _, ticket, outcome = heapq.heappop(self.events)
            if ticket is not None and outcome is not None:
                self.lane.landed(now, ticket, outcome)
                if outcome.cls is OutcomeClass.OK:
                    self.played.answered.append(now)
                else:
                    self.played.refused += 1
            elif now >= self.wake:
                self.wake = float("inf")
            self._pump(now)
        self.played.longest_s = max(self.played.longest_s, seconds - self.sent_at)
        return self.played

    def _pump(self, now: float) -> None:
        while self.lane.in_flight < self.most:
            wait = self.lane.hold(now, auto=not self.case.slots)
            ticket = self.lane.take(now, TOKENS) if wait is None else wait
            if not isinstance(ticket, Ticket):
                if ticket.until is not None and ticket.until < self.wake:
                    self.wake = max(ticket.until, now + 1e-6)
                    self._post(self.wake, None, None)
                return
            self.lane.launched(now)
            self.played.longest_s = max(self.played.longest_s, now - self.sent_at)
            self.sent_at = now
            outcome = self._outcome(now)
            self._post(now + outcome.latency_s, ticket, outcome)

    def _outcome(self, now: float) -> Outcome:
        case, rng = self.case, self.rng
        if rng.random() < case.refused:
            return Outcome(OutcomeClass.RATE_LIMITED, latency_s=case.refusal_s, retry_after_s=case.retry_after_s)
        arrives = now + rng.uniform(0.0, JITTER_S)
        while self.taken and self.taken[0] <= arrives - case.span_s:
            self.taken.popleft()
        if case.limit is not None and len(self.taken) >= case.limit:
            told = None if case.retry_after_s is None else self.taken[0] + case.span_s - arrives
            return Outcome(OutcomeClass.RATE_LIMITED, latency_s=case.refusal_s, retry_after_s=told)
        if case.limit is not None:
            self.taken.append(arrives)
        return Outcome(OutcomeClass.OK, latency_s=case.latency_s * rng.uniform(0.5, 1.5))

    def _post(self, at: float, ticket: Ticket | None, outcome: Outcome | None) -> None:
        heapq.heappush(self.events, (at, next(self.serial), ticket, outcome))


def lane_of(kind: type[Lane]) -> Lane:
    """A deployment of which nothing is known."""
    return kind(Deployment(Endpoint("stray", Api.OPENAI, "http://127.0.0.1:1/v1"), "m"), RateLimiter(), None)


def shares(case: Case, seed: int) -> tuple[tuple[float, ...], float]:
    """Of what is possible, over each of WINDOWS_S; and the longest silence, in seconds."""
    seconds = max(WINDOWS_S)
    most = case.slots or 64
    best = Client(lane_of(Patient), case, random.Random(seed), most).play(seconds)
    ours = Client(lane_of(Lane), case, random.Random(seed), case.slots or 10_000).play(seconds)
    return tuple(ours.until(window) / max(1, best.until(window)) for window in WINDOWS_S), ours.longest_s


def cases(slots: Sequence[int], refused: Sequence[float]) -> list[Case]:
    """Servers quick and slow, that say how long to wait and that do not."""
    told = (None, 1.0, 5.0)
    return [
        Case(width, share, wait, latency)
        for width in slots
        for latency in (0.3, 1.5)
        for share in refused
        for wait in told
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """Of values in any order."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def row(name: str, played: Sequence[tuple[tuple[float, ...], float]]) -> tuple[str, ...]:
    """For the table."""
    figures = [[shares[place] for shares, _ in played] for place in range(len(WINDOWS_S))]
    low = percentile(figures[-1], 0.1)
    return (
        name,
        *(f"{percentile(of, 0.5):.2f} {percentile(of, 0.1):.2f}" for of in figures),
        f"{max(longest for _, longest in played):.0f} s",
        verdict(low >= GOAL),
    )


LIMITED = tuple(
    Case(64, 0.0, told, latency, limit, span)
    for limit, span in ((60, 60.0), (600, 60.0), (10, 1.0), (50, 5.0), (100, 10.0))
    for latency in (0.3, 1.5)
    for told in (None, 1.0)
)
FEW = tuple(
    Case(slots, 0.0, None, latency, 10, 1.0, refusal_s=0.002) for slots, latency in ((2, 0.18), (3, 0.05), (4, 0.05))
)


def learned(case: Case, seeds: int) -> tuple[str, ...]:
    """How a limit that nobody stated is found: what was refused of all, and what was used of it later."""
    assert case.limit is not None
    refused, used = [], []
    for seed in range(seeds):
        played = Client(lane_of(Lane), case, random.Random(seed), case.slots).play(LIMITED_S)
        refused.append(played.refused / max(1, len(played.answered)))
        allowed = case.limit / case.span_s * (LIMITED_S - SETTLED_S)
        used.append((played.until(LIMITED_S) - played.until(SETTLED_S)) / allowed)
    return (
        str(case),
        f"{percentile(refused, 0.5):.2%} {max(refused):.2%}",
        f"{percentile(used, 0.5):.1%} {min(used):.1%}",
    )


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--slots", type=int, nargs="*", default=[4, 16, 64])
    parser.add_argument("--refused", type=float, nargs="*", default=[0.02, 0.05, 0.1])
    parser.add_argument("--brief", action="store_true", help="only the line of all cases")
    args = parser.parse_args()
    head = ("server", *(f"{window:.0f} s: median, 10th" for window in WINDOWS_S), "longest silence", "")
    rows, everything = [head], []
    for case in cases(args.slots, args.refused):
        played = [shares(case, seed) for seed in range(args.seeds)]
        everything += played
        if not args.brief:
            rows.append(row(str(case), played))
    rows.append(row("all", everything))
    table("Refused by chance: share of what is possible", rows)
    titles = ("server", "refused: median, most", "used from 120 s on: median, least")
    table("Limits that nobody states", [titles, *(learned(case, args.seeds // 2) for case in (*LIMITED, *FEW))])


if __name__ == "__main__":
    main()
