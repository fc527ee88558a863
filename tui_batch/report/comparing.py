"""Answers of several models to the same rows, held against one another. Pure: rows in, figures out.

Memory does not grow with the rows: means and intervals are kept as the rows pass, and of the rows themselves only the
first that were answered differently.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations

from tui_batch.domain.item import ItemState
from tui_batch.domain.stored import ExportRow
from tui_batch.quality.answers import parsed_answer
from tui_batch.report.intervals import Interval, Moments, share_interval
from tui_batch.report.results import cost_nano
from tui_batch.report.shown import one_line
from tui_batch.report.spread import percentile

EXAMPLES = 10
"""Rows kept that were answered differently."""
LABELS = 50
"""More different answers than this are no labels, and chance agreement says nothing of them."""
LABEL_CHARS = 80

_ENDED = frozenset({ItemState.DONE, ItemState.DEAD})
_SPACE = re.compile(r"\s+")


class Criterion(StrEnum):
    """What contenders are held against each other by."""

    SCORE = "score"
    """Mean score, over rows that all of the pair have a score for; higher wins."""
    ANSWERED = "answered"
    """Share of rows that are done; higher wins."""
    COST = "cost"
    """Dollars over the rows that all asked for and that ended in all; lower wins. Unknown prices make no winner."""
    LATENCY = "latency"
    """Milliseconds of an answer, cache hits left out; lower wins."""
    TOKENS = "tokens"
    """Tokens answered, over the same rows; lower wins."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One model of one job."""

    job_id: int
    variant: int
    model: str
    label: str
    """What it is called in tables: the model, with its endpoints or the job's number where models are alike."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What one contender came to, over the rows that all of them have."""

    contender: Contender
    done: int
    dead: int
    score: float | None
    """Mean; None: no score."""
    score_interval: Interval | None
    scored: int
    cost_nano: int | None
    """None: a price is unknown."""
    latency_ms: int | None
    """Median; None: every answer came from the cache, or none came."""
    latency_mean_ms: float | None
    tokens_in: int
    tokens_out: int
    cached: int
    sent: Sent | None
    """Over the rows that ended in all contenders, in none from the cache; None: there are none."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a contender took for rows that all of them asked for, so that it can be held against the others."""

    cost_nano: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two contenders gave the same answer, where both gave one."""

    left: Contender
    right: Contender
    rows: int
    same: int
    interval: Interval | None
    """Of the share of equal answers."""
    kappa: float | None
    """Cohen's kappa (1960): agreement beyond chance, 1 at best; None where answers are no labels."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who wins by one criterion."""

    criterion: Criterion
    winner: Contender | None
    """None: nobody does, for the reason given."""
    reason: str


@dataclass(frozen=True, slots=True)
class Example:
    """A row that was answered differently."""

    line: int | None
    custom_id: str | None
    row: bytes
    """JSON."""
    answers: tuple[str | None, ...]
    """In the order of the contenders; None: no answer."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole comparison."""

    rows: int
    """Rows that every contender has."""
    unmatched: int
    """Rows of the first that another lacks or has with other contents."""
    standings: tuple[Standing, ...]
    agreements: tuple[Agreement, ...]
    verdicts: tuple[Verdict, ...]
    examples: tuple[Example, ...]


def canonical(text: str) -> object:
    """An answer with what does not matter taken away: JSON objects by their values, else case, spaces, a full stop."""
    parsed = parsed_answer(text)
    if parsed is not None:
        return _frozen(parsed)
    return _SPACE.sub(" ", text.strip()).rstrip(".!").casefold()


