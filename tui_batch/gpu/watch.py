"""Cards over time: the last reading of every source, and a bounded history of every card."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tui_batch.gpu.exporters import ExporterSampler
from tui_batch.gpu.nvml import NvmlSampler
from tui_batch.gpu.sample import GpuSample, Reading, Sampler

EVERY_S = 1.0
"""Between two looks at a source that has cards."""
SELDOM_S = 30.0
"""Between two looks at one that has none: a driver may be loaded, an exporter started."""
POINTS = 900
"""Moments kept of each card: the last quarter of an hour."""

MOST_KEPT = 2_000
"""Cards with a history, those that are gone included: parts of cards come and go, and an exporter may make names up."""


@dataclass(frozen=True, slots=True)
class GpuPoint:
    """A moment in a card's history."""

    at: float
    """Seconds on the watch's clock."""
    utilisation: float | None
    memory: float | None
    """Percent in use."""
    power_w: float | None
    temperature_c: float | None


@dataclass(slots=True)
class Card:
    """A card as last seen, and before."""

    last: GpuSample
    points: deque[GpuPoint] = field(default_factory=lambda: deque(maxlen=POINTS))


@dataclass(slots=True)
class Source:
    """A sampler and what it said last."""

    sampler: Sampler
    reading: Reading | None = None
    """None: it was not asked yet. Swapped whole, so that nobody sees half of a look."""


class GpuWatch:
    """Looks at the sources, each at its own pace, so that one which hangs does not hold up the others."""

    def __init__(self, samplers: Iterable[Sampler], clock: Callable[[], float]) -> None:
        self.sources = tuple(Source(sampler) for sampler in samplers)
        self._clock = clock
        self._cards: dict[tuple[str, str], Card] = {}

    @property
    def now(self) -> float:
        """The clock that points are stamped by."""
        return self._clock()

    @property
    def cards(self) -> tuple[Card, ...]:
        """The cards that the last readings tell of: this machine's first, then by source, in order of their numbers."""
        last = [sample for source in self.sources if source.reading for sample in source.reading.samples]
        return tuple(self._cards[sample.key] for sample in last)

    @property
    def troubles(self) -> tuple[str, ...]:
        """Why a source tells of nothing, in words; not that this machine has no card, where others are asked too."""
        found = [(one.sampler.where, one.reading) for one in self.sources if one.reading and one.reading.trouble]
        others = len(self.sources) > 1
        return tuple(
            f"{where}: {reading.trouble}" if where else reading.trouble
            for where, reading in found
            if not (reading.is_absent and others)
        )

    async def look(self, source: Source) -> Reading:
        """One look at one source, in a thread; takes it into the history."""
        reading = await asyncio.to_thread(source.sampler.read)
        now = self._clock()
        for sample in reading.samples:
            card = self._cards.setdefault(sample.key, Card(sample))
            card.last = sample
            card.points.append(
                GpuPoint(now, sample.utilisation, sample.memory_percent, sample.power_w, sample.temperature_c)
            )
        source.reading = reading
        self._forget()
        return reading

    def _forget(self) -> None:
        """Lets go of cards that no source tells of any more, once there are many."""
        if len(self._cards) > MOST_KEPT:
            last = {sample.key for source in self.sources if source.reading for sample in source.reading.samples}
            self._cards = {key: card for key, card in self._cards.items() if key in last}

    async def follow(self, source: Source) -> None:
        """Looks at one source again and again, until cancelled."""
        try:
            while True:
                reading = await self.look(source)
                await asyncio.sleep(EVERY_S if reading.samples else SELDOM_S)
        finally:
            source.sampler.close()


def usual_samplers(exporters: Iterable[str] = ()) -> tuple[Sampler, ...]:
    """This machine's cards and those behind the exporters, by their addresses. Nothing is opened yet."""
    return (NvmlSampler(), *(ExporterSampler(url) for url in exporters))
