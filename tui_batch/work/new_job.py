"""What the New job screen does with a draft: look at its file, render a row, foretell, try, make. Draws nothing."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import orjson

from tui_batch.domain.endpoint import Endpoint, Operation
from tui_batch.domain.item import ItemState
from tui_batch.domain.job import DEFAULT_PROMPT, InputSource, Job, JobSpec, Mode
from tui_batch.domain.stored import ItemDetail
from tui_batch.engine.chaining import FORMAT, ChainedRows, chained_source, open_source
from tui_batch.engine.compose import Composed, compose, draft_of
from tui_batch.engine.importing import Imported, ImportPlan, ImportProgress, create_job
from tui_batch.engine.router import variants
from tui_batch.errors import UserError
from tui_batch.inputs.draft import JobDraft, ModelChoice
from tui_batch.inputs.importing import rejects_path
from tui_batch.inputs.reading import Preview, Rows, preview, preview_of
from tui_batch.inputs.templates import MissingColumn, Renderer, RowError, compile_prompt
from tui_batch.money.tokens import OVERHEAD, estimate
from tui_batch.providers.base import Transport
from tui_batch.settings import Settings
from tui_batch.store.store import Store
from tui_batch.work.estimating import Drawn, Estimate, draw, draw_from, known_about, measured
from tui_batch.work.making import checked
from tui_batch.work.preflight import check_reachable
from tui_batch.work.reach import Listing, list_everything, listing
from tui_batch.work.simulated import with_simulator
from tui_batch.work.simulator import NAME, simulator_endpoint

T = TypeVar("T")

TRY_ROWS = 10


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as it would be asked about."""

    system: str
    prompt: str
    tokens: int
    """By estimate, both texts and the chat's own framing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a trial run, beside what was asked."""

    line: int | None
    state: ItemState
    model: str
    prompt: str
    text: str
    """The answer, or the error's words."""
    latency_s: float | None
    tokens: int | None
    """In and out, as the server counted."""
    is_cached: bool
    checked: str = ""
    """What the job's checks say of it: ✓ or ✗ with the reasons, and the score; empty: it has none, or no answer yet."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that can be chosen."""

    choice: ModelChoice
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Offers:
    """The models there are, and the endpoints that gave none."""

    models: tuple[Offer, ...]
    troubles: tuple[str, ...] = ()
    """Endpoint and reason, one line each."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What jobs are made with."""

    store: Store
    settings: Settings
    transport: Transport
    db: Path
    clock: Callable[[], float] = time.time
    endpoints: tuple[Endpoint, ...] = ()
    """Known besides the settings' own: those of the job that is being copied. They win."""

    @property
    def known(self) -> Settings:
        """Settings that also know the simulator and the copied job's endpoints."""
        others = with_simulator(self.settings)
        names = {endpoint.name for endpoint in self.endpoints}
        kept = (endpoint for endpoint in others.endpoints if endpoint.name not in names)
        return replace(others, endpoints=(*self.endpoints, *kept))


def chained_draft(job: Job) -> JobDraft:
    """A job over the answers of another, asked of the same models with the same bounds; the task itself is new."""
    before = draft_of(job)
    return JobDraft(
        chained_source(job.id),
        f"from job {job.id}",
        endpoint=before.endpoint,
        models=before.models if before.mode is Mode.SINGLE else before.models[:1],
        prompt="{{ response }}",
        concurrency=before.concurrency,
        rpm=before.rpm,
        tpm=before.tpm,
    )


def as_spec(draft: JobDraft, source: InputSource) -> JobSpec:
    """What a template needs to know of a job whose models are not decided yet."""
    return JobSpec(
        name=draft.name,
        source=source,
        models=(),
        endpoints=(),
        operation=draft.operation or Operation.CHAT,
        prompt=draft.prompt or DEFAULT_PROMPT,
        system=draft.system or "",
        params=draft.params,
        schema=draft.schema,
    )


