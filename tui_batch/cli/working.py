"""Making a job and running it: what `run`, `add` and `resume` do once their options are read."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tui_batch import figures
from tui_batch.cli.asking import asked
from tui_batch.cli.console import put, say
from tui_batch.cli.exits import Exit, exit_of
from tui_batch.cli.flags import JobFlags
from tui_batch.cli.interrupts import Interrupts, cancelling, listening
from tui_batch.cli.opening import desk, need_database, new_desk
from tui_batch.cli.parsing import parse_whole
from tui_batch.cli.running import RunPlan, run_job
from tui_batch.cli.sampling import Trial
from tui_batch.cli.where import Where
from tui_batch.domain.job import TERMINAL, Job, JobSpec, Knobs
from tui_batch.engine.compose import Composed
from tui_batch.engine.control import check_startable
from tui_batch.engine.importing import Imported, ImportPlan, ImportProgress, create_job
from tui_batch.engine.workplace import Workplace, open_workplace
from tui_batch.errors import UserError
from tui_batch.headless import Display, Ending
from tui_batch.inputs.draft import JobDraft
from tui_batch.inputs.importing import rejects_path
from tui_batch.report.export import export_results
from tui_batch.report.targets import Target, check_target, parse_target
from tui_batch.safe_text import safe_text
from tui_batch.settings import Settings, load_settings
from tui_batch.store.store import Store
from tui_batch.work.detach import detach
from tui_batch.work.estimating import Estimate, known_about
from tui_batch.work.estimating import estimate as estimated_job
from tui_batch.work.knob_words import limits_line
from tui_batch.work.making import checked
from tui_batch.work.preflight import check_reachable
from tui_batch.work.simulated import lifted, simulated, with_simulator
from tui_batch.work.transports import RoutingTransport, make_transport

IMPORT_SAID_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """A job to be made, and what to do with it."""

    draft: JobDraft
    target: Target | None
    settings: Settings
    place: Where
    strict: bool = False
    trial: Trial | None = None
    simulate: bool = False
    faults: str = ""


@dataclass(frozen=True, slots=True)
class Resumption:
    """A job to go on with."""

    ref: str
    target: Target | None
    faults: str
    place: Where


def ordered(flags: JobFlags, place: Where) -> Order:
    """Everything the options say, checked before anything is read or made. Raises UserError."""
    settings = with_simulator(load_settings(place.settings))
    draft = asked(flags)
    target = _target(flags, draft)
    if target is not None:
        check_target(target, draft.source.path)
    if flags.simulate:
        draft, settings = simulated(draft, settings)
    if flags.simulate_faults and not flags.simulate:
        raise UserError("--simulate-faults is for the simulator", remedy="Add --simulate.")
    rows = parse_whole("--sample", flags.sample)
    trial = None if rows is None else Trial(rows, flags.yes)
    return Order(draft, target, settings, place, flags.strict, trial, flags.simulate, flags.simulate_faults)


def _target(flags: JobFlags, draft: JobDraft) -> Target | None:
    named = flags.output or (str(draft.output) if draft.output is not None else None)
    return None if named is None else parse_target(named)


async def create_and_run(order: Order, display: Display) -> Exit:
    """Makes the job and runs it here to its end."""
    with listening() as interrupts:
        async with _transport(order.settings, order.faults) as transport:
            with cancelling(interrupts):
                composed = await _composed(order, transport)
            async with _workplace(order.place, order.settings, transport) as workplace:
                with cancelling(interrupts):
                    composed = await _reachable(composed)
                    imported = await _imported(workplace.store, order, composed)
                plan = RunPlan(
                    imported.job_id,
                    order.target,
                    _notes(order, composed, imported),
                    imported.rejects_path,
                    imported.rejected,
                    imported.first_reject,
                    order.trial,
                )
                return await _run(workplace, plan, display, interrupts, order.place)


async def estimate(order: Order) -> Estimate:
    """What the job would take. Makes nothing; the database is looked into for what earlier answers taught."""
    with listening() as interrupts, cancelling(interrupts):
        async with _transport(order.settings, order.faults) as transport:
            composed = await _composed(order, transport)
        if not order.place.db.exists():
            known = await known_about(composed.spec, None, order.settings.prices, order.settings.windows)
        else:
            async with desk(order.place) as at:
                known = await known_about(composed.spec, at.store, order.settings.prices, order.settings.windows)
        return await estimated_job(composed.spec, composed.knobs, known)


async def create_only(order: Order) -> int:
    """Makes the job and leaves it; returns its number."""
    job_id = await _create(order, _as_it_is)
    say(f"job {job_id} is ready. Start it: {order.place.command('resume', str(job_id))}")
    return job_id


async def _reachable(composed: Composed) -> Composed:
    """The job, with a note for each server that does not answer. Raises UserError: none does, or a key is missing."""
    absent = await check_reachable(composed.spec.endpoints)
    return replace(composed, notes=(*composed.notes, *absent))


async def _as_it_is(composed: Composed) -> Composed:
    """A job that is not run now: its servers may be started later."""
    return composed


async def _create(order: Order, looked_at: Callable[[Composed], Awaitable[Composed]]) -> int:
    with listening() as interrupts, cancelling(interrupts):
        async with _transport(order.settings, order.faults) as transport:
            composed = await looked_at(await _composed(order, transport))
        async with new_desk(order.place) as at:
            imported = await _imported(at.store, order, composed)
        for note in (*_notes(order, composed, imported), *_reject_note(imported)):
            say(note)
        return imported.job_id


async def create_detached(order: Order) -> None:
    """Makes the job here and runs it in a process of its own. What would stop that is told here, where it is read."""
    if order.trial is not None:
        raise UserError("--sample shows answers and asks: not in the background", remedy="Leave out --detach.")
    if order.target is not None and order.target.is_stdout:
        raise UserError("a run in the background has no standard output", remedy="Give -o a file.")
    job_id = await _create(order, _reachable)
    _detach(job_id, order.place, _words(order.target, order.faults))


def _detach(job_id: int, place: Where, words: Sequence[str]) -> None:
    """Starts the background process; prints the job, the process's id, and how to watch and stop it."""
    with place.remedies():
        started = detach(job_id, place, words)
    put(str(job_id))
    say(f"job {job_id} runs in the background, process {started.pid}, log {started.log}")
    say(f"Watch:  {place.command('show', str(job_id))}")
    say(f"Pause:  {place.command('pause', str(job_id))}")


