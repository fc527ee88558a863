"""Running a job in the foreground: start, watch, drain on Ctrl-C, write the results, say how it went."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tui_batch import figures
from tui_batch.cli.exits import Exit, exit_of
from tui_batch.cli.interrupts import Interrupts, cancelling
from tui_batch.cli.job_verbs import state_words
from tui_batch.cli.sampling import Trial, findings, goes_on
from tui_batch.cli.where import Where
from tui_batch.domain.item import ItemFlag
from tui_batch.domain.job import Counters, Job, JobState, Mode
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.stored import ErrorGroup
from tui_batch.engine.endings import TRIED
from tui_batch.engine.engine import Engine
from tui_batch.engine.stats import UNSCORED, Scored
from tui_batch.engine.workplace import Workplace
from tui_batch.errors import UserError
from tui_batch.headless import Display, Ending
from tui_batch.quality.drift import Alert
from tui_batch.report.export import Exported, export_results
from tui_batch.report.results import flag_words
from tui_batch.report.targets import Target
from tui_batch.safe_text import safe_text

TICK_S = 0.2
"""Between two looks at the engine."""
ERRORS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run of a job that exists."""

    job_id: int
    target: Target | None
    notes: tuple[str, ...] = ()
    """What a person is told before it starts."""
    rejects: Path | None = None
    rejected: int = 0
    first_reject: str = ""
    trial: Trial | None = None
    """Rows to be asked first; None: all at once."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a run came to, before anything is said about it."""

    job: Job
    exit: Exit
    elapsed_s: float
    finished_here: int
    errors: tuple[ErrorGroup, ...]
    flagged: Mapping[ItemFlag, int]
    scored: Scored
    exported: Exported | None
    trouble: UserError | None
    """Why the results could not be written."""


async def run_job(workplace: Workplace, plan: RunPlan, display: Display, interrupts: Interrupts, where: Where) -> Exit:
    """Runs the job to its end, or to where it is stopped; prints through `display` and returns the exit code."""
    before = await workplace.store.jobs.get(plan.job_id)
    started = time.monotonic()
    job = await _run_parts(workplace, plan, before, display, interrupts)
    elapsed = time.monotonic() - started
    exported, trouble = await _write_results(workplace, job, plan, interrupts)
    groups = await workplace.store.items.errors(job.id) if job.counters.dead else []
    code = exit_of(job, interrupted=interrupts.count > 0)
    outcome = _Outcome(
        job=job,
        exit=Exit.UNEXPECTED if trouble else code,
        elapsed_s=elapsed,
        finished_here=answered_since(before.counters, job.counters),
        errors=tuple(groups),
        flagged=await workplace.store.items.flagged(job.id),
        scored=Scored(*await workplace.store.items.scores(job.id)) if job.spec.checks else UNSCORED,
        exported=exported,
        trouble=trouble,
    )
    display.end(_ending(plan, outcome, where))
    return outcome.exit


def answered_since(before: Counters, after: Counters) -> int:
    """Items that ended by being asked, for the rate: those that were cancelled were not.

    At least 0, as another process may have made dead items pending meanwhile.
    """
    return max(0, after.done + after.dead - before.done - before.dead)


async def _run_parts(workplace: Workplace, plan: RunPlan, before: Job, display: Display, interrupts: Interrupts) -> Job:
    """The whole job; or a trial, and the rest when a person wants it."""
    numbers = () if plan.trial is None else plan.trial.numbers(before)
    job = await _run_part(workplace, before, numbers, plan.notes, display, interrupts)
    tried = numbers and job.message == TRIED.message and not interrupts.count
    if plan.trial is None or not tried:
        return job
    display.close()
    for line in await findings(workplace.store.items, job, numbers):
        display.note(line)
    with cancelling(interrupts):
        further = await goes_on(plan.trial)
    return await _run_part(workplace, job, (), (), display, interrupts) if further else job


async def _run_part(
    workplace: Workplace,
    job: Job,
    numbers: tuple[int, ...],
    notes: tuple[str, ...],
    display: Display,
    interrupts: Interrupts,
) -> Job:
    finished = await workplace.controller.start(job.id, numbers)
    display.start(job, notes)
    with interrupts.handled_by(_stopper(workplace.engine, display)):
        return await _watch(workplace.engine, job.id, finished, display)


def _stopper(engine: Engine, display: Display) -> Callable[[int], None]:
    """First interrupt: what is in flight is finished. Second: it is cancelled and stays pending."""
    stopping: set[asyncio.Task[None]] = set()

    def react(number: int) -> None:
        in_flight = sum(job.in_flight for job in engine.snapshot().jobs)
        if number == 1:
            display.note(f"interrupted: no new requests, waiting for {in_flight} in flight (again: cancel them)")
        else:
            display.note(f"stopped: {in_flight} in flight are cancelled and stay pending")
        stopping.add(asyncio.ensure_future(engine.drain() if number == 1 else engine.stop()))

    return react


async def _watch(engine: Engine, job_id: int, finished: asyncio.Future[Job], display: Display) -> Job:
    told = {alert for job in engine.snapshot().jobs if job.id == job_id for alert in job.drift}  # by an earlier run
    while not finished.done():
        _show(engine, job_id, display, told)
        await asyncio.wait([finished], timeout=TICK_S)
    return finished.result()