def show_row(draft: JobDraft, source: InputSource, row: Mapping[str, Any]) -> Shown:
    """A row rendered. Raises UserError for the template and RowError for the row. May take long: for a thread."""
    return _shown(compile_prompt(as_spec(draft, source)), orjson.dumps(row))


def lacking(error: MissingColumn, rows: Drawn) -> str:
    """In words, that no row has a column which a template uses; empty when one has. May take long: for a thread."""
    if any(error.column in orjson.loads(row.data) for row in rows.rows):
        return ""
    return f"no row has a column `{error.column}`{error.about}"


def _shown(renderer: Renderer, data: bytes) -> Shown:
    messages = renderer.render(data).request.messages
    system = "\n".join(_words(message.content) for message in messages if message.role == "system")
    prompt = "\n".join(_words(message.content) for message in messages if message.role != "system")
    return Shown(system, prompt, estimate(system) + estimate(prompt) + OVERHEAD)


def _words(content: Any) -> str:
    return content if isinstance(content, str) else orjson.dumps(content).decode()


async def first_rows(store: Store, source: InputSource, n: int) -> Preview:
    """How an input begins: a file, or the answers of a job. Raises UserError when there is nothing to show."""
    if source.format != FORMAT:
        return await asyncio.to_thread(preview, source, n)
    opened = await open_source(store, source)
    return await _read_whole(opened, partial(preview_of, opened, FORMAT, n))


def asked_column(seen: Preview) -> str | None:
    """The column that a prompt is most likely about: the one with the longest texts that is no answer by its name.

    None where no prompt is needed, as the rows hold one, and where no column holds text.
    """
    if "prompt" in seen.columns or "messages" in seen.columns:
        return None
    lengths = {
        column: sum(len(value) for row in seen.rows if isinstance(value := row.get(column), str))
        for column in seen.columns
    }
    texts = [column for column, length in lengths.items() if length]
    asked = [column for column in texts if column.strip().lower() not in _GIVEN] or texts
    return max(asked, key=lambda column: lengths[column], default=None)


_GIVEN = frozenset({
    "answer", "answers", "completion", "expected", "gold", "ground_truth", "label", "labels", "output", "outputs",
    "reference", "response", "result", "solution", "summary", "target", "targets", "translation",
})  # fmt: skip
"""Names of columns that data sets keep the wanted answer in."""


async def drawn(store: Store, draft: JobDraft, source: InputSource) -> Drawn:
    """The rows that stand for the whole input, and how many there are; about a second for a long one.

    Raises UserError when the input cannot be read or has no usable row.
    """
    spec, rng = as_spec(draft, source), random.Random(0)
    if source.format != FORMAT:
        return await asyncio.to_thread(draw, spec, rng)
    opened = await open_source(store, source)
    return await _read_whole(opened, partial(draw_from, opened, spec, rng))


async def _read_whole(opened: Rows | ChainedRows, read: Callable[[], T]) -> T:
    """Reads in a thread, which also closes what it reads from: when this is given up the thread still reads on."""

    def whole() -> T:
        try:
            return read()
        finally:
            opened.close()

    return await asyncio.to_thread(whole)


async def expect(workshop: Workshop, draft: JobDraft, rows: Drawn) -> Estimate:
    """What a draft will take, by rows that were drawn before. Raises UserError. No model is asked anything."""
    made = await compose(draft, workshop.known, workshop.transport)
    known = await known_about(made.spec, workshop.store, workshop.settings.prices, workshop.settings.windows)
    spec = replace(made.spec, source=rows.spec.source)
    return await asyncio.to_thread(measured, replace(rows, spec=spec), made.knobs, known)


Listings = Callable[[], Awaitable[list[Listing]]]
"""Asks endpoints for their models."""


