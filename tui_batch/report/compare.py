"""Comparing the models of a job in mode each, or two jobs over the same file: reads the rows side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from tui_batch.domain.columns import own_columns
from tui_batch.domain.job import Job, Mode, model_names
from tui_batch.domain.request import Json
from tui_batch.domain.stored import ExportRow
from tui_batch.errors import UserError
from tui_batch.figures import usd
from tui_batch.report.comparing import EXAMPLES, Comparer, Comparison, Contender, alike
from tui_batch.report.export import add_columns, writing
from tui_batch.report.files import in_thread
from tui_batch.report.formats import FORMATS
from tui_batch.report.results import cost_nano
from tui_batch.report.targets import Target
from tui_batch.store.store import Store

BATCH = 1_000
"""Rows of each job in memory at a time."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One input row of one job, with what each of its models made of it."""

    key: int
    """Line in the file: two jobs over the same file share it, even where one has only a sample."""
    items: tuple[ExportRow, ...]


@dataclass(frozen=True, slots=True)
class _Side:
    """One row of every contender, or the row that not all of them have."""

    items: tuple[ExportRow, ...]
    complete: bool


def contenders_of(jobs: Sequence[Job]) -> tuple[Contender, ...]:
    """Who is compared. Raises UserError when there are not at least two."""
    if len({job.id for job in jobs}) < len(jobs):
        raise UserError(f"job {jobs[0].id} is named twice", remedy="Name another job over the same file.")
    plain = [(job.id, variant, *names) for job in jobs for variant, names in enumerate(_names(job))]
    if len(plain) < 2:
        raise UserError(
            f"job {jobs[0].id} asks one model only",
            remedy="Name a second job over the same file, or run one in mode each: --mode each -m ONE -m OTHER",
        )
    alike = Counter(name for *_, name in plain)
    return tuple(
        Contender(job_id, variant, model, name if alike[name] == 1 else f"{name} (job {job_id})")
        for job_id, variant, model, name in plain
    )


def _names(job: Job) -> list[tuple[str, str]]:
    """The models of a job that answer every row, each with what it is called beside the others."""
    models = [ref.model for ref in job.spec.models]
    if job.spec.mode is Mode.EACH:
        return list(zip(models, model_names(job.spec.models), strict=True))
    return [(" + ".join(models), " + ".join(models))]


async def compare_jobs(
    store: Store,
    jobs: Sequence[Job],
    target: Target | None = None,
    progress: Callable[[float], None] = lambda _: None,
    *,
    examples: int = EXAMPLES,
) -> Comparison:
    """Compares the models of one job in mode each, or of two jobs; `target` gets a line a row with all answers.

    `examples`: rows kept that were answered differently. Rows belong together when they stand on the same line of the
    file and have the same contents. Memory does not grow with the rows. Raises UserError when the jobs have no row in
    common or the file cannot be written.
    """
    contenders = contenders_of(jobs)
    comparer = Comparer(contenders, examples)
    added = _added(contenders)
    names: dict[str, None] = {}
    passes = 1 if target is None else 2
    total = max(1, jobs[0].counters.total)
    async for sides in _sides(store, jobs):
        columns = await in_thread(_take, comparer, sides, added)
        if target is not None and FORMATS[target.format].is_table:
            add_columns(names, columns)
        progress(min(1.0, (sides[-1].items[0].seq + 1) / total) / passes)
    result = comparer.result()
    if not result.rows:
        raise UserError(
            f"jobs {' and '.join(str(job.id) for job in jobs)} have no row in common",
            remedy="Two jobs can be compared when they were made from the same file, or one from the other by clone.",
        )
    if target is not None:
        await _write(store, jobs, contenders, target, list(names))
    progress(1.0)
    return result


def _take(comparer: Comparer, sides: Sequence[_Side], added: Sequence[str]) -> dict[str, None]:
    """Takes rows in, and returns their own columns."""
    names: dict[str, None] = {}
    for side in sides:
        if side.complete:
            comparer.add(side.items)
            first = side.items[0]
            names.update(dict.fromkeys(own_columns(orjson.loads(first.data), None, added)))
        else:
            comparer.skip()
    return names


