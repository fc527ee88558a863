"""The automatic concurrency limit against simulated servers, in virtual time."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tui_batch.domain.outcome import OutcomeClass
from tui_batch.engine.concurrency import AutoLimit

ROUND_TRIP_S = 0.005
"""What passes between an answer leaving the server and the next request reaching it."""

Service = Callable[[random.Random], float]


def constant(seconds: float) -> Service:
    return lambda rng: seconds


def varied(seconds: float) -> Service:
    """Lognormal with a coefficient of variation of about one half and a mean of `seconds`."""
    return lambda rng: seconds * rng.lognormvariate(-0.11, 0.47)


@dataclass
class Fixed:
    """A limit that learns nothing, to compare with."""

    limit: int

    def on_outcome(
        self, now: float, cls: OutcomeClass, latency_s: float, in_flight: int, output_tokens: int | None
    ) -> None:
        """Learns nothing."""


class SlotServer:
    """`slots` requests at a time, first come first served; refuses when more than `queue` wait."""

    def __init__(self, slots: int, service: Service, seed: int = 0, queue: int | None = None) -> None:
        self.slots = slots
        self.queue = queue
        self._service = service
        self._rng = random.Random(seed)

    def run(self, limit: AutoLimit | Fixed, seconds: float, changes: dict[float, int] | None = None) -> Record:
        """Plays a client that always has work and obeys `limit`. `changes`: slots from a time on."""
        return _Play(self, limit, self._rng, self._service).run(seconds, dict(changes or {}))


class Record:
    """What came of a play."""

    def __init__(self) -> None:
        self.done: list[float] = []
        self.limits: list[tuple[float, int]] = []
        self.refused = 0

    def rate(self, start: float, end: float) -> float:
        return sum(start <= at < end for at in self.done) / (end - start)

    def limit_at(self, time: float) -> int:
        return [limit for at, limit in self.limits if at <= time][-1]


class _Play:
    def __init__(self, server: SlotServer, limit: AutoLimit | Fixed, rng: random.Random, service: Service) -> None:
        self.server, self.limit, self.rng, self.service = server, limit, rng, service
        self.events: list[tuple[float, int, str, float]] = []
        self.waiting: deque[float] = deque()
        self.busy = self.in_flight = self.serial = 0
        self.record = Record()

    def post(self, at: float, kind: str, sent: float) -> None:
        self.serial += 1
        heapq.heappush(self.events, (at, self.serial, kind, sent))

    def refill(self, now: float) -> None:
        while self.in_flight < self.limit.limit:
            self.in_flight += 1
            self.post(now + ROUND_TRIP_S / 2 * self.rng.uniform(0.8, 1.2), "arrive", now)

    def start(self, now: float) -> None:
        while self.waiting and self.busy < self.server.slots:
            self.busy += 1
            self.post(now + self.service(self.rng), "served", self.waiting.popleft())

    def run(self, seconds: float, changes: dict[float, int]) -> Record:
        for at, slots in changes.items():
            self.post(at, "change", slots)
        self.refill(0.0)
        while self.events and self.events[0][0] < seconds:
            now, _, kind, value = heapq.heappop(self.events)
            self.handle(now, kind, value)
        return self.record

    def handle(self, now: float, kind: str, value: float) -> None:
        match kind:
            case "change":
                self.server.slots = int(value)
            case "arrive" if self.server.queue is not None and len(self.waiting) >= self.server.queue + (
                self.server.slots - self.busy
            ):
                self.post(now + ROUND_TRIP_S / 2, "refuse", value)
            case "arrive":
                self.waiting.append(value)
            case "served":
                self.busy -= 1
                self.post(now + ROUND_TRIP_S / 2, "answer", value)
            case "answer" | "refuse":
                self.land(now, OutcomeClass.OK if kind == "answer" else OutcomeClass.OVERLOADED, now - value)
        self.start(now)

    def land(self, now: float, cls: OutcomeClass, latency: float) -> None:
        self.limit.on_outcome(now, cls, latency, self.in_flight, 50)
        self.in_flight -= 1
        if cls is OutcomeClass.OK:
            self.record.done.append(now)
            self.refill(now)
        else:
            self.record.refused += 1
            self.post(now + 0.05, "again", 0.0)
        if not self.record.limits or self.record.limits[-1][1] != self.limit.limit:
            self.record.limits.append((now, self.limit.limit))


def best_fixed(slots: int, service: Service, seed: int) -> float:
    levels = (slots, slots + max(1, slots // 4))
    return max(SlotServer(slots, service, seed).run(Fixed(level), 60).rate(30, 60) for level in levels)


@pytest.mark.parametrize(("slots", "seconds"), [(1, 0.2), (16, 0.2), (64, 0.2), (4, 2.0), (64, 2.0), (256, 2.0)])
@pytest.mark.parametrize("kind", [constant, varied])
def test_finds_the_knee_within_30_seconds(slots: int, seconds: float, kind: Callable[[float], Service]) -> None:
    service = kind(seconds)

    found = SlotServer(slots, service, seed=1).run(AutoLimit(), 60)

    # The same seed gives both the same work but not the same order; a few dozen answers differ by chance alone.
    chance = 1.5 / (30 * slots / seconds) ** 0.5
    share = found.rate(30, 60) / best_fixed(slots, service, seed=1)
    print(f"{slots:4} slots, {seconds} s: {share:.2f} of the best, limit at 30 s {found.limit_at(30)}")
    assert share >= 0.9 - (chance if kind is varied else 0.0)
    assert found.limit_at(60) <= max(16, 2 * slots)


@pytest.mark.parametrize(("before", "after"), [(64, 32), (64, 128), (16, 64)])
@pytest.mark.parametrize("seconds", [0.2, 2.0])
def test_follows_a_server_whose_slots_change(before: int, after: int, seconds: float) -> None:
    server = SlotServer(before, varied(seconds), seed=2)

    record = server.run(AutoLimit(), 170, {60.0: after})

    assert record.rate(130, 170) >= 0.87 * after / seconds


@pytest.mark.parametrize("slots", [4, 16, 64])
@pytest.mark.parametrize("seconds", [0.2, 1.0])
def test_stays_just_below_where_a_server_refuses(slots: int, seconds: float) -> None:
    record = SlotServer(slots, varied(seconds), seed=3, queue=0).run(AutoLimit(), 120)

    assert record.rate(30, 120) >= 0.9 * slots / seconds
    assert record.refused - slots <= 0.015 * len(record.done)


def test_a_server_that_refuses_at_fewer_than_before_is_followed_down_and_up_again() -> None:
    record = SlotServer(64, varied(0.2), seed=4, queue=0).run(AutoLimit(), 360, {60.0: 32, 120.0: 64})

    assert record.rate(80, 120) >= 0.85 * 32 / 0.2
    assert record.rate(240, 360) >= 0.85 * 64 / 0.2


def test_one_burst_of_refusals_is_one_cut() -> None:
    limit = AutoLimit(initial=100)
    for _ in range(50):
        limit.on_outcome(10.0, OutcomeClass.OVERLOADED, 0.5, 100, None)
    assert limit.limit == 70

    limit.on_outcome(10.2, OutcomeClass.RATE_LIMITED, 0.1, 70, None)

    assert limit.limit == 49


def test_a_refusal_of_few_in_flight_is_about_something_else() -> None:
    limit = AutoLimit(initial=100)

    limit.on_outcome(10.0, OutcomeClass.RATE_LIMITED, 0.1, 20, None)

    assert limit.limit == 100


def test_a_cut_for_refusals_that_came_by_chance_is_taken_back() -> None:
    limit = AutoLimit(initial=100)
    limit.on_outcome(10.0, OutcomeClass.RATE_LIMITED, 0.1, 100, None)
    assert limit.limit == 70

    limit.absolve()
    assert limit.limit == 100

    limit.absolve()
    assert limit.limit == 100


def test_never_leaves_its_bounds() -> None:
    limit = AutoLimit(initial=4, minimum=2, maximum=6)
    for second in range(100):
        limit.on_outcome(float(second), OutcomeClass.OVERLOADED, 0.1, 4, None)
    assert limit.limit == 2

    assert SlotServer(64, constant(0.2)).run(AutoLimit(maximum=6), 30).limit_at(30) == 6


def test_does_not_grow_while_there_is_too_little_work_to_fill_it() -> None:
    limit = AutoLimit(initial=8)
    for number in range(500):
        limit.on_outcome(number * 0.1, OutcomeClass.OK, 0.2, 2, 50)

    assert limit.limit == 8


def test_errors_of_the_requests_own_say_nothing_about_the_server() -> None:
    limit = AutoLimit(initial=8)
    for number in range(500):
        limit.on_outcome(number * 0.01, OutcomeClass.BAD_REQUEST, 0.01, 8, None)

    assert limit.limit == 8