def _show(engine: Engine, job_id: int, display: Display, told: set[Alert]) -> None:
    """One look; answers that got worse are told once. The log has them in any case."""
    snapshot = engine.snapshot()
    for job in snapshot.jobs:
        if job.id == job_id:
            display.update(snapshot, job)
            for alert in (alert for alert in job.drift if alert not in told):
                told.add(alert)
                display.note(str(alert))


async def _write_results(
    workplace: Workplace, job: Job, plan: RunPlan, interrupts: Interrupts
) -> tuple[Exported | None, UserError | None]:
    """What the job has so far. Answers are safe in the database: a failure here is told, never raised."""
    if plan.target is None:
        return None, None
    try:
        with cancelling(interrupts):
            return await export_results(workplace.store, job, plan.target), None
    except UserError as error:
        return None, error


def _ending(plan: RunPlan, outcome: _Outcome, where: Where) -> Ending:
    return Ending(
        job=outcome.job,
        exit_code=outcome.exit,
        elapsed_s=outcome.elapsed_s,
        finished_here=outcome.finished_here,
        lines=summary(plan, outcome, where),
        results=str(plan.target) if plan.target is not None and outcome.exported is not None else None,
        rejects=str(plan.rejects) if plan.rejects is not None else None,
    )


def summary(plan: RunPlan, outcome: _Outcome, where: Where) -> list[str]:
    """How it went, in lines: state, figures, errors, files, what to do next."""
    return [
        _headline(outcome),
        *_figures(outcome),
        *_errors(outcome),
        *_remarks(outcome),
        *_files(plan, outcome),
        *_next(plan, outcome, where),
    ]


def _headline(outcome: _Outcome) -> str:
    job = outcome.job
    why = f": {safe_text(job.message)}" if job.message else ""
    return f"Job {job.id} {safe_text(job.spec.name)}: {state_words(job)}{why}"


def _figures(outcome: _Outcome) -> list[str]:
    counters = outcome.job.counters
    parts = [f"{figures.count(counters.done)} of {figures.count(counters.total)} done"]
    for number, word in ((counters.dead, "dead"), (counters.pending, "pending"), (counters.cancelled, "cancelled")):
        parts += [f"{figures.count(number)} {word}"] if number else []
    parts += [f"{figures.count(counters.cached)} from the cache"] if counters.cached else []
    pace = outcome.finished_here / outcome.elapsed_s if outcome.elapsed_s > 0 else 0.0
    saved = f", saved by the cache {figures.dollars(counters.saved_nano)}" if counters.saved_nano else ""
    return [
        f"  items   {', '.join(parts)}; in {figures.duration(outcome.elapsed_s)}, {figures.rate(pace)}",
        f"  tokens  {figures.count(counters.tokens_in)} in, {figures.count(counters.tokens_out)} out; "
        f"cost {figures.cost(counters)}{saved}",
        *_score(outcome.scored),
    ]


def _score(scored: Scored) -> list[str]:
    mean = scored.mean
    return [] if mean is None else [f"  score   {mean:.3f}, mean of {figures.things(scored.count, 'answer')}"]


def _errors(outcome: _Outcome) -> list[str]:
    """By class, the most frequent first, each with an example."""
    counts: Counter[OutcomeClass] = Counter()
    for group in outcome.errors:
        counts[group.cls] += group.count
    examples = {group.cls: group for group in reversed(outcome.errors)}
    lines = []
    for cls, number in counts.most_common(ERRORS_SHOWN):
        example = safe_text(examples[cls].example, 200)
        lines.append(f"  {figures.count(number)} x {cls.value}: {example} (item {examples[cls].example_id})")
    return lines


def _remarks(outcome: _Outcome) -> list[str]:
    """Answers that are there but not what they should be."""
    return [f"  {flag_words(flag, number)} (flags: {flag.word})" for flag, number in outcome.flagged.items()]


def _files(plan: RunPlan, outcome: _Outcome) -> list[str]:
    lines = []
    if outcome.exported is not None:
        pending = f", {figures.count(outcome.exported.pending)} of them pending" if outcome.exported.pending else ""
        lines.append(f"Results: {plan.target} ({figures.things(outcome.exported.rows, 'row')}{pending})")
    if outcome.trouble is not None:
        lines.append(f"error: {safe_text(outcome.trouble.message)}. The answers are in the database.")
    if plan.rejected:
        first = safe_text(plan.first_reject, 200)
        lines.append(f"Rejected rows: {figures.count(plan.rejected)}, see {plan.rejects} (first: {first})")
    return lines


def _next(plan: RunPlan, outcome: _Outcome, where: Where) -> list[str]:
    """Commands to paste."""
    job, ref = outcome.job, str(outcome.job.id)
    output = () if plan.target is None else ("-o", plan.target.word)
    lines = []
    if job.state is not JobState.CANCELLED and job.counters.pending:
        lines.append(f"Resume:  {where.command('resume', ref, *output)}")
    if job.counters.dead:
        lines.append(f"Errors:  {where.command('errors', ref)}")
        lines.append(f"Retry:   {where.command('retry', ref, '--dead')}")
    if job.counters.done and outcome.exported is None:
        lines.append(f"Export:  {where.command('export', ref, '-o', 'results.jsonl')}")
    if job.counters.done and not job.counters.pending:
        lines.append(f"Report:  {where.command('report', ref, '-o', 'report.html')}")
        lines += [f"Compare: {where.command('compare', ref)}"] if job.spec.mode is Mode.EACH else []
    return lines