async def find_offers(workshop: Workshop, elsewhere: Listings) -> Offers:
    """What the endpoints really serve, the simulator last. Servers that do not answer are named with the reason."""
    simulator = workshop.known.endpoint(NAME) or simulator_endpoint()
    found, own = await asyncio.gather(elsewhere(), listing(simulator, workshop.transport))
    return offers_of([*(one for one in found if one.endpoint.name != NAME), own])


async def everywhere(settings_file: Path | None) -> list[Listing]:
    """All endpoints that have a key or run on this machine; none when the settings cannot be read."""
    try:
        return await list_everything(settings_file, None, None)
    except UserError:  # bad settings are told when the app starts; here the simulator is still of use
        return []


async def nowhere() -> list[Listing]:
    """No endpoint: where only the simulator may be asked."""
    return []


def offers_of(listings: list[Listing]) -> Offers:
    """Models of all listings, in their order."""
    models = [Offer(ModelChoice(info.id, (one.endpoint.name,)), info.detail) for one in listings for info in one.models]
    troubles = [
        _named(one.endpoint.name, one.trouble.splitlines()[0] if one.trouble else "lists no model")
        for one in listings
        if not one.models
    ]
    return Offers(tuple(models), tuple(troubles))


def _named(endpoint: str, trouble: str) -> str:
    """A trouble with the endpoint's name before it, once."""
    return trouble if trouble.startswith(f"{endpoint} ") else f"{endpoint}: {trouble}"


async def composed(workshop: Workshop, draft: JobDraft) -> Composed:
    """The draft as a job that can be made: endpoints known and there, template good. Raises UserError."""
    made = await checked(draft, workshop.known, workshop.transport)
    absent = await check_reachable(made.spec.endpoints)
    return replace(made, notes=(*made.notes, *absent))


async def make(
    workshop: Workshop,
    made: Composed,
    *,
    sample: int | None = None,
    progress: Callable[[ImportProgress], None] = lambda _: None,
) -> Imported:
    """Makes the job and reads its rows in. Raises UserError; then, and when cancelled, no job is left behind."""
    name = made.spec.name if sample is None else f"{made.spec.name} ({sample} rows to try)"
    beside = workshop.db.parent / Path(made.spec.source.path).name.replace(":", "-")
    plan = ImportPlan(
        spec=replace(made.spec, name=name), knobs=made.knobs, rejects_path=rejects_path(beside), sample=sample
    )
    return await create_job(workshop.store, plan, now=workshop.clock(), progress=progress)


async def answers(store: Store, job_id: int) -> tuple[Answer, ...]:
    """The rows of a small job as they stand, in input order, each with its prompt."""
    job = await store.jobs.get(job_id)
    renderer = await asyncio.to_thread(compile_prompt, job.spec)
    rows = await store.items.page(job_id, limit=TRY_ROWS * variants(job.spec))
    found: list[Answer] = []
    for row in rows:
        detail = await store.items.detail(row.id)
        one = detail.row
        found.append(
            Answer(
                line=one.line,
                state=one.state,
                model=one.model or "",
                prompt=await asyncio.to_thread(_prompt, renderer, detail.data),
                text=detail.message or detail.text or "",
                latency_s=None if one.latency_ms is None or one.cached else one.latency_ms / 1000,
                tokens=None if one.tokens_in is None else one.tokens_in + (one.tokens_out or 0),
                is_cached=one.cached,
                checked=_checked(job.spec, detail),
            )
        )
    return tuple(found)


def _checked(spec: JobSpec, detail: ItemDetail) -> str:
    if not (spec.checks or spec.schema) or not (detail.row.state is ItemState.DONE or detail.failing):
        return ""
    said = f"✗ {'; '.join(map(str, detail.failing))}" if detail.failing else "✓ checks"
    return said if detail.row.score is None else f"{said}  score {detail.row.score:.2f}"


def _prompt(renderer: Renderer, data: bytes) -> str:
    try:
        return _shown(renderer, data).prompt
    except RowError as error:
        return error.reason
