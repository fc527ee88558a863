"""Endpoints switched off and limits changed by a person, while jobs run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_bench import ENDPOINT, Bench, echo, failed, ok, open_bench, rows, until

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.job import JobState, Knobs, Mode, ModelRef
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.engine.snapshot import JobSnapshot, LaneLimits
from tui_batch.errors import UserError

Virtually = Callable[[Coroutine[Any, Any, Any]], Any]
OTHER = replace(ENDPOINT, name="two", base_url="http://two.test/v1")
BOTH = {"models": (ModelRef("m", ("one", "two")),), "endpoints": (ENDPOINT, OTHER), "mode": Mode.SPREAD}
KEY = DeploymentKey("one", "m")


def asked(bench: Bench, since: int = 0) -> set[str]:
    """The endpoints that were sent something since so many requests."""
    return {endpoint for _, endpoint, _ in bench.executor.sent[since:]}


def job_of(bench: Bench) -> JobSnapshot:
    (job,) = bench.engine.snapshot().jobs
    return job


def test_others_take_over_from_an_endpoint_that_is_switched_off(tmp_path: Path, virtually: Virtually) -> None:
    async def scenario() -> None:
        async with open_bench(tmp_path / "db") as bench:
            job = await bench.add(rows(60), Knobs(concurrency=6), **BOTH)
            done = await bench.controller.start(job)
            await until(bench, 12)
            assert asked(bench) == {"one", "two"}
            bench.controller.switch_off("one")
            before = len(bench.executor.sent)
            assert bench.engine.snapshot().off == {"one"}
            assert (await done).counters.done == 60
            assert asked(bench, before) == {"two"}
            log = [event.text for event in await bench.store.events.tail()]
            assert "one is switched off" in log

    virtually(scenario())


def test_a_job_with_no_other_endpoint_waits_and_goes_on(tmp_path: Path, virtually: Virtually) -> None:
    async def scenario() -> None:
        async with open_bench(tmp_path / "db") as bench:
            job = await bench.add(rows(30), Knobs(concurrency=3))
            done = await bench.controller.start(job)
            await until(bench, 6)
            bench.controller.switch_off("one")
            await asyncio.sleep(60.0)
            sent = len(bench.executor.sent)
            assert sent < 30
            assert job_of(bench).state is JobState.RUNNING
            assert str(job_of(bench).hold) == "waiting for one: switched off"
            bench.controller.switch_on("one")
            assert (await done).counters.done == 30

    virtually(scenario())


def test_a_fallback_model_takes_the_rows_of_one_that_is_switched_off(tmp_path: Path, virtually: Virtually) -> None:
    async def scenario() -> None:
        async with open_bench(tmp_path / "db") as bench:
            bench.controller.switch_off("one")
            models = (ModelRef("m", ("one",)), ModelRef("n", ("two",)))
            spec = {**BOTH, "models": models, "mode": Mode.FALLBACK}
            ended = await bench.run(await bench.add(rows(10), Knobs(concurrency=2), **spec))
            assert ended.counters.done == 10
            assert asked(bench) == {"two"}

    virtually(scenario())


def test_a_refused_key_pauses_the_job_when_the_only_other_endpoint_is_off(tmp_path: Path, virtually: Virtually) -> None:
    def refuse(_: str, __: int) -> tuple[float, Outcome]:
        return 0.1, failed(OutcomeClass.AUTH, "bad key", 401)

    async def scenario() -> None:
        async with open_bench(tmp_path / "db", refuse) as bench:
            bench.controller.switch_off("two")
            ended = await bench.run(await bench.add(rows(5), Knobs(concurrency=1), **BOTH))
            assert (ended.state, ended.reason) == (JobState.PAUSED, "auth")

    virtually(scenario())


def test_limits_hold_from_the_next_request_on(tmp_path: Path, virtually: Virtually) -> None:
    async def scenario() -> None:
        async with open_bench(tmp_path / "db") as bench:
            job = await bench.add(rows(200), Knobs(concurrency=20))
            done = await bench.controller.start(job)
            await until(bench, 20)
            bench.controller.set_limits(KEY, LaneLimits(rpm=60, max_in_flight=2))
            await asyncio.sleep(5.0)
            (lane,) = bench.engine.snapshot().lanes
            assert lane.in_flight <= 2
            assert (lane.rpm, lane.limit, lane.own) == (60, 2, LaneLimits(rpm=60, max_in_flight=2))
            assert not lane.learned
            await asyncio.sleep(50.0)
            (lane,) = bench.engine.snapshot().lanes
            assert lane.rpm_used <= 60
            bench.controller.set_limits(KEY, LaneLimits())
            started = asyncio.get_running_loop().time()
            assert (await done).counters.done == 200
            assert asyncio.get_running_loop().time() - started < 30

    virtually(scenario())


def test_limits_set_before_a_deployment_is_used_hold_for_it(tmp_path: Path, virtually: Virtually) -> None:
    async def scenario() -> None:
        async with open_bench(tmp_path / "db") as bench:
            bench.controller.set_limits(KEY, LaneLimits(max_in_flight=1))
            await bench.run(await bench.add(rows(5), Knobs(concurrency=5)))
            assert bench.executor.most_in_flight == 1

    virtually(scenario())


def test_a_limit_below_one_is_refused_with_its_name(tmp_path: Path, virtually: Virtually) -> None:
    async def scenario() -> None:
        async with open_bench(tmp_path / "db") as bench:
            with pytest.raises(UserError, match="tpm: 0"):
                bench.controller.set_limits(KEY, LaneLimits(tpm=0))

    virtually(scenario())


def test_a_deployment_tells_its_last_trouble_and_its_breakers_end(tmp_path: Path, virtually: Virtually) -> None:
    def down(_: str, before: int) -> tuple[float, Outcome]:
        return 0.1, failed(OutcomeClass.SERVER_ERROR, "out of order") if before == 0 else ok()

    async def scenario() -> None:
        async with open_bench(tmp_path / "db", down) as bench:
            done = await bench.controller.start(await bench.add(rows(8), Knobs(concurrency=8)))
            await asyncio.sleep(1.0)
            (lane,) = bench.engine.snapshot().lanes
            assert lane.trouble == "server_error: 500 out of order"
            assert lane.trouble_s is not None
            assert 0 < lane.trouble_s < 1.5
            assert (lane.requests, lane.failed, lane.breaker) == (8, 8, "open")
            assert lane.breaker_s is not None
            assert 3.0 < lane.breaker_s < 5.0
            assert (await done).counters.done == 8

    virtually(scenario())


def test_a_refusal_is_no_fault_of_the_server(tmp_path: Path, virtually: Virtually) -> None:
    def refuse(_: str, __: int) -> tuple[float, Outcome]:
        return 0.1, failed(OutcomeClass.REFUSED, "I cannot help with that", 200)

    async def scenario() -> None:
        async with open_bench(tmp_path / "db", refuse) as bench:
            await bench.run(await bench.add(rows(3), Knobs(concurrency=1)))
            (lane,) = bench.engine.snapshot().lanes
            assert (lane.requests, lane.failed, lane.trouble) == (3, 0, "")

    virtually(scenario())


def test_a_found_concurrency_is_shown_only_where_it_bounds_a_job(tmp_path: Path, virtually: Virtually) -> None:
    async def scenario(knobs: Knobs, name: str) -> int | None:
        async with open_bench(tmp_path / name) as bench:
            done = await bench.controller.start(await bench.add(rows(40), knobs))
            await until(bench, 20)
            (lane,) = bench.engine.snapshot().lanes
            await done
            return lane.limit

    assert virtually(scenario(Knobs(concurrency=16), "fixed")) is None
    assert virtually(scenario(Knobs(concurrency=None), "auto")) is not None


def test_recent_latencies_forget_what_is_a_minute_old(tmp_path: Path, virtually: Virtually) -> None:
    def slow_then_quick(prompt: str, before: int) -> tuple[float, Outcome]:
        _, outcome = echo(prompt, before)
        return (30.0 if int(prompt.removeprefix("row ")) < 5 else 2.0), outcome

    async def scenario() -> None:
        async with open_bench(tmp_path / "db", slow_then_quick) as bench:
            await bench.controller.start(await bench.add(rows(300), Knobs(concurrency=5)))
            await asyncio.sleep(31.5)
            assert job_of(bench).recent.p99 == pytest.approx(30.0, rel=0.05)
            await asyncio.sleep(75.0)
            assert job_of(bench).recent.p99 == pytest.approx(2.0, rel=0.05)
            assert job_of(bench).latency.p99 == pytest.approx(30.0, rel=0.05)

    virtually(scenario())
