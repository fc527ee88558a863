"""A running job's figures: O(1) an outcome, read as one frozen snapshot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from tui_batch.domain.item import ItemRecord, ItemState
from tui_batch.domain.job import Counters
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.spending import CostRange
from tui_batch.engine.histogram import Histogram, RecentHistogram, WindowedRate, bucket_of
from tui_batch.engine.lane import latency_of
from tui_batch.engine.projection import CostTally, project
from tui_batch.engine.snapshot import Latency
from tui_batch.store.bulk import Undone


def counted(counters: Counters, record: ItemRecord) -> Counters:
    """The counters after an outcome of an item that was pending. The store counts the same way."""
    usage = record.outcome.usage
    final = record.state is not ItemState.PENDING
    asked = record.deployment is not None and not record.cached
    # All fields by hand: `replace` costs five times as much, and this is on the way of every outcome.
    return Counters(
        total=counters.total,
        done=counters.done + (record.state is ItemState.DONE),
        dead=counters.dead + (record.state is ItemState.DEAD),
        pending=counters.pending - final,
        cancelled=counters.cancelled,
        cached=counters.cached + record.is_hit - record.recanted,
        requests=counters.requests + asked,
        tokens_in=counters.tokens_in + (usage.input_tokens or 0) * asked,
        tokens_out=counters.tokens_out + (usage.output_tokens or 0) * asked,
        cost_nano=counters.cost_nano + (record.cost_nano or 0),
        unpriced=counters.unpriced + (asked and record.cost_nano is None),
        saved_nano=counters.saved_nano + (record.saved_nano or 0) * record.saves - record.unsaved_nano,
    )


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of a job's answers, added up."""

    count: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float | None:
        """From 0 to 1; None: no answer has a score."""
        return self.total / self.count if self.count else None


UNSCORED = Scored()


class JobStats:
    """Counters as they will be once everything recorded is committed, rates and latencies."""

    def __init__(self, counters: Counters, scored: Scored = UNSCORED) -> None:
        self.counters = counters
        self.scored = scored
        self.failures: Counter[OutcomeClass] = Counter()
        self._costs = CostTally.of(counters)
        self._finished = WindowedRate(10.0)
        self._latency = Histogram()
        self._recent = RecentHistogram()

    def add(self, now: float, record: ItemRecord) -> None:
        """Counts one outcome; `now` is the loop's clock."""
        self.counters = counted(self.counters, record)
        self._costs.add(record.cost_nano or 0, ended=record.state is not ItemState.PENDING)
        if record.attempt is not None:
            self.failures[record.outcome.cls] += 1
        if record.keeps_answer and record.state is not ItemState.DEAD and not record.cached:
            bucket = bucket_of(record.outcome.latency_s)
            self._latency.count(bucket)
            self._recent.count(now, bucket)
        if record.state is ItemState.PENDING:
            return
        self._finished.add(now, 1)
        if record.score is not None:
            self.scored = Scored(self.scored.count + 1, self.scored.total + record.score)

    def revive(self, undone: Undone) -> None:
        """Dead items are pending again: neither they nor what was said of their answers counts any more."""
        counters = self.counters
        self.counters = replace(
            counters,
            dead=counters.dead - undone.items,
            pending=counters.pending + undone.items,
            cached=counters.cached - undone.cached,
            saved_nano=counters.saved_nano - undone.saved_nano,
        )
        self.scored = Scored(self.scored.count - undone.scores, self.scored.total - undone.score_total)

    def discard(self, count: int) -> None:
        """Dead items are cancelled."""
        counters = self.counters
        self.counters = replace(counters, dead=counters.dead - count, cancelled=counters.cancelled + count)

    def rate(self, now: float) -> float:
        """Items finished per second lately."""
        return self._finished.rate(now)

    def eta_s(self, now: float) -> float | None:
        """Seconds to the end at the present rate."""
        rate = self.rate(now)
        return self.counters.pending / rate if rate > 0 else None

    @property
    def projected(self) -> CostRange | None:
        """What the job will have cost at its end."""
        return project(self._costs, self.counters)

    @property
    def latency(self) -> Latency:
        """Percentiles of the answered requests."""
        return latency_of(self._latency)

    def recent(self, now: float) -> Latency:
        """Percentiles of the requests answered in the last minute."""
        return latency_of(self._recent.merged(now))
