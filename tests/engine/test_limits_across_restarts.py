"""A new process knows nothing of the last minute but what the store tells it; the server remembers all of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from engine_bench import ENDPOINT, Bench, failed, ok, open_bench

from tui_batch.domain.endpoint import DeploymentKey, Endpoint
from tui_batch.domain.job import Knobs
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.stored import RecentRequests
from tui_batch.engine.ratelimit import RateLimiter
from tui_batch.engine.recall import in_flight, remind
from tui_batch.engine.snapshot import Hold

MANY = Knobs(concurrency=16)


def rows(count: int) -> list[str]:
    return [f"row {n}" for n in range(count)]


async def run_in_two(path: Path, endpoint: Endpoint, knobs: Knobs, script: Any = None) -> list[float]:
    """A job that is stopped after five seconds and resumed by another engine at once; when requests were sent."""
    sent: list[float] = []
    async with open_bench(path, script or (lambda p, n: (0.2, ok()))) as bench:
        job_id = await bench.add(rows(150), knobs, endpoints=(endpoint,))
        await bench.controller.start(job_id)
        await asyncio.sleep(5.0)
    sent += [at for at, _, _ in bench.executor.sent]
    async with open_bench(path, script or (lambda p, n: (0.2, ok())), token="later") as bench:
        await bench.run(job_id)
    return sent + [at for at, _, _ in bench.executor.sent]


def most_in_a_minute(times: list[float]) -> int:
    return max(sum(start <= at < start + 60.0 for at in times) for start in times)


@pytest.mark.parametrize(
    ("endpoint", "knobs"),
    [(replace(ENDPOINT, rpm=60), MANY), (ENDPOINT, replace(MANY, rpm=60)), (replace(ENDPOINT, tpm=900), MANY)],
    ids=["the endpoint's RPM", "the job's RPM", "the endpoint's TPM"],
)
def test_a_job_resumed_at_once_keeps_to_the_limit(
    tmp_path: Path, virtually: Any, endpoint: Endpoint, knobs: Knobs
) -> None:
    times = virtually(run_in_two(tmp_path / "jobs.db", endpoint, knobs))

    assert len(times) >= 150
    assert most_in_a_minute(times) <= 60
    assert max(times) - min(times) <= 190.0


def test_a_daily_limit_holds_over_a_restart_and_says_until_when(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        daily = replace(ENDPOINT, rpd=30)
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (0.2, ok())) as bench:
            job_id = await bench.add(rows(40), MANY, endpoints=(daily,))
            await bench.controller.start(job_id)
            await asyncio.sleep(5.0)
            assert len(bench.executor.sent) == 30
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (0.2, ok()), token="later") as bench:
            await bench.controller.start(job_id)
            await asyncio.sleep(70.0)
            assert not bench.executor.sent
            hold = snapshot_hold(bench)
            assert hold.what == "RPD"
            assert 23 * 3_600 < (hold.seconds or 0) < 24 * 3_600

    virtually(main())


def snapshot_hold(bench: Bench) -> Hold:
    hold = bench.engine.snapshot().jobs[0].hold
    assert hold is not None
    assert bench.engine.snapshot().lanes[0].rpd == 30
    return hold


def test_refused_requests_are_not_held_against_the_next_process(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.1, failed(OutcomeClass.RATE_LIMITED, status=429, retry_after_s=30.0) if before == 0 else ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job_id = await bench.add(rows(5), Knobs(concurrency=5), endpoints=(replace(ENDPOINT, rpm=60),))
            await bench.controller.start(job_id)
            await asyncio.sleep(1.0)
        async with open_bench(tmp_path / "jobs.db", script, token="later") as bench:
            assert await bench.store.items.recent_requests(0.0) == []

    virtually(main())


def sent(at: float, requests: int, seconds: float, concurrency: int | None = None) -> RecentRequests:
    return RecentRequests(1, concurrency, DeploymentKey("one", "m"), at, at + 1.0, requests, 10 * requests, seconds)


def test_what_was_in_flight_is_guessed_from_what_ended_and_from_the_jobs_own_number() -> None:
    at, requests, tokens = in_flight([sent(100.0, 50, 50.0), sent(109.0, 50, 50.0)])
    assert (at, requests, tokens) == (111.0, 31, 310)

    assert in_flight([sent(100.0, 50, 50.0, concurrency=4)])[1] == 4 + 13


def test_times_ahead_of_the_clock_count_as_now() -> None:
    limiter = RateLimiter(rpm=1)

    remind(limiter, [sent(5_000.0, 1, 1.0)], now=10.0, now_unix=4_000.0)

    assert limiter.admit(10.0, 1).ticket is None
    assert limiter.admit(71.0, 1).ticket is not None


def test_a_long_wait_is_told_by_its_end() -> None:
    noon = datetime(2026, 3, 2, 12, 0)

    assert Hold("RPM", 12.0).words(noon) == "waiting for RPM, 12 s"
    assert Hold("RPD", 7_200.0).words(noon) == "waiting for RPD until 14:00"
    assert Hold("RPD", 50_400.0).words(noon) == "waiting for RPD until Tue 02:00"
