"""The report of a job: one frozen value that every writer renders."""

from __future__ import annotations

import platform
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import sqrt

from tui_batch import __version__
from tui_batch.domain.job import ACTIVE, Job, Mode
from tui_batch.errors import UserError
from tui_batch.report.compare import compare_jobs
from tui_batch.report.comparing import Comparison
from tui_batch.report.intervals import Interval, mean_interval
from tui_batch.report.job_words import settings_of
from tui_batch.report.spread import Spread, merged, spread_of
from tui_batch.store.report_queries import JobFigures, gather
from tui_batch.store.store import Store


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """The scores of a job."""

    count: int
    mean: float
    interval: Interval | None
    """Of the mean, at 95 %; None for fewer than two scores."""


def score_summary(figures: JobFigures) -> ScoreSummary | None:
    """The scores of all models together; None: no item has one."""
    parts = [one.scores for one in figures.models if one.scores is not None]
    count = sum(one.count for one in parts)
    if not count:
        return None
    mean = sum(one.mean * one.count for one in parts) / count
    squares = sum(one.squares * one.count for one in parts) / count
    deviation = sqrt(max(0.0, squares - mean * mean) * count / max(1, count - 1))
    return ScoreSummary(count, mean, mean_interval(mean, deviation, count))


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a report says."""

    made_at: float
    """Unix time."""
    job: Job
    figures: JobFigures
    settings: tuple[tuple[str, str], ...]
    """Names and values; nothing secret."""
    environment: tuple[tuple[str, str], ...]
    latency: Spread | None
    """Of answers that a server gave; None: there are none."""
    latency_by_deployment: Mapping[tuple[str, str], Spread]
    """By model and endpoint."""
    comparison: Comparison | None
    """Of the models of a job in mode each."""

    @property
    def score(self) -> ScoreSummary | None:
        """The scores of all models together; None: no item has one."""
        return score_summary(self.figures)

    @property
    def processed(self) -> int:
        """Items that came to an end: done and dead."""
        return self.job.counters.done + self.job.counters.dead

    @property
    def success_rate(self) -> float | None:
        """Share of the processed items that are done; None: none is processed."""
        return self.job.counters.done / self.processed if self.processed else None

    @property
    def cache_hit_rate(self) -> float | None:
        """Share of the processed items that the response cache answered; None: none is processed."""
        return self.job.counters.cached / self.processed if self.processed else None

    @property
    def elapsed_s(self) -> float | None:
        """Seconds from the first start to the end, pauses included; None: not started.

        The end is now while the job runs, else when it finished or had its last outcome.
        """
        start = self.job.started_at
        if start is None:
            return None
        line = self.figures.timeline
        last = self.made_at if self.job.state in ACTIVE else self.job.finished_at or (line.end if line else start)
        return max(0.0, last - start)

    @property
    def items_per_s(self) -> float | None:
        """Processed items a second over the time elapsed."""
        return self.processed / self.elapsed_s if self.elapsed_s else None


async def make_report(
    store: Store,
    job_id: int,
    *,
    clock: Callable[[], float] = time.time,
    progress: Callable[[float], None] = lambda _: None,
) -> Report:
    """Reads and adds up a job; `progress` gets the part that is done, from 0 to 1, and may come from another thread.

    Cancelling ends the query that runs. Raises UserError when there is no such job.
    """
    job = await store.jobs.get(job_id)
    share = 0.4 if _compares(job) else 1.0
    async with store.apart() as connection:
        tell = partial(_part, progress, 0.0, share)
        figures = await connection.read(lambda conn: gather(conn, job.id, job.started_at, tell))
    return Report(
        made_at=clock(),
        job=job,
        figures=figures,
        settings=settings_of(job),
        environment=environment(),
        latency=spread_of(merged(figures.latencies.values())),
        latency_by_deployment={key: spread for key, one in figures.latencies.items() if (spread := spread_of(one))},
        comparison=await _comparison(store, job, partial(_part, progress, share, 1.0)),
    )


def _part(progress: Callable[[float], None], low: float, high: float, part: float) -> None:
    progress(low + (high - low) * part)


def _compares(job: Job) -> bool:
    return job.spec.mode is Mode.EACH and len(job.spec.models) > 1


async def _comparison(store: Store, job: Job, progress: Callable[[float], None]) -> Comparison | None:
    if not _compares(job):
        return None
    try:
        return await compare_jobs(store, (job,), progress=progress)
    except UserError:  # it has no rows yet
        return None


def environment() -> tuple[tuple[str, str], ...]:
    """What made the report: versions and platform; no names of people or machines."""
    return (
        ("llmbatch-tui", __version__),
        ("Python", platform.python_version()),
        ("SQLite", sqlite3.sqlite_version),
        ("platform", f"{platform.system()} {platform.release()} {platform.machine()}"),
    )
