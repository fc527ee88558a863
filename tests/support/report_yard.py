"""Jobs that have ended in a given way, for tests of what is told about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from tui_batch.domain.endpoint import Api, DeploymentKey, Endpoint
from tui_batch.domain.item import Attempt, ItemFlag, ItemRecord, ItemState, NewRow
from tui_batch.domain.job import InputSource, Job, JobSpec, JobState, Knobs, Mode, ModelRef
from tui_batch.domain.outcome import Outcome, OutcomeClass, Usage
from tui_batch.domain.quality import FailedCheck
from tui_batch.store.store import Store

START = 1_000.0


@dataclass(frozen=True)
class Ended:
    """How one item ended."""

    text: str | None = "yes"
    cls: OutcomeClass = OutcomeClass.OK
    message: str = ""
    cost_nano: int | None = 1_000
    latency_s: float = 0.5
    score: float | None = None
    cached: bool = False
    flags: ItemFlag = ItemFlag.NONE
    tokens: tuple[int | None, int | None] = (10, 5)
    failing: tuple[FailedCheck, ...] = ()

    @property
    def state(self) -> ItemState:
        return ItemState.DONE if self.cls is OutcomeClass.OK else ItemState.DEAD


@dataclass(frozen=True)
class Plan:
    """A job to be made."""

    rows: Sequence[Mapping[str, Any]]
    ends: Sequence[Sequence[Ended | None]]
    """For every row, how each model's item ended; None: it is still pending."""
    models: tuple[str, ...] = ("tiny",)
    mode: Mode = Mode.SINGLE
    name: str = "job"
    lines: Sequence[int] | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    served_by: tuple[str, ...] = ()
    """The endpoint of each model; empty: all are served by `local`."""

    def endpoint(self, variant: int) -> str:
        return self.served_by[variant] if self.served_by else "local"


def rows(texts: Iterable[str]) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]


async def ended(store: Store, plan: Plan) -> Job:
    """Makes the job, with a second between two outcomes."""
    spec = JobSpec(
        plan.name,
        InputSource("in.jsonl", "jsonl"),
        tuple(ModelRef(model, (plan.endpoint(number),)) for number, model in enumerate(plan.models)),
        tuple(Endpoint(name, Api.OPENAI, "http://127.0.0.1:1/v1") for name in plan.served_by or ("local",)),
        mode=plan.mode,
        **plan.spec,
    )
    variants = len(plan.models) if plan.mode is Mode.EACH else 1
    job_id = await store.jobs.create(spec, Knobs(tags={"team": "a"}), now=START)
    async with store.importing(job_id, variants=variants) as importer:
        await importer.add(
            [
                NewRow(plan.lines[n] if plan.lines else n + 1, row.get("custom_id"), 0, orjson.dumps(row))
                for n, row in enumerate(plan.rows)
            ]
        )
    await store.jobs.set_state(job_id, JobState.RUNNING, now=START)
    for item in await store.items.pending_page(job_id, limit=100_000):
        end = plan.ends[item.seq][item.variant]
        if end is not None:
            key = DeploymentKey(plan.endpoint(item.variant), plan.models[item.variant])
            store.writer.record(record(job_id, item.id, key, end, START + item.seq))
    await store.writer.drain()
    if all(end is not None for row in plan.ends for end in row):
        await store.jobs.set_state(job_id, JobState.COMPLETED, now=START + len(plan.rows))
    return await store.jobs.get(job_id)


def record(job_id: int, item_id: int, deployment: DeploymentKey, end: Ended, at: float) -> ItemRecord:
    """The outcome of one item, at a Unix time."""
    outcome = Outcome(
        end.cls,
        text=end.text,
        usage=Usage(*end.tokens),
        finish_reason="stop",
        request_id=f"req-{item_id}",
        status=200 if end.cls is OutcomeClass.OK else 400,
        message=end.message,
        started_at=at,
        latency_s=end.latency_s,
    )
    attempt = None
    if end.cls is not OutcomeClass.OK:
        attempt = Attempt(item_id, 1, at, deployment, end.cls, 400, end.message, end.latency_s)
    return ItemRecord(
        job_id,
        item_id,
        end.state,
        attempts=0 if end.cached else 1,
        malformed=0,
        available_at=0.0,
        outcome=outcome,
        deployment=None if end.cached else deployment,
        cost_nano=0 if end.cached else end.cost_nano,
        at=at + end.latency_s,
        cached=end.cached,
        flags=end.flags,
        attempt=attempt,
        saved_nano=end.cost_nano if end.cached else None,
        score=end.score,
        failing=end.failing,
    )
