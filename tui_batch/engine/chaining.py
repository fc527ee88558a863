"""The results of one job as the input of the next, streamed from the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import orjson

from tui_batch.domain.columns import own_columns
from tui_batch.domain.item import ItemState
from tui_batch.domain.job import InputSource, Job, Mode, model_names
from tui_batch.domain.request import Json
from tui_batch.domain.stored import ExportRow
from tui_batch.errors import UserError
from tui_batch.inputs.reading import Rows, open_input
from tui_batch.inputs.rows import Read, RowFactory
from tui_batch.quality.answers import parsed_answer
from tui_batch.store.connection import connect_reader
from tui_batch.store.items import export_page
from tui_batch.store.store import Store

FORMAT = "job"
"""InputSource.format of such an input."""
PREFIX = "job:"
"""In front of the job's number in InputSource.path."""
ADDED = ("response", "response_fields", "model", "score", "custom_id")
"""Columns added to a row's own ones. Public: templates name them; docs/reports.md lists them."""
PAGE = 500


def chained_source(job_id: int) -> InputSource:
    """The answers of a job as an input. The model that gave one is no wish for the next: it is a plain column."""
    return InputSource(f"{PREFIX}{job_id}", FORMAT, model_column="")


def chained_job(path: str) -> int | None:
    """The number of the job that a path such as `job:3` names; None: it is a file's."""
    number = path.strip().removeprefix(PREFIX)
    is_job = path.strip().startswith(PREFIX) and number.isascii() and number.isdigit() and len(number) < 19
    return int(number) if is_job else None


async def open_source(store: Store, source: InputSource) -> Rows | ChainedRows:
    """Opens a file, or the results of a job of the same database. Raises UserError when there is nothing to read."""
    if source.format != FORMAT:
        return await asyncio.to_thread(open_input, source)
    job = await store.jobs.get(int(source.path.removeprefix(PREFIX)))
    if not job.counters.done:
        raise UserError(
            f"job {job.id} has no answers to go on with: {job.state}",
            remedy=f"Run it first: llmbatch-tui resume {job.id}"
            if job.counters.pending
            else f"See why: llmbatch-tui errors {job.id}",
        )
    return await asyncio.to_thread(ChainedRows, store, source, job)


class ChainedRows:
    """The answered rows of a job, to be iterated once, in a worker thread. Items without an answer are left out.

    A row has its own columns and ADDED: `response` is the answer's text, `response_fields` its fields when it is a
    JSON object, else null. In mode each, every model's answer is a row, and its name is added to the custom_id.
    """

    def __init__(self, store: Store, source: InputSource, job: Job) -> None:
        self.source = source
        """As asked for."""
        self._job = job
        self._names = model_names(job.spec.models)
        self._factory = RowFactory(replace(source, priority_column=job.spec.source.priority_column))
        self._connection = connect_reader(store.path)
        self._seen = 0

    def __iter__(self) -> Iterator[Read]:
        after = (-1, -1)
        while page := export_page(self._connection, self._job.id, after, PAGE):
            for item in page:
                self._seen += 1
                if item.state is ItemState.DONE:
                    yield self._factory.make(item.seq + 1 if item.line is None else item.line, self._columns(item))
            after = (page[-1].seq, page[-1].variant)

    @property
    def progress(self) -> float | None:
        """Part of the job's items looked at so far, from 0 to 1."""
        return min(1.0, self._seen / max(1, self._job.counters.total))

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _columns(self, item: ExportRow) -> dict[str, Json]:
        custom_id = item.custom_id
        if custom_id is not None and self._job.spec.mode is Mode.EACH:
            custom_id = f"{custom_id}:{self._names[item.variant]}"
        columns = own_columns(orjson.loads(item.data), item.custom_id, ADDED)
        columns["response"] = item.text
        columns["response_fields"] = parsed_answer(item.text)
        columns["model"] = item.model
        columns["score"] = item.score
        columns["custom_id"] = custom_id
        return columns
