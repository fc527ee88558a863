"""Whether answers get worse during a run: the last window against the one before, the start and a minimum.

An alert needs both: a change large enough to matter (the rule's `drop`, a factor of two for lengths and times) and one
that chance hardly makes (Welch's test, see welch.py). A look is taken every tenth of a window, so the test's level is
strict: see ALPHA. Constant work and memory an answer.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from tui_batch.domain.quality import DriftRule
from tui_batch.quality.welch import Sums, is_beyond

ALPHA = 0.0003
"""Level of one look at one comparison. `python -m bench drift` says how often that is wrong."""
BLOCKS = 10
"""Looks a window."""
START_WINDOWS = 5
"""Windows that count as the job's start: one alone would be a matter of luck to compare with for the whole run."""
FACTOR = 2.0
"""Lengths and times that are so many times what they were are worth a word."""
NAMED = 5
"""Rows that an alert names."""


class Signal(StrEnum):
    """What is watched."""

    SCORE = "score"
    FAILURES = "failed checks"
    REFUSALS = "refusals"
    REPEATS = "repeated answers"
    LENGTH = "answer length"
    LATENCY = "latency"


class Against(StrEnum):
    """What the last window is compared with."""

    MINIMUM = "the minimum"
    START = "the job's start"
    BEFORE = "the window before"


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer, as far as its quality shows."""

    item_id: int
    row: int
    """Row of the input, from 1."""
    score: float | None
    failed: bool
    """It fails the schema or a check."""
    refused: bool
    chars: int
    latency_s: float
    digest: int
    """Equal answers have equal ones."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Answers got worse."""

    signal: Signal
    against: Against
    now: float
    """Mean over the last window: a score or share from 0 to 1, characters, or seconds."""
    then: float
    """The same of what it is compared with; the minimum itself for MINIMUM."""
    window: int
    rows: tuple[int, ...]
    """The worst rows of the window, numbered from 1, the newest first among equals."""
    item_ids: tuple[int, ...]
    """The same rows' items."""

    @property
    def concerns_answers(self) -> bool:
        """Whether it is about what models say and not about how fast."""
        return self.signal is not Signal.LATENCY

    def __str__(self) -> str:
        """In words."""
        show = _SHOW[self.signal]
        rows = ", ".join(map(str, self.rows))
        against = "a minimum of" if self.against is Against.MINIMUM else "after"
        when = {Against.START: " at the start", Against.BEFORE: " just before"}.get(self.against, "")
        words = f"{self.signal}: {show(self.now)} in the last {self.window} answers, {against} {show(self.then)}{when}"
        return f"{words}; rows {rows}" if rows else words


def _share(value: float) -> str:
    return f"{value:.0%}"


_SHOW: dict[Signal, Callable[[float], str]] = {
    Signal.SCORE: lambda value: f"{value:.2f}",
    Signal.FAILURES: _share,
    Signal.REFUSALS: _share,
    Signal.REPEATS: _share,
    Signal.LENGTH: lambda value: f"{value:,.0f} characters",
    Signal.LATENCY: lambda value: f"{value:.3g} s",
}


@dataclass(slots=True)
class _Track:
    """Sums of one signal over the last window, the one before and the start, in blocks of a tenth of a window."""

    window: int
    block: Sums = field(default_factory=Sums)
    last: deque[Sums] = field(default_factory=deque)
    before: deque[Sums] = field(default_factory=deque)
    start: Sums = field(default_factory=Sums)

    def add(self, value: float) -> bool:
        """Takes a value; says whether it is time for a look."""
        self.block.add(value)
        if self.block.n * BLOCKS < self.window:
            return False
        self.last.append(self.block)
        self.block = Sums()
        if len(self.last) > BLOCKS:
            self._age(self.last.popleft())
        return len(self.last) == BLOCKS

    def _age(self, block: Sums) -> None:
        if self.start.n < START_WINDOWS * self.window:
            self.start.merge(block)
        self.before.append(block)
        if len(self.before) > BLOCKS:
            self.before.popleft()

    def references(self) -> dict[Against, Sums]:
        """What the last window can be compared with so far."""
        if len(self.before) < BLOCKS:
            return {}
        return {Against.START: self.start, Against.BEFORE: merged(self.before)}


def merged(blocks: Iterable[Sums]) -> Sums:
    """The sums of several blocks together."""
    whole = Sums()
    for block in blocks:
        whole.merge(block)
    return whole


@dataclass(frozen=True, slots=True)
class _Way:
    """A direction in which a signal gets worse."""

    signal: Signal
    sign: int
    """1: higher is worse."""
    size: float
    """A change that is worth a word, in the signal's own measure (a logarithm for lengths and times)."""


