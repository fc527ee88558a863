"""Money while a job runs: what it cost, what the cache saved, and a cap that is never passed."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine_bench import failed, ok, open_bench

from tui_batch.domain.job import NANO, JobState, Knobs, PauseReason
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.money.prices import UnitPrices

PRICES = UnitPrices.per_mtok("10", "40")
"""Dollars per million tokens: 10,000 and 40,000 nano-dollars a token."""


def rows(count: int) -> list[str]:
    return [f"row {n}" for n in range(count)]


def test_cost_is_counted_to_the_nano_and_hits_cost_nothing(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", prices=PRICES) as bench:
            job = await bench.run(await bench.add([*rows(20), "row 0"], Knobs(concurrency=4)))
            each = 10 * 10_000 + 5 * 40_000
            assert job.counters.cost_nano == 20 * each
            assert (job.counters.cached, job.counters.saved_nano, job.counters.unpriced) == (1, each, 0)

    virtually(main())


def test_an_unknown_price_is_counted_as_unknown(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", prices=None) as bench:
            job = await bench.run(await bench.add(rows(3), Knobs(concurrency=4)))
            assert (job.counters.cost_nano, job.counters.unpriced) == (0, 3)

    virtually(main())


def test_the_cap_is_never_passed_and_the_job_goes_on_after_raising_it(tmp_path: Path, virtually: Any) -> None:
    rng = random.Random(5)

    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        if rng.random() < 0.2:
            return 0.3, failed(OutcomeClass.SERVER_ERROR)
        return rng.uniform(0.1, 3.0), ok(tokens_in=12, tokens_out=rng.randint(1, 100))

    async def main() -> None:
        cap = NANO // 50
        async with open_bench(tmp_path / "jobs.db", script, prices=PRICES) as bench:
            knobs = Knobs(concurrency=256, budget_nano=cap)
            job_id = await bench.add(rows(300), knobs, params={"max_tokens": 100}, max_attempts=50)
            spent = []
            for factor in range(1, 60):
                job = await bench.run(job_id)
                spent.append(job.counters.cost_nano)
                assert job.counters.cost_nano <= factor * cap
                if job.state is JobState.COMPLETED:
                    break
                assert job.reason is PauseReason.BUDGET
                await bench.controller.turn(job_id, {"budget_nano": (factor + 1) * cap})
            assert job.counters.done == 300
            assert len(spent) > 5
            assert spent[0] > cap // 2, "a cap is there to be used"

    virtually(main())


def test_a_budget_needs_a_price_and_a_bound(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        knobs = Knobs(concurrency=4, budget_nano=NANO)
        async with open_bench(tmp_path / "a.db", prices=None) as bench:
            job = await bench.run(await bench.add(rows(3), knobs, params={"max_tokens": 9}))
            assert (job.reason, job.counters.requests) == (PauseReason.BUDGET, 0)
            assert "price of m @ one is unknown" in job.message
        async with open_bench(tmp_path / "b.db", prices=PRICES) as bench:
            job = await bench.run(await bench.add(rows(3), knobs))
            assert (job.reason, job.counters.requests) == (PauseReason.BUDGET, 0)
            assert "max_tokens" in job.message

    virtually(main())


def test_what_nothing_bounds_is_not_sent_under_a_budget_until_a_person_accepts_it(
    tmp_path: Path, virtually: Any
) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", prices=PRICES) as bench:
            asked = {"max_tokens": 9, "web_search_options": {}}
            job_id = await bench.add(rows(3), Knobs(concurrency=1, budget_nano=NANO), params=asked)
            job = await bench.run(job_id)
            assert (job.reason, job.counters.requests) == (PauseReason.BUDGET, 0)
            assert "web_search_options" in job.message
            assert "cap=loose" in job.message
            await bench.controller.turn(job_id, {"cap": "loose"})
            job = await bench.run(job_id)
            assert (job.counters.done, job.counters.cost_nano, job.counters.unpriced) == (3, 0, 3), "fees are not told"

    virtually(main())


def test_an_error_before_an_answer_costs_nothing_and_one_that_ends_it_half_way_is_unknown(
    tmp_path: Path, virtually: Any
) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        error = failed(OutcomeClass.SERVER_ERROR)
        return 0.1, ok() if before else replace(error, status=200 if prompt == "row 0" else 500)

    async def main() -> None:
        for streamed, unknown in ((False, 0), (True, 1)):
            async with open_bench(tmp_path / f"{streamed}.db", script, prices=PRICES) as bench:
                job = await bench.run(await bench.add(rows(2), Knobs(concurrency=2), stream=streamed))
                assert (job.counters.done, job.counters.requests) == (2, 4)
                assert job.counters.unpriced == unknown

    virtually(main())
