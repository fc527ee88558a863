"""Figures, budgets and the log after trouble: what the screen, the database and the log say is the same."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from engine_bench import echo, failed, ok, open_bench, rows, until
from refusing import refusing
from virtual_time import START

from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import CacheMode, Job, JobState, Knobs, Owner, PauseReason
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.money.prices import UnitPrices
from tui_batch.store.bulk import Undone

FOUR = Knobs(concurrency=4)
THIEF = Owner("elsewhere", 2, "thief")
PRICES = UnitPrices(input=100, output=400)


def counters_by_items(path: Path, job_id: int) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as conn:
        conn.row_factory = sqlite3.Row
        sql = """SELECT count(*) AS total, sum(state = 'done') AS done, sum(state = 'dead') AS dead,
            sum(state = 'pending') AS pending, sum(cached) AS cached, sum(requests) AS requests,
            sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out, sum(cost_nano) AS cost_nano,
            sum(unpriced) AS unpriced, sum(saved_nano) AS saved_nano FROM item WHERE job_id = ?"""
        return dict(conn.execute(sql, (job_id,)).fetchone())


def test_the_screens_figures_are_the_databases_at_the_end(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        number = int(prompt.split()[-1])
        if number % 7 == 0 and before < 2:
            return 0.1, failed(OutcomeClass.SERVER_ERROR)
        if number % 11 == 3:
            return 0.1, failed(OutcomeClass.BAD_REQUEST, status=400)
        return 0.1, ok(f"answer {number}", number + 1, number % 5)

    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path, script, prices=PRICES) as bench:
            job_id = await bench.add([f"row {n % 150}" for n in range(300)], FOUR)
            end = await bench.controller.start(job_id)
            run = bench.engine.find(job_id)
            assert run is not None
            job = await end
            assert run.stats.counters == job.counters
            assert {name: getattr(job.counters, name) for name in counters_by_items(path, job_id)} == counters_by_items(
                path, job_id
            )
            assert job.counters.saved_nano > 0
            assert job.counters.cost_nano == run.budget.spent
            assert run.budget.reserved == 0

    virtually(main())


def test_requests_are_numbered_on_after_a_pause(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.5, ok() if before == 4 else failed(OutcomeClass.OVERLOADED, status=503)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job_id = await bench.add(["one"], FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 2)
            await bench.controller.pause(job_id)
            await end
            await bench.run(job_id)
            page = await bench.store.items.page(job_id, limit=1)
            detail = await bench.store.items.detail(page[0].id)
            assert [attempt.number for attempt in detail.attempts] == [1, 2, 3, 4]

    virtually(main())


def test_an_equal_row_of_a_job_that_ended_is_left_to_its_next_run(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (20.0, ok("shared"))) as bench:
            first, second = await bench.add(["same"], FOUR), await bench.add(["same"], FOUR)
            end = await bench.controller.start(first)
            await until(bench, 1)
            waiting = await bench.controller.start(second)
            await asyncio.sleep(1.0)
            await bench.controller.pause(second)
            assert (await waiting).state is JobState.PAUSED
            await bench.store.jobs.acquire(second, THIEF, now=START, expiry_s=15.0, alive=lambda _: True)
            assert (await end).state is JobState.COMPLETED
            await asyncio.sleep(1.0)
            assert (await bench.store.jobs.get(second)).counters.done == 0
            await bench.store.jobs.release(second, THIEF)
            assert (await bench.run(second)).counters.cached == 1

    virtually(main())


def test_the_budget_counts_what_was_spent_before(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        # Each answer costs 10 x 100 + 5 x 400 = 3,000 nano-dollars, and is bounded by about eight times as much.
        knobs = Knobs(concurrency=1, budget_nano=60_000)
        async with open_bench(path, prices=PRICES) as bench:
            job_id = await bench.add(rows(40), knobs, params={"max_tokens": 5}, cache=CacheMode.OFF)
            end = await bench.controller.start(job_id)
            await until(bench, 5)
            await bench.engine.drain()  # what is cut off on its way would count as spent at its worst
            await end
        async with open_bench(path, prices=PRICES, token="later") as bench:
            job: Job = await bench.run(job_id)
            assert (job.state, job.reason) == (JobState.PAUSED, PauseReason.BUDGET)
            assert 30_000 <= job.counters.cost_nano <= 60_000

    virtually(main())


def test_the_log_says_what_happened_to_a_job(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 1.0, failed(OutcomeClass.QUOTA, "no credit \ud800 left", 402) if prompt == "row 9" else ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job_id = await bench.add(rows(20), FOUR)
            await bench.run(job_id)
            bench.executor.script = echo
            end = await bench.controller.start(job_id)
            await until(bench, 14)
            await bench.controller.pause(job_id)
            await end
            await bench.run(job_id)
            log = [(event.level, event.text) for event in await bench.store.events.tail(job_id=job_id)]
            assert log == [
                ("info", "started"),
                ("warning", "paused (quota): no credit ? left"),
                ("info", "goes on"),
                ("info", "paused (user)"),
                ("info", "goes on"),
                ("info", "completed: 20 done, 0 dead"),
            ]

    virtually(main())


def test_the_log_says_what_happened_to_deployments_and_the_disk(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        now = asyncio.get_running_loop().time()
        if now < 5.0:
            return 1.0, failed(OutcomeClass.CONNECTION)
        if 20.0 < now < 22.0:
            return 1.0, failed(OutcomeClass.RATE_LIMITED, status=429, retry_after_s=30.0)
        return 1.0, ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            end = await bench.controller.start(await bench.add(rows(200), FOUR))
            await asyncio.sleep(60.0)
            wrap, _ = refusing(3)
            bench.store.items.pending_page = wrap(bench.store.items.pending_page)  # type: ignore[method-assign]
            bench.engine.rewind(1, Undone())
            await end
            await asyncio.sleep(2.0)
            log = [(event.level, event.text) for event in await bench.store.events.tail() if event.job_id is None]
            assert log[:2] == [
                ("warning", "m @ one fails: no requests but for a probe now and then"),
                ("info", "m @ one answers again"),
            ]
            assert log[2][1].startswith("m @ one asks to wait")
            assert log[-2:] == [("error", "not dispatching: the disk is full"), ("info", "the database works again")]

    virtually(main())


def test_nothing_is_kept_of_a_job_that_ended(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            for _ in range(3):
                job_id = await bench.add([f"row {n}" for n in range(20)], FOUR)
                end = await bench.controller.start(job_id)
                await until(bench, 4)
                await bench.controller.pause(job_id)
                assert (await end).state is JobState.PAUSED
                del end
            await asyncio.sleep(1)
            gc.collect()
            over = [task for task in gc.get_objects() if isinstance(task, asyncio.Task) and task.done()]
            assert [task for task in over if "_announce" in repr(task.get_coro())] == []

    virtually(main())


def test_retry_of_a_job_at_rest_reopens_it(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (0.1, failed(OutcomeClass.BAD_REQUEST))) as bench:
            job_id = await bench.add(rows(3), FOUR)
            assert (await bench.run(job_id)).counters.dead == 3
            assert await bench.controller.retry(job_id, Selection()) == 3
            assert (await bench.store.jobs.get(job_id)).state is JobState.PAUSED
            bench.executor.script = echo
            assert (await bench.run(job_id)).counters.done == 3

    virtually(main())
