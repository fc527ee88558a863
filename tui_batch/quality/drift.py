"""Whether answers get worse during a run: the last window against the one before, the start and a minimum.

An alert needs both: a change large enough to matter (the rule's `drop`, a factor of two for lengths and times) and one
that chance hardly makes (Welch's test, see welch.py). A look is taken every tenth of a window, so the test's level is
strict: see ALPHA. Constant work and memory an answer. What a watch knows can be stored and taken up again, so
that a job that was stopped and resumed is watched as one that ran through.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b

from tui_batch.domain.quality import DriftRule
from tui_batch.domain.request import Json
from tui_batch.quality.alerts import Against as Against
from tui_batch.quality.alerts import Alert as Alert
from tui_batch.quality.alerts import Signal as Signal
from tui_batch.quality.alerts import alert_of
from tui_batch.quality.welch import Sums, Welch, is_beyond, welch

ALPHA = 0.0003
"""Level of one look at one comparison. `python -m bench.drift` says how often that is wrong."""
BLOCKS = 10
"""Looks a window."""
START_WINDOWS = 5
"""Windows that count as the job's start: one alone would be a matter of luck to compare with for the whole run."""
FACTOR = 2.0
"""Lengths and times that are so many times what they were are worth a word."""
NAMED = 5
"""Rows that an alert names."""
STATE_VERSION = 1
"""Of what `DriftWatch.state` returns; raised when it changes its meaning."""


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
    """Equal answers have equal ones, in every process: see digest_of."""


def digest_of(text: str) -> int:
    """64 bits that stand for a text. Python's own hash is another one in every process."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


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

    def state(self) -> list[Json]:
        """As plain values, for `restore`."""
        return [_plain([self.block]), _plain(self.last), _plain(self.before), _plain([self.start])]

    def restore(self, state: Sequence[Json]) -> None:
        """Goes on from a state."""
        block, last, before, start = ([Sums(*sums) for sums in part] for part in state)
        (self.block,), self.last, self.before, (self.start,) = block, deque(last), deque(before), start


def _plain(blocks: Iterable[Sums]) -> list[Json]:
    return [[sums.n, sums.total, sums.squares] for sums in blocks]


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
        self._told = 0
        self._recent: deque[Reading] = deque(maxlen=rule.window)
        self._digests: Counter[int] = Counter()

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """What was told and still holds."""
        return tuple(alert for alert in self._held.values() if alert is not None)

    @property
    def count(self) -> int:
        """Answers seen so far."""
        return self._count

    def state(self) -> dict[str, Json]:
        """What the watch knows as plain JSON values: some sixty bytes for each answer of a window."""
        recent = [[getattr(one, name) for name in _READING] for one in self._recent]
        held = [
            [way.signal.value, way.sign, against.value, None if alert is None else asdict(alert)]
            for (way, against), alert in self._held.items()
        ]
        return {
            "version": STATE_VERSION,
            "count": self._count,
            "told": self._told,
            "tracks": {signal.value: track.state() for signal, track in self._tracks.items()},
            "recent": recent,
            "told_at": [[way.signal.value, way.sign, at] for way, at in self._told_at.items()],
            "held": held,
        }

    def restore(self, state: Json) -> None:
        """Goes on from such a state; the watch must be new. Raises ValueError for one that cannot be read."""
        try:
            if state["version"] != STATE_VERSION:
                raise ValueError(f"version {state['version']}")
            self._restore(state)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    def _restore(self, state: Json) -> None:
        for name, track in state["tracks"].items():
            self._tracks[Signal(name)].restore(track)
        for values in state["recent"]:
            self._remember(Reading(*values))
        self._told_at = {self._way(name, sign): at for name, sign, at in state["told_at"]}
        self._held = {
            (self._way(name, sign), Against(against)): None if alert is None else alert_of(alert)
            for name, sign, against, alert in state["held"]
        }
        self._count, self._told = state["count"], state["told"]

    def _way(self, signal: str, sign: int) -> _Way:
        for way in self._ways[Signal(signal)]:
            if way.sign == sign:
                return way
        raise ValueError(f"{signal} does not get worse in the direction {sign}")

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
            (Signal.LENGTH, math.log1p(reading.chars)),
            (Signal.LATENCY, math.log(max(reading.latency_s, 1e-3))),
        ]
        if len(self._recent) == self._recent.maxlen:
            # Not among fewer: of few labels the first answers are each new, and later ones never are.
            values.append((Signal.REPEATS, float(self._digests[reading.digest] > 0)))
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
        if worse < size:
            return []
        test = welch(worse, (now,) if then is None else (now, then))
        if not is_beyond(worse, test, ALPHA):
            return []
        if then is not None and self._count - self._told_at.get(way, -self._rule.window) < self._rule.window:
            self._held[key] = None
            return []
        if then is not None:
            self._told_at[way] = self._count
        alert = self._held[key] = self._alert(way, against, (now.mean, before), test)
        return [alert]

    def _alert(self, way: _Way, against: Against, means: tuple[float, float], test: Welch) -> Alert:
        """`means`: now and then."""
        self._told += 1
        worst = _worst(way, self._recent)
        return Alert(
            way.signal,
            against,
            now=_measured(way.signal, means[0]),
            then=_measured(way.signal, means[1]),
            window=self._rule.window,
            rows=tuple(dict.fromkeys(reading.row for reading in worst)),
            item_ids=tuple(dict.fromkeys(reading.item_id for reading in worst)),
            statistic=test.statistic,
            freedom=test.freedom,
            number=self._told,
        )


_READING = ("item_id", "row", "score", "failed", "refused", "chars", "latency_s", "digest")
"""The fields of a reading in the order in which it is made."""


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
