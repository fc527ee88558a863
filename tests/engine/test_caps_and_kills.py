"""Caps through kills and over jobs: what may have been billed counts as spent, and is never more than is set aside."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine_bench import Bench, failed, ok, open_bench, rows
from virtual_time import VirtualLoop

from tui_batch.domain.endpoint import Endpoint
from tui_batch.domain.job import Job, JobState, Knobs, PauseReason
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.engine.surroundings import Surroundings
from tui_batch.money.prices import UnitPrices

PRICES = UnitPrices.per_mtok("10", "40")
BOUND = {"max_tokens": 100}
WORST = 4_100_000
"""Roughly what a request of these tests can cost at most: 100 answer tokens at 40,000 and some 10 to 20 in."""


def slow(prompt: str, before: int) -> tuple[float, Outcome]:
    return 5.0, ok(tokens_in=10, tokens_out=100)


def with_day_cap(bench: Bench, cap: int) -> None:
    """The day's cap, as the settings would give it to a new process."""
    bench.engine._purse._day_cap = cap


async def held(bench: Bench) -> int:
    return sum(
        row[0] for row in await bench.store._feed.run(lambda conn: conn.execute("SELECT nano FROM hold").fetchall())
    )


def test_what_was_in_flight_when_a_process_died_counts_as_spent(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        db = tmp_path / "jobs.db"
        async with open_bench(db, slow, prices=PRICES) as bench:
            job_id = await bench.add(rows(50), Knobs(concurrency=8, budget_nano=100 * WORST), params=BOUND)
            await bench.controller.start(job_id)
            await asyncio.sleep(1.0)
            reserved = bench.engine.find(job_id).budget.reserved  # type: ignore[union-attr]
            assert len(bench.executor.sent) == 8
            assert 8 * 4_000_000 < reserved <= await held(bench)
            presumed = await bench.store.ledger.open_account(job_id)  # as a process does that takes it over
            assert presumed >= reserved
            assert await held(bench) == 0

    virtually(main())


def test_a_job_that_ends_well_leaves_nothing_set_aside(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", slow, prices=PRICES) as bench:
            knobs = Knobs(concurrency=8, budget_nano=1_000 * WORST)
            job = await bench.run(await bench.add(rows(20), knobs, params=BOUND))
            assert job.state is JobState.COMPLETED
            assert await held(bench) == 0
            assert await bench.store.ledger.open_account(job.id) == 0

    virtually(main())


def test_a_cost_that_nobody_knows_is_the_worst_case_in_the_next_run_too(tmp_path: Path, virtually: Any) -> None:
    def lost(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.1, failed(OutcomeClass.CONNECTION) if not before else ok(tokens_in=10, tokens_out=1)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lost, prices=PRICES) as bench:
            knobs = Knobs(concurrency=4, budget_nano=1_000 * WORST)
            job = await bench.run(await bench.add(rows(4), knobs, params=BOUND))
            assert job.counters.unpriced == 4
            assert await bench.store.ledger.open_account(job.id) >= 4 * 4_000_000

    virtually(main())


def test_two_jobs_share_the_days_cap_and_pause_with_words(tmp_path: Path, virtually: Any) -> None:
    async def main() -> list[Job]:
        async with open_bench(tmp_path / "jobs.db", slow, prices=PRICES) as bench:
            with_day_cap(bench, 20 * WORST)
            ids = [await bench.add(rows(40), Knobs(concurrency=8), params=BOUND) for _ in "ab"]
            ends = [await bench.controller.start(job_id) for job_id in ids]
            jobs = list(await asyncio.gather(*ends))
            spent = sum(job.counters.cost_nano for job in jobs)
            assert 10 * 4_100_000 <= spent <= 20 * WORST
            assert await held(bench) == 0
            return jobs

    for job in virtually(main()):
        assert (job.state, job.reason) == (JobState.PAUSED, PauseReason.BUDGET)
        assert "day's budget" in job.message


def test_the_next_day_has_its_own_budget(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", slow, prices=PRICES) as bench:
            with_day_cap(bench, 5 * WORST)
            job_id = await bench.add(rows(6), Knobs(concurrency=2), params=BOUND)
            first = await bench.run(job_id)
            assert first.reason is PauseReason.BUDGET
            assert (await bench.run(job_id)).counters.done == first.counters.done
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            bench.engine._purse._clock = lambda: loop.wall() + 86_400
            assert (await bench.run(job_id)).state is JobState.COMPLETED

    virtually(main())


def test_an_hour_of_a_server_is_shared_by_what_it_does_at_a_time(tmp_path: Path, virtually: Any) -> None:
    def ten_seconds(prompt: str, before: int) -> tuple[float, Outcome]:
        return 10.0, ok()

    async def main() -> None:
        hourly = UnitPrices.per_mtok(0, 0, gpu_hour_usd="3.60")
        async with open_bench(tmp_path / "jobs.db", ten_seconds, prices=hourly) as bench:
            job = await bench.run(await bench.add(rows(8), Knobs(concurrency=4)))
            # Two rounds of ten seconds, a tenth of a cent a second, whatever the number at a time.
            assert abs(job.counters.cost_nano - 20_000_000) < 100_000

    virtually(main())


def test_a_prompt_that_cannot_fit_is_dead_without_a_request(tmp_path: Path, virtually: Any) -> None:
    def window(endpoint: Endpoint, model: str) -> int | None:
        return 1_000

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", prices=PRICES) as bench:
            around: Surroundings = bench.engine._around
            bench.engine._around = replace(around, window_for=window)
            job_id = await bench.add(["short", "x" * 20_000])
            job = await bench.run(job_id)
            groups = await bench.store.items.errors(job_id)
            assert (job.counters.done, job.counters.dead, len(bench.executor.sent)) == (1, 1, 1)
            assert groups[0].cls is OutcomeClass.CONTEXT_LENGTH
            assert "1,000" in groups[0].example

    virtually(main())


def test_what_answers_teach_is_kept_for_the_next_run(tmp_path: Path, virtually: Any) -> None:
    from tui_batch.engine.experience import experienced

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            loop = asyncio.get_running_loop()
            async with experienced(bench.store, loop.time) as estimator:
                bench.engine._landing._estimator = estimator
                await bench.run(await bench.add(rows(5)))
            known = await bench.store.calibration.load()
            ((key, learned),) = known.items()
            assert key == ("one", "m")
            assert (learned.answers, learned.tokens_out, learned.latency_s) == (5, 5.0, 1.0)

    virtually(main())


def test_a_trial_asks_its_rows_and_waits(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(600))
            tried = await (await bench.controller.start(job_id, (3, 300, 599)))
            assert (tried.state, tried.reason) == (JobState.PAUSED, PauseReason.USER)
            assert sorted(bench.executor.prompts) == ["row 3", "row 300", "row 599"]
            assert (await bench.run(job_id)).counters.done == 600

    virtually(main())