def _words(target: Target | None, faults: str) -> list[str]:
    """What the background process must be told besides the job."""
    words = [] if target is None or target.path is None else ["-o", str(target.path.absolute())]
    return [*words, "--simulate-faults", faults] if faults else words


async def resume(order: Resumption, display: Display) -> Exit:
    """Goes on with a job: its owner does when there is one, else this process."""
    need_database(order.place)
    settings = load_settings(order.place.settings)
    with listening() as interrupts:
        async with (
            _transport(settings, order.faults) as transport,
            _workplace(order.place, settings, transport) as workplace,
        ):
            job = await workplace.store.jobs.find(order.ref)
            if await workplace.controller.owned_elsewhere(job):
                await workplace.controller.resume(job.id)
                for line in _resumed(job, order):
                    display.note(line)
                return Exit.OK
            if job.counters.pending == 0 and job.imported and (job.state not in TERMINAL or order.target is not None):
                return await _settle(workplace, job, order.target, display)
            note = f"Resuming job {job.id} {safe_text(job.spec.name)}: {_what(job.spec, job.knobs)}"
            return await _run(workplace, RunPlan(job.id, order.target, (note,)), display, interrupts, order.place)


async def resume_detached(order: Resumption) -> None:
    """Checks that the job is there and goes on with it in a process of its own."""
    need_database(order.place)
    if order.target is not None and order.target.is_stdout:
        raise UserError("a run in the background has no standard output", remedy="Give -o a file.")
    async with desk(order.place) as at:
        job = await at.store.jobs.find(order.ref)
        if await at.controller.owned_elsewhere(job):
            await at.controller.resume(job.id)
            for line in _resumed(job, order):
                say(line)
            return
        if order.target is None:
            check_startable(job)
    _detach(job.id, order.place, _words(order.target, order.faults))


