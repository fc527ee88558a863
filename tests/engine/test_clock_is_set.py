"""Somebody sets the machine's clock while a job runs: nothing waits for a time of day, and no lease is lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_bench import failed, ok, open_bench, rows, until
from virtual_time import START, VirtualLoop

from tui_batch.domain.item import ItemState
from tui_batch.domain.job import CacheMode, JobState, Knobs
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.engine.lane import Lane
from tui_batch.engine.lease import LEASE_S
from tui_batch.money.prices import UnitPrices

HOUR = 3_600.0


class WallClock:
    """A wall clock that can be set, over the loop's own."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.ahead = 0.0
        self._loop = loop
        loop.wall = self.now  # type: ignore[method-assign]

    def now(self) -> float:
        return START + self._loop.time() + self.ahead


def flaky(prompt: str, before: int) -> tuple[float, Any]:
    """Every first request fails."""
    return 1.0, ok() if before else failed(OutcomeClass.SERVER_ERROR)


@pytest.mark.parametrize("hours", [-48, 48])
def test_a_running_job_goes_on_when_the_clock_is_set(virtually: Callable[..., Any], tmp_path: Path, hours: int) -> None:
    async def scenario() -> None:
        clock = WallClock()
        async with open_bench(tmp_path / "jobs.db", flaky) as bench:
            job_id = await bench.add(rows(60), Knobs(concurrency=5), cache=CacheMode.OFF)
            ending = await bench.controller.start(job_id)
            await until(bench, 20)
            clock.ahead += hours * HOUR
            job = await asyncio.wait_for(ending, 120)
            assert (job.state, job.counters.done) == (JobState.COMPLETED, 60)

    virtually(scenario())


def test_a_resumed_job_does_not_wait_for_a_time_that_the_clock_has_yet_to_reach(
    virtually: Callable[..., Any], tmp_path: Path
) -> None:
    async def scenario() -> None:
        clock = WallClock()
        async with open_bench(tmp_path / "jobs.db", flaky) as bench:
            job_id = await bench.add(rows(30), Knobs(concurrency=30), cache=CacheMode.OFF)
            ending = await bench.controller.start(job_id)
            await until(bench, 5)
            await bench.controller.pause(job_id)
            await ending
            assert await bench.store.items.count_pending(job_id) > 5
            clock.ahead -= 48 * HOUR
            job = await asyncio.wait_for(bench.run(job_id), 120)
            assert job.counters.done == 30

    virtually(scenario())


def test_a_beat_that_waited_long_for_the_disk_does_not_end_its_own_lease(
    virtually: Callable[..., Any], tmp_path: Path
) -> None:
    """The time in a beat is from before the wait: by it the process looks long gone, to itself as well."""

    async def scenario() -> None:
        clock = WallClock()
        async with open_bench(tmp_path / "jobs.db") as bench:
            renew = bench.store.jobs.heartbeat
            waited = []

            async def slow(*args: Any) -> set[int]:
                if len(waited) < 8:
                    waited.append(True)
                    clock.ahead += 20.0  # as long as it took
                return await renew(*args)

            job_id = await bench.add(rows(40), Knobs(concurrency=1), cache=CacheMode.OFF)
            ending = await bench.controller.start(job_id)
            await until(bench, 5)
            bench.store.jobs.heartbeat = slow  # type: ignore[method-assign]
            job = await asyncio.wait_for(ending, 120)
            assert len(waited) == 8
            assert (job.state, job.counters.done) == (JobState.COMPLETED, 40)
            states = [row.state async for page in bench.store.items.export(job_id) for row in page]
            assert states == [ItemState.DONE] * 40

    virtually(scenario())


def test_a_request_admitted_before_the_machine_slept_is_not_sent_when_it_wakes(
    virtually: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the admission and the sending lies a turn of the loop: enough to lose the lease in."""

    async def scenario() -> None:
        clock = WallClock()
        sent_when_it_woke = []
        launched = Lane.launched
        async with open_bench(tmp_path / "jobs.db", prices=UnitPrices(input=100, output=400)) as bench:

            def asleep(lane: Lane, now: float) -> None:
                launched(lane, now)
                if len(bench.executor.sent) == 10 and not sent_when_it_woke:
                    clock.ahead += 2 * LEASE_S
                    sent_when_it_woke.append(0)
                    loop = asyncio.get_running_loop()
                    loop.call_soon(loop.call_soon, lambda: sent_when_it_woke.append(len(bench.executor.sent) - 10))

            monkeypatch.setattr(Lane, "launched", asleep)
            knobs = Knobs(concurrency=1, budget_nano=10**9)
            job_id = await bench.add(rows(40), knobs, params={"max_tokens": 5}, cache=CacheMode.OFF)
            job = await asyncio.wait_for(bench.run(job_id), 120)
            assert sent_when_it_woke == [0, 0]
            assert sorted(bench.executor.prompts) == sorted(rows(40))
            assert (job.state, job.counters.done, job.counters.requests) == (JobState.COMPLETED, 40, 40)
            assert job.counters.cost_nano == 40 * (10 * 100 + 5 * 400)

    virtually(scenario())
