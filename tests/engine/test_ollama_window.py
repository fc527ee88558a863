"""Prompts longer than Ollama's window, against the simulator: told, never cached, never taken for good answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
from engine_bench import make_spec

from tui_batch.domain.endpoint import Api, Endpoint, Operation
from tui_batch.domain.item import ItemFlag, ItemState, NewRow
from tui_batch.domain.job import Counters, Knobs, ModelRef, OnTruncated
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.stored import ExportRow
from tui_batch.engine.workplace import Workplace, open_workplace
from tui_batch.providers.base import HttpRequest, HttpResponse
from tui_batch.report.results import result_line
from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.transport import SimulatorTransport

OLLAMA = Endpoint("local", Api.OLLAMA, "http://localhost:11434", max_in_flight=2)
LONG = " ".join(f"stone{n} lies by the river" for n in range(2_000))
SHORT = "Tell me about the sea"


@dataclass
class SilentServer:
    """It does not say how large its window is."""

    inner: SimulatorTransport

    async def send(self, request: HttpRequest) -> HttpResponse:
        if request.url.endswith(("/api/ps", "/api/show")):
            return HttpResponse(404, {}, b"")
        return await self.inner.send(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


@dataclass
class DeafServer:
    """An older server: it does not know `truncate` for chats, and cuts."""

    inner: SilentServer

    async def send(self, request: HttpRequest) -> HttpResponse:
        body = orjson.loads(request.body or b"{}")
        body.pop("truncate", None)
        return await self.inner.send(replace(request, body=orjson.dumps(body)))

    async def aclose(self) -> None:
        await self.inner.aclose()


def simulator() -> SilentServer:
    return SilentServer(SimulatorTransport(Simulator(SimulatorConfig())))


@asynccontextmanager
async def place(tmp_path: Path, transport: Any) -> AsyncIterator[Workplace]:
    async with open_workplace(tmp_path / "jobs.db", transport) as opened:
        yield opened


async def answered(at: Workplace, prompts: list[str], **changes: Any) -> tuple[Counters, list[ExportRow]]:
    spec = make_spec(endpoints=(OLLAMA,), models=(ModelRef("llama3.2", ("local",)),), **changes)
    job_id = await at.store.jobs.create(spec, Knobs(concurrency=2), now=0.0)
    rows = [NewRow(n + 1, None, 0, orjson.dumps({"prompt": prompt})) for n, prompt in enumerate(prompts)]
    async with at.store.importing(job_id, variants=1) as importer:
        await importer.add(rows)
    job = await (await at.controller.start(job_id))
    return job.counters, [row async for page in at.store.items.export(job_id) for row in page]


async def test_a_server_that_heeds_truncate_says_that_the_prompt_does_not_fit(tmp_path: Path) -> None:
    async with place(tmp_path, simulator()) as at:
        counters, (short, long) = await answered(at, [SHORT, LONG])
        assert (short.state, short.flags) == (ItemState.DONE, ItemFlag.NONE)
        assert (long.state, long.cls) == (ItemState.DEAD, OutcomeClass.CONTEXT_LENGTH)
        assert "exceeds the context length" in long.message
        assert counters.requests == 2


async def test_a_prompt_that_cannot_fit_what_the_server_tells_is_not_sent(tmp_path: Path) -> None:
    async with place(tmp_path, simulator().inner) as at:
        counters, (short, long) = await answered(at, [SHORT, LONG])
        assert (short.state, long.state, long.cls) == (ItemState.DONE, ItemState.DEAD, OutcomeClass.CONTEXT_LENGTH)
        assert "the context window holds 4,096. It was not sent." in long.message
        assert counters.requests == 1


async def test_a_prompt_that_was_cut_without_a_word_is_flagged_and_never_cached(tmp_path: Path) -> None:
    async with place(tmp_path, DeafServer(simulator())) as at:
        for _ in range(2):
            counters, (short, long) = await answered(at, [SHORT, LONG])
            assert (short.state, short.flags) == (ItemState.DONE, ItemFlag.NONE)
            assert (long.state, long.flags, long.tokens_in) == (ItemState.DONE, ItemFlag.PROMPT_CUT, 4_096)
            assert long.text
            assert not long.cached
            assert result_line(long, Operation.CHAT)["flags"] == "prompt_cut"
        assert (counters.cached, counters.requests) == (1, 1)


async def test_many_cut_prompts_do_not_teach_that_prompts_are_short(tmp_path: Path) -> None:
    async with place(tmp_path, DeafServer(simulator())) as at:
        _, rows = await answered(at, [f"{n} {LONG}" for n in range(40)])
        assert {row.flags for row in rows} == {ItemFlag.PROMPT_CUT}


async def test_a_window_that_is_large_enough_is_no_cause_for_a_flag(tmp_path: Path) -> None:
    async with place(tmp_path, DeafServer(simulator())) as at:
        _, (row,) = await answered(at, [LONG], params={"num_ctx": 32_768})
        assert (row.state, row.flags) == (ItemState.DONE, ItemFlag.NONE)
        _, (row,) = await answered(at, [LONG], params={"num_ctx": 8_192})
        assert (row.flags, row.tokens_in) == (ItemFlag.PROMPT_CUT, 8_192)


async def test_a_job_that_wants_no_cut_prompts_loses_the_row_with_the_reason(tmp_path: Path) -> None:
    async with place(tmp_path, DeafServer(simulator())) as at:
        counters, (row,) = await answered(at, [LONG], on_truncated=OnTruncated.RETRY)
        assert (row.state, row.cls) == (ItemState.DEAD, OutcomeClass.TRUNCATED)
        assert "raise num_ctx" in row.message
        assert counters.requests == 1
