"""Writing a job's results: streamed from the store, whole or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum

import orjson

from tui_batch.domain.columns import own_columns
from tui_batch.domain.endpoint import Operation
from tui_batch.domain.item import ItemState
from tui_batch.domain.item_scope import EVERYTHING, ItemScope
from tui_batch.domain.job import Job
from tui_batch.domain.request import Json
from tui_batch.domain.stored import ExportRow
from tui_batch.errors import UserError
from tui_batch.inputs.readers.registry import InputFormat
from tui_batch.inputs.request_rows import body_operation
from tui_batch.report.batch_lines import batch_line
from tui_batch.report.files import in_thread, opened
from tui_batch.report.flatten import ANSWER, PARTS, WIDEST, flattened
from tui_batch.report.formats import FORMATS, ResultFormat
from tui_batch.report.results import RESULT_FIELDS, result_line
from tui_batch.report.targets import Target
from tui_batch.report.writers import ResultWriter
from tui_batch.store.item_view import ItemQuery
from tui_batch.store.store import Store

BATCH = 1_000
"""Rows in memory at a time."""
MOST_COLUMNS = 10_000
"""Columns of the rows' own that a table may have."""


class Shape(Enum):
    """What becomes of nested answers."""

    NESTED = "nested"
    """Left as they are."""
    FLAT = "flat"
    """The fields of JSON answers are columns of their own."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    rows: int
    pending: int
    """Rows among them that have no outcome yet."""


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """How far an export is."""

    rows: int
    """Written so far."""
    part: float
    """Of the whole work, from 0 to 1."""


async def export_results(
    store: Store,
    job: Job,
    target: Target,
    *,
    scope: ItemScope = EVERYTHING,
    shape: Shape = Shape.NESTED,
    progress: Callable[[ExportProgress], None] = lambda _: None,
) -> Exported:
    """Writes one line per item of the scope, in input order; those without an outcome too, but for Batch output.

    A file appears under its name only when it is whole, and an earlier one stays until then; cancelling leaves nothing.
    Raises UserError when it cannot be written; BrokenPipeError when the reader of standard output went away.
    """
    work = _Work(store, job, scope, _Lines(job, target.format, shape))
    meter = _Meter(job, 2 if FORMATS[target.format].is_table else 1, progress)
    rows = pending = 0
    columns = await _columns(work, meter) if FORMATS[target.format].is_table else ()
    async with writing(target, columns) as writer:
        async for batch in work.batches():
            rows += await in_thread(_write, writer, work.lines, batch)
            pending += sum(row.state is ItemState.PENDING for row in batch)
            meter.tell(rows, batch[-1])
    return Exported(rows, pending)


@asynccontextmanager
async def writing(target: Target, columns: Sequence[str]) -> AsyncIterator[ResultWriter]:
    """A writer of a file that appears whole at the end of the block, or not at all."""
    async with opened(target.path, packed=target.gzip) as stream:
        writer = await in_thread(FORMATS[target.format].make, stream, columns)
        try:
            yield writer
            await in_thread(writer.finish)
        except BaseException:
            await in_thread(writer.abandon)
            raise


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be written, and how."""

    store: Store
    job: Job
    scope: ItemScope
    lines: _Lines

    async def batches(self) -> AsyncIterator[list[ExportRow]]:
        """The items of the scope in input order, a batch at a time."""
        if not self.scope.filter:
            async for batch in self.store.items.export(self.job.id, self.scope.ids, batch=BATCH):
                yield batch
            return
        async for piece in self.store.search.find(ItemQuery(self.job.id, self.scope.filter)):
            ids = piece.ids if self.scope.ids is None else self.scope.ids.intersection(piece.ids)
            async for batch in self.store.items.export(self.job.id, ids, batch=BATCH):
                yield batch


class _Meter:
    """Turns the place of a row in the input into a part of the work."""

    def __init__(self, job: Job, passes: int, progress: Callable[[ExportProgress], None]) -> None:
        self._total = max(1, job.counters.total)
        self._passes = passes
        self._progress = progress
        self.before = 0

    def tell(self, rows: int, last: ExportRow) -> None:
        """Reports that the pass got to this row. In mode each a row is several items: then `part` is a little low."""
        here = min(1.0, (last.seq + 1) / self._total)
        self._progress(ExportProgress(rows, (self.before + here) / self._passes))


@dataclass(frozen=True, slots=True)
class _Lines:
    """From stored items to lines of a file."""

    job: Job
    format: ResultFormat
    shape: Shape

    def of(self, batch: Iterable[ExportRow]) -> Iterator[dict[str, Json]]:
        """The lines of some items; an item that the format has no line for is left out."""
        for row in batch:
            operation = operation_of(self.job, row)
            if self.format is ResultFormat.BATCH:
                if (line := batch_line(row, operation)) is not None:
                    yield line
            elif self.shape is Shape.FLAT:
                yield flattened(result_line(row, operation))
            else:
                yield result_line(row, operation)

    def names(self, batch: Iterable[ExportRow]) -> dict[str, None]:
        """The columns of some items, but for those that every line has."""
        if self.shape is Shape.FLAT:
            return {name: None for line in self.of(batch) for name in line if name not in RESULT_FIELDS}
        return {
            name: None for row in batch for name in own_columns(orjson.loads(row.data), row.custom_id, RESULT_FIELDS)
        }


def _write(writer: ResultWriter, lines: _Lines, batch: list[ExportRow]) -> int:
    made = list(lines.of(batch))
    writer.write(made)
    return len(made)


def operation_of(job: Job, row: ExportRow) -> Operation:
    """What was asked: of ready requests each says it itself, and a Batch file may hold both kinds."""
    if job.spec.source.format not in (InputFormat.BATCH, InputFormat.BODIES):
        return job.spec.operation
    line = orjson.loads(row.data)
    body = line.get("body") if job.spec.source.format == InputFormat.BATCH else line
    return (body_operation(body) if isinstance(body, dict) else None) or job.spec.operation


async def _columns(work: _Work, meter: _Meter) -> tuple[str, ...]:
    """All column names, own ones in order of first appearance: a table needs them before its first line."""
    found: dict[str, None] = {}
    async for batch in work.batches():
        add_columns(found, await in_thread(work.lines.names, batch))
        meter.tell(0, batch[-1])
    meter.before += 1
    return table_columns(found)


def add_columns(found: dict[str, None], more: Iterable[str]) -> None:
    """Adds columns in order of appearance, but no more fields of answers than a table gets.

    Raises UserError when the rows themselves have more than a table can hold.
    """
    answers = sum(name.startswith(ANSWER) for name in found)
    for name in more:
        is_answer = name.startswith(ANSWER)
        if name in found or (is_answer and answers >= WIDEST):
            continue
        found[name] = None
        answers += is_answer
    if len(found) - answers > MOST_COLUMNS:
        raise UserError(
            f"the rows have more than {MOST_COLUMNS:,} different columns, which no table can hold",
            remedy="Write them as JSON Lines: -o results.jsonl",
        )


def table_columns(found: Iterable[str]) -> tuple[str, ...]:
    """The columns of a table in order: the row's own, then the results with the fields of answers after `response`."""
    nested = tuple(f"{part}." for part in PARTS)
    names = list(found)
    own = [name for name in names if not name.startswith(nested)]
    answers = [name for name in names if name.startswith(ANSWER)][:WIDEST]
    usage = [name for name in names if name.startswith("usage.")]
    results = [name for name in RESULT_FIELDS if not (usage and name == "usage")]
    after = results.index("response") + 1
    place = results.index("error") + 1
    return (*own, *results[:after], *answers, *results[after:place], *usage, *results[place:])
