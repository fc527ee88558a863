"""`run --sample N`: a few rows of the job first, what they say about the rest, and whether to go on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tui_batch import figures
from tui_batch.cli.console import can_ask, is_wanted
from tui_batch.domain.job import Job
from tui_batch.domain.spending import CostRange
from tui_batch.domain.stored import ItemRow
from tui_batch.engine.projection import CostTally, project
from tui_batch.engine.router import variants
from tui_batch.engine.sampling import spread_numbers
from tui_batch.safe_text import safe_text
from tui_batch.store.items import Items
from tui_batch.work.strategies import Pace, strategies

SHOWN = 10
"""Answers shown."""
EXCERPT = 160
"""Characters of each."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How many rows to ask first, and whether to ask a person before the rest."""

    rows: int
    yes: bool

    def numbers(self, job: Job) -> tuple[int, ...]:
        """The rows, spread over the job; none when that would be all of them."""
        total = job.counters.total // variants(job.spec)
        return spread_numbers(total, self.rows) if self.rows < total else ()


async def findings(items: Items, job: Job, numbers: tuple[int, ...]) -> list[str]:
    """The answers to a trial, and the cost and time of the whole job projected from them, in lines."""
    each = variants(job.spec)
    rows = [
        row
        for number in numbers[:SHOWN]
        for row in await items.page(job.id, after=(number, -1), limit=each)
        if row.seq == number
    ]
    return [*(_answer(row) for row in rows), *_projected(job, rows)]


def _answer(row: ItemRow) -> str:
    where = f"line {row.line}" if row.line is not None else f"row {row.seq + 1}"
    return f"  {where} ({row.state.value}): {safe_text(row.excerpt, EXCERPT)}"


def _projected(job: Job, rows: list[ItemRow]) -> list[str]:
    cost = trial_cost(job, rows)
    counters = job.counters
    ended = counters.done + counters.dead
    latencies = [row.latency_ms / 1_000 for row in rows if row.latency_ms is not None and not row.cached]
    mean = sum(latencies) / len(latencies) if latencies else 0.0
    tokens = (counters.tokens_in + counters.tokens_out) * counters.pending // max(1, ended)
    pace = Pace(counters.pending, tokens, mean)
    seconds = strategies(pace, cost, job.knobs, job.spec.endpoints, ())[1].seconds
    money = "$?" if cost is None else figures.cost_range(cost.low, cost.likely, cost.high)
    return [
        f"All {figures.count(counters.total)}: cost {money}, of which {figures.cost(counters)} is spent; "
        f"the other {figures.count(counters.pending)} take ~{figures.duration(seconds)}"
    ]


def trial_cost(job: Job, rows: list[ItemRow]) -> CostRange | None:
    """What the whole job will cost, by the items that ended; None: unknown."""
    tally = CostTally.of(job.counters)
    known = [row.cost_nano for row in rows if row.cost_nano is not None]
    if len(known) > 1:  # how far the costs lie apart can be told from those shown
        mean = sum(known) / len(known)
        spread = sum((cost - mean) ** 2 for cost in known) / (len(known) - 1)
        tally.squares = tally.items * (tally.mean**2 + spread)
    return project(tally, job.counters)


async def goes_on(trial: Trial) -> bool:
    """Whether the rest is to be asked: by --yes, or a person at a terminal, default No."""
    if trial.yes:
        return True
    return can_ask() and await asyncio.to_thread(is_wanted, "Go on with the rest?")
