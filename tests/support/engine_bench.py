"""Engine tests run on virtual time over a real SQLite file, with a scripted executor in place of the network."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from virtual_time import VirtualLoop

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.item import NewRow
from tui_batch.domain.job import InputSource, Job, JobSpec, Knobs, ModelRef, Owner
from tui_batch.domain.outcome import Outcome, OutcomeClass, Usage
from tui_batch.domain.request import WireRequest
from tui_batch.engine.control import Controller
from tui_batch.engine.engine import Engine
from tui_batch.engine.keeper import Keeper
from tui_batch.engine.router import variants
from tui_batch.engine.surroundings import Surroundings
from tui_batch.money.prices import UnitPrices
from tui_batch.providers.registry import provider_for
from tui_batch.store.store import Store, open_store

Script = Callable[[str, int], tuple[float, Outcome]]
"""(prompt, how many requests for it before) -> seconds it takes, and what comes of it."""


def ok(text: str = "fine", tokens_in: int = 10, tokens_out: int = 5) -> Outcome:
    """A usable answer."""
    return Outcome(OutcomeClass.OK, text=text, usage=Usage(tokens_in, tokens_out), finish_reason="stop", status=200)


def failed(cls: OutcomeClass, message: str = "no", status: int = 500, retry_after_s: float | None = None) -> Outcome:
    """An error of a class."""
    return Outcome(cls, status=status, message=message, retry_after_s=retry_after_s)


def echo(prompt: str, _: int) -> tuple[float, Outcome]:
    """Answers every prompt with itself, after a second."""
    return 1.0, ok(f"answer to {prompt}")


@dataclass
class ScriptedExecutor:
    """Does what a script says, on the loop's clock, and keeps a record."""

    script: Script = echo
    sent: list[tuple[float, str, str]] = field(default_factory=list)
    """(loop time, endpoint, prompt) of every request, in order."""
    in_flight: int = 0
    most_in_flight: int = 0

    async def execute(self, request: WireRequest) -> Outcome:
        loop = asyncio.get_running_loop()
        prompt = orjson.loads(request.body)["messages"][-1]["content"]
        before = sum(1 for _, _, other in self.sent if other == prompt)
        self.sent.append((loop.time(), request.deployment.endpoint, prompt))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            seconds, outcome = self.script(prompt, before)
            assert isinstance(loop, VirtualLoop)
            started, started_at = loop.time(), loop.wall()
            await asyncio.sleep(seconds)
            return replace(outcome, latency_s=loop.time() - started, started_at=started_at)
        finally:
            self.in_flight -= 1

    @property
    def prompts(self) -> list[str]:
        """The prompts sent, in order."""
        return [prompt for _, _, prompt in self.sent]


@dataclass
class Bench:
    """One engine over one database, with shortcuts."""

    store: Store
    engine: Engine
    controller: Controller
    executor: ScriptedExecutor

    async def add(self, prompts: list[str] | list[dict[str, Any]], knobs: Knobs = Knobs(), **spec: Any) -> int:
        """A job with these prompts (or rows); returns its id."""
        made = make_spec(**spec)
        job_id = await self.store.jobs.create(made, knobs, now=0.0)
        rows = [row if isinstance(row, dict) else {"prompt": row} for row in prompts]
        new = [
            NewRow(n + 1, row.get("custom_id"), row.get("priority", 0), orjson.dumps(row)) for n, row in enumerate(rows)
        ]
        async with self.store.importing(job_id, variants=variants(made)) as importer:
            for batch in itertools.batched(new, 1000) if hasattr(itertools, "batched") else [new]:
                await importer.add(list(batch))
        return job_id

    async def run(self, job_id: int) -> Job:
        """Starts a job and waits for its end."""
        return await (await self.controller.start(job_id))

    async def texts(self, job_id: int) -> list[str | None]:
        """All answers in row order."""
        return [row.text async for page in self.store.items.export(job_id) for row in page]


ENDPOINT = Endpoint("one", Api.OPENAI, "http://one.test/v1")


def make_spec(**changes: Any) -> JobSpec:
    """A chat job on one endpoint."""
    spec = JobSpec(
        name="job", source=InputSource("rows.txt", "txt"), models=(ModelRef("m", ("one",)),), endpoints=(ENDPOINT,)
    )
    return replace(spec, **changes)


@asynccontextmanager
async def open_bench(
    path: Path, script: Script = echo, *, prices: UnitPrices | None = None, token: str = "here"
) -> AsyncIterator[Bench]:
    """An engine with keeper on a database file."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    owner = Owner("host", 1, token)
    executor = ScriptedExecutor(script)
    around = Surroundings(
        provider_for=provider_for,
        register=lambda _: None,
        prices_for=lambda _endpoint, _model: prices,
        clock=loop.wall,
        rng=random.Random(7),
    )
    async with open_store(path, clock=loop.wall) as store, Engine(store, executor, owner, around) as engine:
        controller = Controller(store, engine, clock=loop.wall, alive=lambda _: True)
        async with Keeper(store, engine, controller, clock=loop.wall, alive=lambda _: True):
            yield Bench(store, engine, controller, executor)


def rows(count: int) -> list[str]:
    """Different prompts."""
    return [f"row {n}" for n in range(count)]


async def until(bench: Bench, requests: int) -> None:
    """Returns when that many requests were sent."""
    while len(bench.executor.sent) < requests:
        await asyncio.sleep(0.05)
