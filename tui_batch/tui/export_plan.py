"""What an export or a report is to be, before and while it is written. No widget but the app's progress line."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tui_batch import figures
from tui_batch.domain.job import Job
from tui_batch.errors import UserError
from tui_batch.paths import expanded
from tui_batch.report.compare import compare_jobs
from tui_batch.report.export import ExportProgress, Shape, export_results
from tui_batch.report.formats import FORMATS, ResultFormat, format_of
from tui_batch.report.targets import Target, check_place, check_target, parse_target
from tui_batch.report.write import report_format, write_report
from tui_batch.tui.export_scopes import NamedScope
from tui_batch.tui.long_work import PARTS

if TYPE_CHECKING:
    from tui_batch.tui.app import BatchApp


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What is to be written where."""

    job: Job
    target: Target
    scope: NamedScope
    shape: Shape


def file_name(job: Job, ending: str) -> str:
    """A name for a job's file that every platform takes."""
    plain = re.sub(r"[^\w.-]+", "-", job.spec.name, flags=re.ASCII).strip("-.")[:60]
    return f"{plain or 'job'}-{job.id}{ending}"


def usual_format(job: Job) -> ResultFormat:
    """That of the job's input: who brought a spreadsheet wants one back."""
    read = job.spec.source.format
    return ResultFormat(read) if read in set(ResultFormat) else ResultFormat.JSONL


def with_ending(text: str, form: ResultFormat) -> str:
    """The path with the ending of a format in place of the one it has; a `.gz` stays where the format allows it."""
    packed = text.lower().endswith(".gz")
    stem = text[: -len(".gz")] if packed else text
    if found := format_of(stem):
        stem = stem[: -len(found[1])]
    return stem + FORMATS[form].ending + (".gz" if packed and FORMATS[form].may_be_gz else "")


def checked_target(text: str, source: str) -> tuple[Target, bool]:
    """The absolute target, and whether it would replace a file. Raises UserError when it cannot be. Blocks."""
    target = parse_target(text.strip())
    if target.path is None:
        raise UserError("the screen cannot take results", remedy="Name a file.")
    with _reached(target.path):
        target = replace(target, path=target.path.absolute())
        check_target(target, source)
        return target, os.path.isfile(str(target))


def checked_report(text: str) -> tuple[Path, bool]:
    """The absolute path, and whether a report would replace a file. Raises UserError when it cannot be. Blocks."""
    named = expanded(text.strip())
    with _reached(named):
        path = named.absolute()
        report_format(path)
        check_place(path)
        return path, path.is_file()


@contextmanager
def _reached(path: Path) -> Iterator[None]:
    """Says in words why a path cannot be looked at: its name is too long, or it lies where nobody may look."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", remedy="Name another file.") from error


@contextmanager
def _told(app: BatchApp, what: str, file: str) -> Iterator[Callable[[float], None]]:
    """Shows in the title line which part of it is done, whichever thread says so, and tells when it was stopped."""
    loop = asyncio.get_running_loop()
    with app.long_work(what, PARTS) as progress:

        def tell(part: float) -> None:
            loop.call_soon_threadsafe(progress, int(part * PARTS))

        try:
            yield tell
        except asyncio.CancelledError:
            app.say(f"stopped: {file} was not written")
            raise


async def write_results(app: BatchApp, plan: ExportPlan) -> str:
    """Writes the file with progress in the title line; returns where it is, in words. Cancelling leaves nothing."""
    shown, store = str(plan.target), app.desk.store
    with _told(app, f"exporting #{plan.job.id}", shown) as tell:

        def reached(at: ExportProgress) -> None:
            tell(at.part)

        job = await store.jobs.get(plan.job.id)
        scope, shape = plan.scope.scope, plan.shape
        made = await export_results(store, job, plan.target, scope=scope, shape=shape, progress=reached)
    pending = f", {figures.count(made.pending)} of them pending" if made.pending else ""
    flat = ("--flatten",) if plan.shape is Shape.FLAT else ()
    app.record("export", str(plan.job.id), "-o", shown, *flat, *plan.scope.options)
    return f"{figures.things(made.rows, 'row')}{pending} in {shown}"


async def write_job_report(app: BatchApp, job: Job, path: Path) -> str:
    """Writes the report with progress in the title line; returns where it is, in words."""
    with _told(app, f"report of #{job.id}", str(path)) as tell:
        await write_report(app.desk.store, job.id, path, progress=tell)
    app.record("report", str(job.id), "-o", str(path))
    return f"the report is in {path}"


async def write_comparison(app: BatchApp, jobs: Sequence[Job], target: Target) -> str:
    """Writes a line a row with everybody's answers, with progress in the title line; returns where it is, in words."""
    named = [str(job.id) for job in jobs]
    with _told(app, f"comparing #{' and #'.join(named)}", str(target)) as tell:
        made = await compare_jobs(app.desk.store, jobs, target, progress=tell)
    app.record("compare", *named, "-o", str(target))
    return f"{figures.things(made.rows, 'row')} side by side in {target}"
