"""Reading an input into a job: one streamed pass, bad rows to a file, memory that does not grow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from tui_batch.domain.item import Duplicate, NewRow
from tui_batch.domain.job import InputSource, JobSpec, Knobs
from tui_batch.engine.chaining import FORMAT, ChainedRows, open_source
from tui_batch.engine.router import variants
from tui_batch.engine.sampling import count_rows, spread
from tui_batch.errors import InputError
from tui_batch.inputs.importing import Batch, RejectsFile, batches
from tui_batch.inputs.reading import Rows
from tui_batch.inputs.rows import Reject
from tui_batch.inputs.templates import MissingColumn, RowError, compile_prompt, compile_text, listed_columns
from tui_batch.quality.judging import judge_of
from tui_batch.quality.kinds import columns_of
from tui_batch.store.importer import Importer
from tui_batch.store.store import Store

BATCH_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is."""

    rows: int
    rejected: int
    part: float | None
    """Of the file, from 0 to 1; None for standard input."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import."""

    job_id: int
    rows: int
    rejected: int
    rejects_path: Path | None
    first_reject: str
    """The first rejected row, as file:line: reason; empty when there is none."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What to read, and what to do about bad rows."""

    spec: JobSpec
    knobs: Knobs
    rejects_path: Path
    strict: bool = False
    """The first bad row stops the import, and no job is left behind."""
    sample: int | None = None
    """Only so many rows, spread over the input, which is read once more to count it; None: all."""


async def create_job(
    store: Store,
    plan: ImportPlan,
    *,
    now: float,
    progress: Callable[[ImportProgress], None] = lambda _: None,
) -> Imported:
    """Creates a draft job and reads its input. Raises UserError; then, and on cancellation, nothing is left behind."""
    total = None if plan.sample is None else await _count(store, plan.spec.source)
    rows = await open_source(store, plan.spec.source)
    # The format that was found is part of the spec: it decides how a row becomes a request.
    spec = replace(plan.spec, source=rows.source)
    try:
        async with (
            store.jobs.drafting(spec, plan.knobs, now=now) as job_id,
            store.importing(job_id, variants=variants(spec)) as importer,
        ):
            return await _read_in(importer, plan, job_id, rows, total, progress)
    finally:
        await asyncio.to_thread(rows.close)


async def _count(store: Store, source: InputSource) -> int:
    """Good rows of an input, which is read for it."""
    if source.format != FORMAT:
        return await asyncio.to_thread(count_rows, source)
    rows = await open_source(store, source)
    try:
        return await asyncio.to_thread(lambda: sum(isinstance(read, NewRow) for read in rows))
    finally:
        await asyncio.to_thread(rows.close)


async def _read_in(
    importer: Importer,
    plan: ImportPlan,
    job_id: int,
    rows: Rows | ChainedRows,
    total: int | None,
    progress: Callable[[ImportProgress], None],
) -> Imported:
    """Reads the next batch in a thread while the last one is being stored."""
    path = plan.spec.source.path
    first = ""
    chosen = rows if plan.sample is None or not total else spread(rows, total, plan.sample)
    reading = batches(chosen, BATCH_ROWS)
    with RejectsFile(plan.rejects_path) as rejects:
        ahead = asyncio.create_task(asyncio.to_thread(_next, reading))
        try:
            while (batch := await ahead) is not None:
                if importer.rows == 0 and batch.rows:
                    await asyncio.to_thread(check_columns, plan.spec, rows.source, batch.rows)
                ahead = asyncio.create_task(asyncio.to_thread(_next, reading))
                doubles = [_duplicate(batch, entry) for entry in await importer.add(batch.rows)]
                bad = sorted([*batch.rejects, *doubles], key=lambda reject: reject.line or 0)
                if bad and plan.strict:
                    raise InputError(path, bad[0].reason, line=bad[0].line, remedy="Without --strict the rest runs.")
                if bad:
                    first = first or str(InputError(path, bad[0].reason, line=bad[0].line))
                    await asyncio.to_thread(rejects.write, bad)
                progress(ImportProgress(importer.rows, rejects.count, rows.progress))
        finally:
            if not ahead.done():
                await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()
        if importer.rows == 0:
            if not first:
                raise InputError(path, "the input is empty", remedy="Give a file with a row in it.")
            raise InputError(path, f"no usable row; the first bad one: {first}", remedy=_NO_ROW)
        written = rejects.path if rejects.count else None
        return Imported(job_id, importer.rows, rejects.count, written, first)


_NO_ROW = (
    "Mend the file. It must be UTF-8 (in Excel: CSV UTF-8; else: iconv -f windows-1252 -t utf-8 OLD > NEW); "
    "--format says how to read it."
)


def check_columns(spec: JobSpec, source: InputSource, rows: Sequence[NewRow]) -> None:
    """Raises InputError when a template, a check or the source names a column that none of the first rows has.

    A slip of the pen must not make a million dead items. A row that can be rendered all the same is fine.
    """
    _check_named(source, rows)
    _check_references(spec, source, rows)
    try:
        compile_prompt(replace(spec, source=source)).render(rows[0].data)
        if (judge := judge_of(spec.checks)) is not None:
            compile_text("rubric", judge.argument["rubric"])(orjson.loads(rows[0].data))
    except MissingColumn as error:
        if any(error.column in orjson.loads(row.data) for row in rows):
            return
        raise InputError(
            source.path,
            f"no row has the column `{error.column}` that the job's template uses{error.about}",
            remedy="Name columns of the file in the prompt, such as: --prompt 'Classify: {{ text }}'",
        ) from None
    except RowError:
        return


def _check_named(source: InputSource, rows: Sequence[NewRow]) -> None:
    """A column that was named for ids or priorities; the usual ones need not be there."""
    usual = InputSource("", "")
    for column, unsaid, what in (
        (source.custom_id_column, usual.custom_id_column, "custom_id"),
        (source.priority_column, usual.priority_column, "priority"),
    ):
        if column in ("", unsaid) or any(column in orjson.loads(row.data) for row in rows):
            continue
        there_are = listed_columns(orjson.loads(rows[0].data))
        raise InputError(
            source.path,
            f"no row has the column `{column}` that is named for the {what}; it has: {there_are}",
            remedy=f"Name a column of the file, or leave --{what.replace('_', '-')}-column out.",
        )


def _check_references(spec: JobSpec, source: InputSource, rows: Sequence[NewRow]) -> None:
    missing = columns_of(spec.checks)
    for row in rows:
        if not missing:
            return
        missing -= orjson.loads(row.data).keys()
    if missing:
        raise InputError(
            source.path,
            f"no row has the column `{min(missing)}` that a check compares answers with",
            remedy="Name a column that holds the right answer.",
        )


def _next(reading: Iterator[Batch]) -> Batch | None:
    return next(reading, None)


def _duplicate(batch: Batch, entry: Duplicate) -> Reject:
    """A refused row as a reject that names both lines."""
    row = next((row for row in batch.rows if row.line == entry.line and row.custom_id == entry.custom_id), None)
    where = f" (first on line {entry.first_line})" if entry.first_line is not None else ""
    return Reject(entry.line, f"custom_id {entry.custom_id!r} is taken already{where}", _text(row))


def _text(row: NewRow | None) -> str:
    return row.data.decode("utf-8", "replace") if row is not None else ""