def _frozen(value: object) -> object:
    """A JSON value that can be compared and counted; text in it regardless of case."""
    if isinstance(value, dict):
        return frozenset((name, _frozen(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, str):
        return value.strip().casefold()
    return (type(value) is bool, value)


@dataclass(slots=True)
class _Tally:
    """Sums of one contender."""

    done: int = 0
    dead: int = 0
    cached: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0
    unpriced: int = 0
    sent: int = 0
    sent_cost: int = 0
    sent_tokens: int = 0
    scores: Moments = field(default_factory=Moments)
    latency: Moments = field(default_factory=Moments)
    latencies: Counter[int] = field(default_factory=Counter)

    def add(self, row: ExportRow, *, is_sent: bool) -> None:
        """`is_sent`: this row ended in all contenders, in none from the cache."""
        self.done += row.state is ItemState.DONE
        self.dead += row.state is ItemState.DEAD
        self.cached += row.cached
        self.tokens_in += row.tokens_in or 0
        self.tokens_out += row.tokens_out or 0
        if row.state in _ENDED:
            cost = cost_nano(row)
            self.cost += cost or 0
            self.unpriced += cost is None
        if row.score is not None:
            self.scores.add(row.score)
        if (latency := _latency(row)) is not None:
            self.latency.add(latency)
            self.latencies[_rounded(int(latency))] += 1
        if is_sent:
            self.sent += 1
            self.sent_cost += cost_nano(row) or 0
            self.sent_tokens += row.tokens_out or 0


@dataclass(slots=True)
class _Pair:
    """What is kept of two contenders together."""

    rows: int = 0
    same: int = 0
    labels: tuple[Counter[object], Counter[object]] = field(default_factory=lambda: (Counter(), Counter()))
    are_labels: bool = True
    differences: dict[Criterion, Moments] = field(default_factory=lambda: {one: Moments() for one in Criterion})

    def add(self, left: ExportRow, right: ExportRow, answers: tuple[object, object]) -> None:
        for criterion, value_of in _PAIRED.items():
            a, b = value_of(left), value_of(right)
            if a is not None and b is not None:
                self.differences[criterion].add(a - b)
        if answers[0] is None or answers[1] is None:
            return
        self.rows += 1
        self.same += answers[0] == answers[1]
        self._count_labels(answers)

    def _count_labels(self, answers: tuple[object, object]) -> None:
        if not self.are_labels:
            return
        for counter, answer in zip(self.labels, answers, strict=True):
            counter[answer] += 1
            long = isinstance(answer, str) and len(answer) > LABEL_CHARS
            if long or len(counter) > LABELS:
                self.are_labels = False
        if not self.are_labels:
            self.labels = (Counter(), Counter())

    @property
    def kappa(self) -> float | None:
        if not self.are_labels or not self.rows:
            return None
        left, right = self.labels
        chance = sum(number * right[answer] for answer, number in left.items()) / self.rows**2
        return None if chance >= 1 else (self.same / self.rows - chance) / (1 - chance)


def _latency(row: ExportRow) -> float | None:
    """Of an answer that a server gave."""
    return None if row.cached or row.state is not ItemState.DONE or row.latency_ms is None else float(row.latency_ms)


def _answered(row: ExportRow) -> float | None:
    return None if row.state not in _ENDED else float(row.state is ItemState.DONE)


_PAIRED: dict[Criterion, Callable[[ExportRow], float | None]] = {
    Criterion.SCORE: lambda row: row.score,
    Criterion.ANSWERED: _answered,
    Criterion.LATENCY: _latency,
}
"""Criteria that vary by chance from row to row: a difference counts when its interval leaves out 0."""


def _rounded(latency_ms: int) -> int:
    """To three digits: few different values, however many rows."""
    step = 1
    while latency_ms // step >= 1_000:
        step *= 10
    return latency_ms // step * step


class Comparer:
    """Takes rows as they pass and says at the end how the contenders did."""

    def __init__(self, contenders: Sequence[Contender], examples: int = EXAMPLES) -> None:
        """`examples`: rows kept that were answered differently."""
        self._contenders = tuple(contenders)
        self._most = examples
        self._tallies = [_Tally() for _ in contenders]
        self._pairs = {pair: _Pair() for pair in combinations(range(len(contenders)), 2)}
        self._rows = self._unmatched = 0
        self._examples: list[Example] = []

    def skip(self) -> None:
        """Counts a row that not every contender has."""
        self._unmatched += 1

    def add(self, rows: Sequence[ExportRow]) -> None:
        """Takes in one row's items, in the order of the contenders."""
        self._rows += 1
        answers = [_canonical_answer(row) for row in rows]
        is_sent = all(row.state in _ENDED and not row.cached for row in rows)
        for tally, row in zip(self._tallies, rows, strict=True):
            tally.add(row, is_sent=is_sent)
        for (left, right), pair in self._pairs.items():
            pair.add(rows[left], rows[right], (answers[left], answers[right]))
        if len(self._examples) < self._most and _all_equal(answers) is False:
            first = rows[0]
            self._examples.append(Example(first.line, first.custom_id, first.data, tuple(row.text for row in rows)))

    def result(self) -> Comparison:
        """The comparison so far."""
        standings = tuple(map(_standing, self._contenders, self._tallies))
        return Comparison(
            rows=self._rows,
            unmatched=self._unmatched,
            standings=standings,
            agreements=tuple(self._agreement(places, pair) for places, pair in self._pairs.items()),
            verdicts=tuple(self._verdict(criterion, standings) for criterion in Criterion),
            examples=tuple(self._examples),
        )

    def _agreement(self, places: tuple[int, int], pair: _Pair) -> Agreement:
        left, right = (self._contenders[place] for place in places)
        return Agreement(left, right, pair.rows, pair.same, share_interval(pair.same, pair.rows), pair.kappa)

    def _verdict(self, criterion: Criterion, standings: Sequence[Standing]) -> Verdict:
        values = [_VALUES[criterion](one) for one in standings]
        if any(value is None for value in values):
            return Verdict(criterion, None, _why_nobody(criterion, standings))
        ranked = sorted(range(len(values)), key=lambda place: _WAYS[criterion] * (values[place] or 0.0))
        best = ranked[0]
        level = [place for place in ranked[1:] if not self._is_ahead(criterion, best, place, values)]
        if not level:
            why = "beyond chance (95 %)" if criterion in _PAIRED else "lower in all"
            return Verdict(criterion, self._contenders[best], why)
        words = "no difference beyond chance (95 %)" if criterion in _PAIRED else "equal"
        if len(level) == len(ranked) - 1:
            return Verdict(criterion, None, words)
        first = ", ".join(one_line(self._contenders[place].label, 60) for place in (best, *level))
        return Verdict(criterion, None, f"{words} between the first: {first}")

    def _is_ahead(self, criterion: Criterion, best: int, other: int, values: Sequence[float | None]) -> bool:
        if criterion not in _PAIRED:
            return values[best] != values[other]
        interval = self._pairs[min(best, other), max(best, other)].differences[criterion].interval
        return interval is not None and interval.excludes(0.0)


def alike(rows: Sequence[ExportRow]) -> bool | None:
    """Whether all items have the same answer; None: one of them has none."""
    return _all_equal([_canonical_answer(row) for row in rows])


def _all_equal(answers: Sequence[object]) -> bool | None:
    return None if None in answers else all(answer == answers[0] for answer in answers[1:])


def _canonical_answer(row: ExportRow) -> object:
    return canonical(row.text) if row.state is ItemState.DONE and row.text is not None else None


def _standing(contender: Contender, tally: _Tally) -> Standing:
    measured = tally.latency.count > 0
    return Standing(
        contender=contender,
        done=tally.done,
        dead=tally.dead,
        score=tally.scores.mean if tally.scores.count else None,
        score_interval=tally.scores.interval,
        scored=tally.scores.count,
        cost_nano=None if tally.unpriced else tally.cost,
        latency_ms=percentile(sorted(tally.latencies.items()), tally.latency.count, 0.5) if measured else None,
        latency_mean_ms=tally.latency.mean if measured else None,
        tokens_in=tally.tokens_in,
        tokens_out=tally.tokens_out,
        cached=tally.cached,
        sent=Sent(tally.sent_cost, tally.sent_tokens) if tally.sent else None,
    )


def _share_done(standing: Standing) -> float | None:
    ended = standing.done + standing.dead
    return standing.done / ended if ended else None


_VALUES: dict[Criterion, Callable[[Standing], float | None]] = {
    Criterion.SCORE: lambda one: one.score,
    Criterion.ANSWERED: _share_done,
    Criterion.COST: lambda one: None if one.cost_nano is None or one.sent is None else one.sent.cost_nano,
    Criterion.LATENCY: lambda one: one.latency_mean_ms,
    Criterion.TOKENS: lambda one: None if one.sent is None else one.sent.tokens_out,
}
_WAYS = {criterion: -1 if criterion in (Criterion.SCORE, Criterion.ANSWERED) else 1 for criterion in Criterion}
_NOTHING = {
    Criterion.SCORE: "no scores: give the job checks that score",
    Criterion.ANSWERED: "nothing has ended yet",
    Criterion.COST: "an answer from the cache costs nothing",
    Criterion.LATENCY: "answers from the cache have no latency",
    Criterion.TOKENS: "an answer from the cache has no tokens",
}


def _why_nobody(criterion: Criterion, standings: Sequence[Standing]) -> str:
    """Why nobody wins by a criterion for which a contender has no value."""
    if criterion is Criterion.COST and any(one.cost_nano is None for one in standings):
        return "a price is unknown"
    if criterion in (Criterion.COST, Criterion.TOKENS) and not any(one.cached for one in standings):
        return "no row has ended in all of them yet"
    return _NOTHING[criterion]