class DriftWatch:
    """Watches one job's answers. `add` says what is new; `alerts` is what still holds."""

    def __init__(self, rule: DriftRule) -> None:
        self._rule = rule
        self._tracks = {signal: _Track(rule.window) for signal in Signal}
        self._ways = _ways(rule.drop)
        self._held: dict[tuple[_Way, Against], Alert | None] = {}
        """What holds; None: it holds, but the same change was told in other words."""
        self._told_at: dict[_Way, int] = {}
        self._count = 0
        self._recent: deque[Reading] = deque(maxlen=rule.window)
        self._digests: Counter[int] = Counter()

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """What was told and still holds."""
        return tuple(alert for alert in self._held.values() if alert is not None)

    def add(self, reading: Reading) -> tuple[Alert, ...]:
        """Takes one answer; returns alerts that are new."""
        self._count += 1
        values = self._values(reading)
        self._remember(reading)
        new: list[Alert] = []
        for signal, value in values:
            if self._tracks[signal].add(value):
                new += self._look(signal)
        return tuple(new)

    def _values(self, reading: Reading) -> list[tuple[Signal, float]]:
        values = [
            (Signal.FAILURES, float(reading.failed)),
            (Signal.REFUSALS, float(reading.refused)),
            (Signal.REPEATS, float(self._digests[reading.digest] > 0)),
            (Signal.LENGTH, math.log1p(reading.chars)),
            (Signal.LATENCY, math.log(max(reading.latency_s, 1e-3))),
        ]
        return values if reading.score is None else [(Signal.SCORE, reading.score), *values]

    def _remember(self, reading: Reading) -> None:
        if len(self._recent) == self._recent.maxlen:
            gone = self._recent[0].digest
            self._digests[gone] -= 1
            if not self._digests[gone]:
                del self._digests[gone]
        self._recent.append(reading)
        self._digests[reading.digest] += 1

    def _look(self, signal: Signal) -> list[Alert]:
        track = self._tracks[signal]
        now = merged(track.last)
        new: list[Alert] = []
        for way in self._ways[signal]:
            if signal is Signal.SCORE:
                new += self._compare(way, Against.MINIMUM, now, None)
            for against, then in track.references().items():
                new += self._compare(way, against, now, then)
        return new

    def _compare(self, way: _Way, against: Against, now: Sums, then: Sums | None) -> list[Alert]:
        """One comparison; `then` None: with the minimum, below which every amount counts."""
        before = self._rule.minimum if then is None else then.mean
        size = 0.0 if then is None else way.size
        worse = (now.mean - before) * way.sign
        key = (way, against)
        if key in self._held:
            if worse <= size / 2:
                del self._held[key]
            return []
        if worse < size or not is_beyond(worse, (now,) if then is None else (now, then), ALPHA):
            return []
        if then is not None and self._count - self._told_at.get(way, -self._rule.window) < self._rule.window:
            self._held[key] = None
            return []
        if then is not None:
            self._told_at[way] = self._count
        alert = self._held[key] = self._alert(way, against, now.mean, before)
        return [alert]

    def _alert(self, way: _Way, against: Against, now: float, then: float) -> Alert:
        worst = _worst(way, self._recent)
        return Alert(
            way.signal,
            against,
            *(_measured(way.signal, now), _measured(way.signal, then), self._rule.window),
            rows=tuple(reading.row for reading in worst),
            item_ids=tuple(reading.item_id for reading in worst),
        )


def _ways(drop: float) -> dict[Signal, tuple[_Way, ...]]:
    factor = math.log(FACTOR)
    shares = (Signal.FAILURES, Signal.REFUSALS, Signal.REPEATS)
    return {
        Signal.SCORE: (_Way(Signal.SCORE, -1, drop),),
        **{signal: (_Way(signal, 1, drop),) for signal in shares},
        Signal.LENGTH: (_Way(Signal.LENGTH, 1, factor), _Way(Signal.LENGTH, -1, factor)),
        Signal.LATENCY: (_Way(Signal.LATENCY, 1, factor),),
    }


def _measured(signal: Signal, mean: float) -> float:
    """A mean in the unit that people know: lengths and times are averaged as logarithms."""
    if signal is Signal.LENGTH:
        return math.expm1(mean)
    return math.exp(mean) if signal is Signal.LATENCY else mean


def _worst(way: _Way, recent: Iterable[Reading]) -> list[Reading]:
    """The rows that pull most in that direction."""
    readings = list(recent)[::-1]
    match way.signal:
        case Signal.SCORE:
            scored = [reading for reading in readings if reading.score is not None]
            return sorted(scored, key=lambda reading: reading.score or 0.0)[:NAMED]
        case Signal.FAILURES:
            return [reading for reading in readings if reading.failed][:NAMED]
        case Signal.REFUSALS:
            return [reading for reading in readings if reading.refused][:NAMED]
        case Signal.REPEATS:
            counts = Counter(reading.digest for reading in readings)
            return sorted(readings, key=lambda reading: -counts[reading.digest])[:NAMED]
        case Signal.LENGTH:
            return sorted(readings, key=lambda reading: -way.sign * reading.chars)[:NAMED]
        case Signal.LATENCY:
            return sorted(readings, key=lambda reading: -reading.latency_s)[:NAMED]
