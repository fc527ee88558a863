"""Jobs that take long to start or to end: what happens meanwhile, by verbs, by other processes, by the disk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from engine_bench import ok, open_bench, rows, until
from refusing import refusing
from thief import THIEF, steal

from tui_batch.domain.job import JobState, Knobs, PauseReason
from tui_batch.engine.lease import LEASE_S
from tui_batch.errors import UserError

FOUR = Knobs(concurrency=4)


def late(action: Any, seconds: float) -> Any:
    """Does something only after a while: a keyring asks its owner, the disk is slow."""

    async def wrapped(*args: Any, **options: Any) -> Any:
        await asyncio.sleep(seconds)
        return await action(*args, **options)

    return wrapped


def test_a_job_that_is_paused_while_it_starts_does_not_run(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(400), FOUR)
            bench.engine._opener.open = late(bench.engine._opener.open, 2.0)  # type: ignore[method-assign]
            starting = asyncio.ensure_future(bench.controller.start(job_id))
            await asyncio.sleep(1.0)
            await bench.controller.pause(job_id)
            job = await (await starting)
            assert (job.state, job.reason) == (JobState.PAUSED, PauseReason.USER)
            assert len(bench.executor.sent) <= 4

    virtually(main())


def test_a_job_that_is_cancelled_while_it_ends_is_cancelled(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(12), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            bench.engine._purse.close = late(bench.engine._purse.close, 5.0)  # type: ignore[method-assign]
            await bench.controller.pause(job_id)
            await asyncio.sleep(3.0)
            assert not end.done()
            assert bench.engine.find(job_id) is None
            await bench.controller.cancel(job_id)
            await end
            job = await bench.store.jobs.get(job_id)
            assert (job.state, job.counters.done, job.counters.cancelled) == (JobState.CANCELLED, 4, 8)

    virtually(main())


def test_a_machine_that_sleeps_between_two_beats_has_its_jobs_when_it_wakes(tmp_path: Path, virtually: Any) -> None:
    """Wherever it fell asleep: also after a beat, as the process was about to look for jobs that others lost."""

    async def scenario() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(60), Knobs(concurrency=1))
            jobs, sweeps = bench.store.jobs, []
            sweep = jobs.expire

            async def after_a_night(*, now: float, **how: Any) -> Any:
                sweeps.append(await sweep(now=now + 8 * 3_600, **how))
                return sweeps[-1]

            jobs.expire = after_a_night  # type: ignore[method-assign]
            job = await bench.run(job_id)
            assert (job.state, job.counters.done) == (JobState.COMPLETED, 60)
            assert sweeps
            assert not any(sweeps)

    virtually(scenario())


def test_a_job_that_takes_long_to_start_and_to_end_keeps_its_lease(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(12), FOUR)
            bench.engine._opener.open = late(bench.engine._opener.open, 2 * LEASE_S)  # type: ignore[method-assign]
            bench.engine._purse.close = late(bench.engine._purse.close, 2 * LEASE_S)  # type: ignore[method-assign]
            assert (await bench.run(job_id)).state is JobState.COMPLETED

    virtually(main())


def test_a_job_that_another_process_takes_while_it_starts_is_not_run_here(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path) as bench:
            job_id = await bench.add(rows(12), FOUR)
            bench.engine._opener.open = late(bench.engine._opener.open, 5.0)  # type: ignore[method-assign]
            starting = asyncio.ensure_future(bench.controller.start(job_id))
            await asyncio.sleep(1.0)
            await steal(path, job_id)
            with pytest.raises(UserError, match="another process"):
                await starting
            job = await bench.store.jobs.get(job_id)
            assert (job.state, job.owner, bench.executor.sent) == (JobState.RUNNING, THIEF, [])

    virtually(main())


def test_a_job_that_cannot_be_started_is_free_again_though_the_disk_refuses_its_state(
    tmp_path: Path, virtually: Any
) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(4), FOUR)
            wrap, refusals = refusing(1)

            async def no_key(*_: Any, **__: Any) -> None:
                bench.store.jobs.set_state = wrap(bench.store.jobs.set_state)  # type: ignore[method-assign]
                raise UserError("the key is missing")

            bench.engine._opener.open = no_key  # type: ignore[method-assign]
            with pytest.raises(UserError, match="the key is missing"):
                await bench.controller.start(job_id)
            assert len(refusals) == 1
            assert (await bench.store.jobs.get(job_id)).owner is None

    virtually(main())


def test_two_jobs_that_start_at_once_share_one_deployment(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (5.0, ok())) as bench:
            ids = [await bench.add([f"{job} {n}" for n in range(12)], FOUR) for job in "abc"]
            ends = await asyncio.gather(*(bench.controller.start(job_id) for job_id in ids))
            await until(bench, 12)
            (lane,) = bench.engine.snapshot().lanes
            assert lane.in_flight == 12
            for end in ends:
                assert (await end).counters.done == 12
            assert bench.engine.snapshot().lanes[0].in_flight == 0

    virtually(main())
