"""Writing a job's results: streamed from the store, whole or not at all."""

from __future__ import annotations

import asyncio
import gzip
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from tui_batch.domain.endpoint import Operation
from tui_batch.domain.item import ItemState
from tui_batch.domain.job import Job
from tui_batch.domain.stored import ExportRow
from tui_batch.errors import UserError
from tui_batch.inputs.readers.registry import InputFormat
from tui_batch.inputs.request_rows import body_operation
from tui_batch.report.results import RESULT_FIELDS, own_columns, result_line
from tui_batch.report.targets import Target, is_replaceable
from tui_batch.report.writers import ResultWriter, make_writer, needs_columns
from tui_batch.store.store import Store

BATCH = 1_000
"""Rows in memory at a time."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    rows: int
    pending: int
    """Rows among them that have no outcome yet."""


async def export_results(
    store: Store,
    job: Job,
    target: Target,
    *,
    states: Collection[ItemState] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Writes one line per item, in input order. `states` None: all items, those without an outcome too.

    A file appears under its name only when it is whole, and an earlier one stays until then. Raises UserError when it
    cannot be written; BrokenPipeError when the reader of standard output went away.
    """
    columns = await _columns(store, job, states) if needs_columns(target.format) else ()
    rows = pending = 0
    with _opened(target) as stream:
        writer = await asyncio.to_thread(make_writer, target.format, stream, columns)
        async for batch in store.items.export(job.id, states=states, batch=BATCH):
            await asyncio.to_thread(_write, writer, job, batch)
            rows += len(batch)
            pending += sum(row.state is ItemState.PENDING for row in batch)
            progress(rows)
        await asyncio.to_thread(writer.finish)
    return Exported(rows, pending)


def _write(writer: ResultWriter, job: Job, batch: list[ExportRow]) -> None:
    writer.write(result_line(row, _operation(job, row)) for row in batch)


def _operation(job: Job, row: ExportRow) -> Operation:
    """What was asked: of ready requests each says it itself, and a Batch file may hold both kinds."""
    if job.spec.source.format not in (InputFormat.BATCH, InputFormat.BODIES):
        return job.spec.operation
    line = orjson.loads(row.data)
    body = line.get("body") if job.spec.source.format == InputFormat.BATCH else line
    return (body_operation(body) if isinstance(body, dict) else None) or job.spec.operation


async def _columns(store: Store, job: Job, states: Collection[ItemState] | None) -> tuple[str, ...]:
    """All column names, own ones in order of first appearance: a table needs them before its first line."""
    found: dict[str, None] = {}
    pages: AsyncIterator[list[ExportRow]] = store.items.export(job.id, states=states, batch=BATCH)
    async for batch in pages:
        found.update(await asyncio.to_thread(_own_names, batch))
    return (*found, *RESULT_FIELDS)


def _own_names(batch: list[ExportRow]) -> dict[str, None]:
    return {name: None for row in batch for name in own_columns(orjson.loads(row.data), row.custom_id)}


@contextmanager
def _opened(target: Target) -> Iterator[BinaryIO]:
    """A stream to write to; on success the file takes its name, on any failure nothing is left behind."""
    if target.path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        path = target.path.resolve()
        with _in_place(path) if not is_replaceable(path) else _beside(path) as raw:
            if target.gzip:
                with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                    yield cast(BinaryIO, packed)
            else:
                yield raw
    except OSError as error:
        raise UserError(f"{target.path}: the results cannot be written: {error.strerror or error}") from error


@contextmanager
def _in_place(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as raw:
        yield raw


@contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    """A temporary file in the same directory that is renamed once it is safely on the disk."""
    part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as raw:
            yield raw
            raw.flush()
            os.fsync(raw.fileno())
        if path.exists():
            shutil.copymode(path, part)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
