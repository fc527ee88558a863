"""What servers say about limits and waits: heeded to the letter, by the one deployment, and not when it is nonsense."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from engine_bench import ENDPOINT, failed, ok, open_bench

from tui_batch.domain.endpoint import Api, Deployment, Endpoint, Operation
from tui_batch.domain.job import Knobs, ModelRef
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.engine.lane import Lane
from tui_batch.engine.ratelimit import RateLimiter, Ticket
from tui_batch.engine.scheduler import Scheduler
from tui_batch.providers.base import HttpResponse
from tui_batch.providers.registry import provider_for

ANSWER = json.dumps({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}).encode()


def told(headers: dict[str, str]) -> Outcome:
    """An answer of an OpenAI-compatible server with these headers."""
    return provider_for(Api.OPENAI).decode(Operation.CHAT, HttpResponse(200, headers, ANSWER))


def lane(**limits: int) -> Lane:
    return Lane(Deployment(ENDPOINT, "m"), RateLimiter(**limits), None)


def land(at: Lane, now: float, outcome: Outcome, tokens: int = 100) -> None:
    ticket = at.take(now, tokens)
    assert isinstance(ticket, Ticket)
    at.launched(now)
    at.landed(now, ticket, outcome)


@pytest.mark.parametrize("nonsense", ["-1", "0", "", "many", "nan", "1e999", "-5.5"])
def test_limits_that_make_no_sense_are_none(nonsense: str) -> None:
    """Azure sends -1 as limit and remaining, and 0 as reset (openai-dotnet, issue 838)."""
    names = [f"x-ratelimit-{figure}-{what}" for figure in ("limit", "remaining") for what in ("requests", "tokens")]
    resets = {f"x-ratelimit-reset-{what}": "0" for what in ("requests", "tokens")}
    server = lane()
    land(server, 0.0, told({**dict.fromkeys(names, nonsense), **resets}))
    seen = server.snapshot(0.0)
    assert (seen.rpm, seen.tpm, seen.rpd, seen.learned) == (None, None, None, False)


@pytest.mark.parametrize(
    ("cls", "requests", "tokens"),
    [
        (OutcomeClass.RATE_LIMITED, 0, 0),  # refused before it was counted
        (OutcomeClass.BAD_REQUEST, 1, 0),  # a request, but nothing was read
        (OutcomeClass.CONTEXT_LENGTH, 1, 0),
        (OutcomeClass.TIMEOUT, 1, 100),  # who knows how far it came
        (OutcomeClass.SERVER_ERROR, 1, 100),
    ],
)
def test_of_a_failure_what_a_provider_counts_is_counted(cls: OutcomeClass, requests: int, tokens: int) -> None:
    server = lane(rpm=60, tpm=1_000)
    land(server, 0.0, failed(cls))
    seen = server.snapshot(0.0)
    assert (seen.rpm_used, seen.tpm_used) == (requests, tokens)


def test_real_usage_takes_the_place_of_the_estimate() -> None:
    server = lane(tpm=1_000)
    land(server, 0.0, ok(tokens_in=30, tokens_out=7))
    assert server.snapshot(0.0).tpm_used == 37


def test_retry_after_stops_that_deployment_and_nobody_else(tmp_path: Path, virtually: Any) -> None:
    names = ("one", "two")
    pool = tuple(Endpoint(name, Api.OPENAI, f"http://{name}.test/v1") for name in names)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:

            def script(prompt: str, before: int) -> tuple[float, Outcome]:
                refuses = bench.executor.sent[-1][1] == "one"
                return 0.1, failed(OutcomeClass.RATE_LIMITED, "later", 429, 300.0) if refuses else ok()

            bench.executor.script = script
            rows = [f"row {n}" for n in range(200)]
            models = (ModelRef("m", names),)
            job_id = await bench.add(rows, Knobs(concurrency=4), endpoints=pool, models=models)
            job = await bench.run(job_id)
            # The rows that it refused are answered elsewhere as well, long before it may be asked again.
            assert job.counters.done == 200
            assert asyncio.get_running_loop().time() < 60.0
            asked = Counter(endpoint for _, endpoint, _ in bench.executor.sent)
            assert 1 <= asked["one"] <= 4
            assert asked["two"] == 200
            holds = {found.endpoint: found.hold for found in bench.engine.snapshot().lanes}
            assert (holds["one"] is not None, holds["two"]) == (True, None)

    virtually(main())


def test_ten_thousand_rows_that_wait_say_until_when_and_cost_nothing(
    tmp_path: Path, virtually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0
    admit = Scheduler._admit

    def counted(*given: Any) -> Any:
        nonlocal looked
        looked += 1
        return admit(*given)

    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.1, failed(OutcomeClass.RATE_LIMITED, "later", 429, 3_600.0)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job_id = await bench.add([f"row {n}" for n in range(10_000)], Knobs(concurrency=4))
            await bench.controller.start(job_id)
            await asyncio.sleep(10.0)
            sent = len(bench.executor.sent)
            monkeypatch.setattr(Scheduler, "_admit", counted)
            await asyncio.sleep(100.0)
            # A look with each heartbeat, which is one a second, at the first row alone.
            assert looked <= 110
            assert len(bench.executor.sent) == sent <= 4
            hold = bench.engine.snapshot().jobs[0].hold
            assert hold is not None
            assert hold.what == "Retry-After"
            assert hold.words(datetime(2026, 3, 2, 12, 0)) == "waiting for Retry-After until 12:58"

    virtually(main())