async def _sides(store: Store, jobs: Sequence[Job]) -> AsyncIterator[list[_Side]]:
    """The rows of the first job in order, each with those of the others, some at a time."""
    first, *others = (_rows(store, job) for job in jobs)
    if not others:
        async for batch in first:
            yield [_Side(row.items, len(row.items) == len(jobs[0].spec.models)) for row in batch]
        return
    follower = _Follower(others[0])
    async for batch in first:
        matches = await follower.rows(batch)
        yield [_matched(row, matches.get(row.key)) for row in batch]


def _matched(row: _Row, other: _Row | None) -> _Side:
    if other is None or other.items[0].data != row.items[0].data:
        return _Side(row.items, False)
    return _Side((*row.items, *other.items), True)


class _Follower:
    """Reads a second job in step with the first: both are in the order of the file."""

    def __init__(self, batches: AsyncIterator[list[_Row]]) -> None:
        self._batches = batches
        self._ahead: dict[int, _Row] = {}
        self._last = -1
        self._ended = False

    async def rows(self, batch: Sequence[_Row]) -> Mapping[int, _Row]:
        """The rows with the keys of a batch, by key. Keys rise from batch to batch."""
        # A sample's rows lie far apart: what is between them must not be held.
        wanted, high = {row.key for row in batch}, batch[-1].key
        self._ahead = {key: row for key, row in self._ahead.items() if key in wanted or key > high}
        while self._last < high and not self._ended:
            try:
                more = await anext(self._batches)
            except StopAsyncIteration:
                self._ended = True
            else:
                self._ahead.update((row.key, row) for row in more if row.key in wanted or row.key > high)
                self._last = more[-1].key
        return self._ahead


async def _rows(store: Store, job: Job) -> AsyncIterator[list[_Row]]:
    """A job's rows in the order of the file, the items of a row together."""
    held: list[ExportRow] = []
    async for batch in store.items.export(job.id, batch=BATCH):
        held += batch
        # The last row's other items may be in the next batch.
        whole = [item for item in held if item.seq != held[-1].seq]
        held = held[len(whole) :]
        if whole:
            yield _grouped(whole)
    if held:
        yield _grouped(held)


def _grouped(items: Iterable[ExportRow]) -> list[_Row]:
    found: dict[int, list[ExportRow]] = {}
    for item in items:
        found.setdefault(item.seq, []).append(item)
    return [_Row(_key(row[0]), tuple(row)) for row in found.values()]


def _key(item: ExportRow) -> int:
    return item.seq if item.line is None else item.line


async def _write(
    store: Store, jobs: Sequence[Job], contenders: Sequence[Contender], target: Target, own: Sequence[str]
) -> None:
    columns = (*own, *_added(contenders))
    async with writing(target, columns) as writer:
        async for sides in _sides(store, jobs):
            await in_thread(writer.write, await in_thread(_lines, contenders, sides))


def _lines(contenders: Sequence[Contender], sides: Sequence[_Side]) -> list[dict[str, Json]]:
    return [_line(contenders, side.items) for side in sides if side.complete]


def _added(contenders: Sequence[Contender]) -> tuple[str, ...]:
    """The columns beside the row's own."""
    return ("same", *(name for one in contenders for name in _columns(one)))


def _columns(contender: Contender) -> tuple[str, ...]:
    return tuple(
        f"{name}: {contender.label}" for name in ("response", "status", "score", "cost_usd", "latency_ms", "tokens_out")
    )


def _line(contenders: Sequence[Contender], items: Sequence[ExportRow]) -> dict[str, Json]:
    """The row's own columns, whether all answers are the same, and what each contender made of it."""
    line = own_columns(orjson.loads(items[0].data), None, _added(contenders))
    line["same"] = alike(items)
    for contender, item in zip(contenders, items, strict=True):
        values = (item.text, item.state.value, item.score, usd(cost_nano(item)), item.latency_ms, item.tokens_out)
        line.update(zip(_columns(contender), values, strict=True))
    return line
