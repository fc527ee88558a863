"""Dead items discarded and edited while their job runs, here and from another process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from engine_bench import failed, ok, open_bench, until
from recount import counters_by_items
from virtual_time import START

from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import JobState, Knobs
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.engine.control import Controller
from tui_batch.errors import UserError
from tui_batch.store.store import open_store


def odd_ones_fail(prompt: str, _: int) -> tuple[float, Outcome]:
    """Every prompt that says so is refused."""
    return 1.0, failed(OutcomeClass.BAD_REQUEST, "odd", 400) if "odd" in prompt else ok()


def prompts(count: int) -> list[str]:
    return [f"row {n}{' odd' if n % 8 == 7 else ''}" for n in range(count)]


def test_discarding_while_a_job_runs_keeps_its_figures_true(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path, odd_ones_fail) as bench, open_store(path, clock=lambda: START) as there:
            job_id = await bench.add(prompts(64), Knobs(concurrency=4))
            end = await bench.controller.start(job_id)
            await until(bench, 20)
            other = Controller(
                there, None, clock=lambda: START + asyncio.get_running_loop().time(), alive=lambda _: True
            )
            assert await other.discard(job_id, Selection(frozenset({OutcomeClass.BAD_REQUEST}))) >= 1
            assert bench.engine.snapshot().jobs[0].counters.cancelled >= 1
            job = await end
            assert job.state is JobState.COMPLETED
            assert (job.counters.done, job.counters.dead + job.counters.cancelled) == (56, 8)
            assert job.counters.cancelled >= 1

            def by_items(conn: Any) -> dict[str, int]:
                return counters_by_items(conn, job_id)

            assert (await there._feed.run(by_items))["cancelled"] == job.counters.cancelled

    virtually(main())


def test_a_row_that_can_no_longer_be_sent_is_no_first_attempt(tmp_path: Path, virtually: Any) -> None:
    def refused(prompt: str, _: int) -> tuple[float, Outcome]:
        return 1.0, failed(OutcomeClass.RATE_LIMITED, "later", 429, retry_after_s=60.0)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", refused) as bench:
            job_id = await bench.add(["row"])
            end = await bench.controller.start(job_id)
            await until(bench, 1)
            await asyncio.sleep(2.0)
            await bench.controller.pause(job_id)
            await end
            (item,) = await bench.store.items.page(job_id, limit=9)
            await bench.controller.edit(item.id, {"other": "no prompt"})
            assert (await bench.run(job_id)).counters.dead == 1
            attempts = (await bench.store.items.detail(item.id)).attempts
            assert [(one.number, one.cls) for one in attempts] == [
                (1, OutcomeClass.RATE_LIMITED),
                (2, OutcomeClass.BAD_REQUEST),
            ]

    virtually(main())


def test_an_edited_dead_item_is_sent_as_edited(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", odd_ones_fail) as bench:
            job_id = await bench.add(prompts(8))
            assert (await bench.run(job_id)).counters.dead == 1
            item_id = (await bench.store.items.errors(job_id))[0].example_id
            await bench.controller.edit(item_id, {"prompt": "even"})
            assert await bench.controller.retry(job_id, Selection(item_ids=(item_id,))) == 1
            job = await bench.run(job_id)
            assert (job.counters.done, job.counters.dead) == (8, 0)
            assert bench.executor.prompts[-1] == "even"

    virtually(main())


def test_a_pending_item_of_a_running_job_is_not_edited_behind_its_back(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(prompts(16), Knobs(concurrency=1))
            last = (await bench.store.items.pending_page(job_id, limit=100))[-1].id
            await bench.controller.edit(last, {"prompt": "before"})
            end = await bench.controller.start(job_id)
            await until(bench, 2)
            with pytest.raises(UserError, match="may be on its way"):
                await bench.controller.edit(last, {"prompt": "too late"})
            await end
            assert bench.executor.prompts[-1] == "before"

    virtually(main())