def _resumed(job: Job, order: Resumption) -> list[str]:
    """Said where another process goes on with the job."""
    pid = job.owner.pid if job.owner is not None else "?"
    lines = [f"job {job.id} goes on in process {pid}, which runs it."]
    if order.target is not None:
        export = order.place.command("export", str(job.id), "-o", order.target.word)
        lines.append(f"Its results are not written from here. At any time: {export}")
    return lines


async def _settle(workplace: Workplace, job: Job, target: Target | None, display: Display) -> Exit:
    """Nothing is left to be asked: a run was ended just before it said so, or before it wrote the results."""
    if job.state not in TERMINAL:
        job = await workplace.controller.conclude(job.id)
    lines = [f"job {job.id} has nothing left to do: it is {job.state.value}."]
    if target is not None:
        exported = await export_results(workplace.store, job, target)
        lines.append(f"Results: {target} ({figures.things(exported.rows, 'row')})")
    code = exit_of(job, interrupted=False)
    display.end(Ending(job, code, 0.0, 0, lines, None if target is None else str(target)))
    return code


def _transport(settings: Settings, faults: str) -> AbstractAsyncContextManager[RoutingTransport]:
    return aclosing(make_transport(settings.ca_file, faults))


@asynccontextmanager
async def _workplace(place: Where, settings: Settings, transport: RoutingTransport) -> AsyncIterator[Workplace]:
    with place.remedies():
        async with open_workplace(place.db, transport, settings) as workplace:
            yield workplace


async def _composed(order: Order, transport: RoutingTransport) -> Composed:
    with order.place.remedies():
        composed = await checked(order.draft, order.settings, transport)
    return lifted(composed) if order.simulate else composed


async def _imported(store: Store, order: Order, composed: Composed) -> Imported:
    """Reads the input in; a large one says now and then how far it is."""
    due = time.monotonic() + IMPORT_SAID_EVERY_S

    def progress(at: ImportProgress) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + IMPORT_SAID_EVERY_S
            part = "" if at.part is None else f" ({at.part:.0%} of the file)"
            say(f"reading: {figures.things(at.rows, 'row')}{part}")

    plan = ImportPlan(
        spec=composed.spec,
        knobs=composed.knobs,
        rejects_path=rejects_path(_beside(order)),
        strict=order.strict,
    )
    return await create_job(store, plan, now=time.time(), progress=progress)


def _beside(order: Order) -> Path:
    """Rejected rows go beside the results; without results beside the database, under the input's name."""
    if order.target is not None and order.target.path is not None:
        return order.target.path
    source = order.draft.source.path
    return order.place.db.parent / ("stdin" if source == "-" else Path(source).name.replace(":", "-"))


def _notes(order: Order, composed: Composed, imported: Imported) -> tuple[str, ...]:
    """What is going to happen, in a few lines."""
    spec = composed.spec
    rows = figures.things(imported.rows, "row")
    first = None if order.trial is None or order.trial.rows >= imported.rows else order.trial.rows
    sample = "" if first is None else f" ({figures.count(first)} of them first)"
    head = f"Job {imported.job_id} {safe_text(spec.name)}: {rows}{sample}, "
    return (head + _what(spec, composed.knobs), *(safe_text(note) for note in composed.notes))


def _reject_note(imported: Imported) -> list[str]:
    if not imported.rejected:
        return []
    first = safe_text(imported.first_reject, 200)
    return [f"Rejected rows: {figures.count(imported.rejected)}, see {imported.rejects_path} (first: {first})"]


def _what(spec: JobSpec, knobs: Knobs) -> str:
    """Models, limits and cache in one line."""
    models = ", ".join(f"{safe_text(ref.model)} @ {', '.join(ref.endpoints)}" for ref in spec.models)
    return f"{models}, {limits_line(knobs)}, cache {spec.cache.value}"


async def _run(workplace: Workplace, plan: RunPlan, display: Display, interrupts: Interrupts, place: Where) -> Exit:
    try:
        return await run_job(workplace, plan, display, interrupts, place)
    finally:
        display.close()
