"""One job from start to end: everything is answered, once, in order, within its limits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from engine_bench import ENDPOINT, Bench, failed, ok, open_bench

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.item import ItemState
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import CacheMode, JobState, Knobs, Mode, ModelRef, PauseReason
from tui_batch.domain.outcome import Outcome, OutcomeClass

FOUR = Knobs(concurrency=4)
SERVER = OutcomeClass.SERVER_ERROR


def rows(count: int) -> list[str]:
    return [f"row {n}" for n in range(count)]


def test_every_row_gets_its_own_answer(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job = await bench.run(await bench.add(rows(1300), FOUR))
            assert job.state is JobState.COMPLETED
            assert (job.counters.done, job.counters.pending, job.counters.requests) == (1300, 0, 1300)
            assert await bench.texts(job.id) == [f"answer to row {n}" for n in range(1300)]
            assert job.owner is None

    virtually(main())


def test_no_more_than_n_in_flight_and_no_fewer(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            start = asyncio.get_running_loop().time()
            await bench.run(await bench.add(rows(40), FOUR))
            assert bench.executor.most_in_flight == 4
            assert asyncio.get_running_loop().time() - start < 11.0

    virtually(main())


def test_a_job_that_only_waits_to_try_again_says_until_when(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda _, n: (1.0, ok() if n else failed(SERVER))) as bench:
            end = await bench.controller.start(await bench.add(["row"], FOUR))
            await asyncio.sleep(1.001)
            (job,) = bench.engine.snapshot().jobs
            assert (job.in_flight, job.waiting) == (0, 1)
            assert job.hold is not None
            assert job.hold.what == "the next retry"
            asked_again = asyncio.get_running_loop().time() + (job.hold.seconds or 0.0)
            assert (await end).state is JobState.COMPLETED
            assert asyncio.get_running_loop().time() == pytest.approx(asked_again + 1.0, abs=0.5)

    virtually(main())


def test_urgent_rows_go_first_then_row_order(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            data = [{"prompt": f"row {n}", "priority": 20 if n in (5, 7) else 0} for n in range(9)]
            await bench.run(await bench.add(data, Knobs(concurrency=1)))
            assert bench.executor.prompts[:4] == ["row 5", "row 7", "row 0", "row 1"]

    virtually(main())


def test_equal_prompts_are_paid_for_once(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            first = await bench.run(await bench.add(["same"] * 700 + ["other"], FOUR))
            assert (first.counters.done, first.counters.cached, first.counters.requests) == (701, 699, 2)
            again = await bench.run(await bench.add(["same", "other"], FOUR))
            assert (again.counters.cached, again.counters.requests) == (2, 0)
            assert await bench.texts(again.id) == ["answer to same", "answer to other"]
            fresh = await bench.run(await bench.add(["same"], FOUR, cache=CacheMode.OFF))
            assert (fresh.counters.cached, fresh.counters.requests) == (0, 1)

    virtually(main())


def test_a_failed_leader_leaves_its_followers_their_own_turn(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 1.0, failed(OutcomeClass.BAD_REQUEST) if before == 0 else ok("second try")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job = await bench.run(await bench.add(["same"] * 3, FOUR))
            assert (job.counters.dead, job.counters.done, job.counters.requests) == (1, 2, 2)

    virtually(main())


def test_requests_per_minute_are_kept_and_used(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (0.1, ok())) as bench:
            await bench.run(await bench.add(rows(150), Knobs(concurrency=64, rpm=60)))
            times = [at for at, _, _ in bench.executor.sent]
            assert all(late - early >= 60.0 for early, late in zip(times, times[60:], strict=False))
            assert times[-1] - times[0] < 122.0

    virtually(main())


def test_failures_are_retried_kept_and_counted(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.5, ok() if before == 2 else failed(OutcomeClass.SERVER_ERROR, "it broke")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job = await bench.run(await bench.add(["one"], FOUR))
            assert (job.counters.done, job.counters.requests) == (1, 3)
            page = await bench.store.items.page(job.id, limit=1)
            detail = await bench.store.items.detail(page[0].id)
            assert [attempt.message for attempt in detail.attempts] == ["it broke", "it broke"]

    virtually(main())


def test_dead_items_can_be_retried(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.1, failed(OutcomeClass.BAD_REQUEST) if prompt == "row 3" and before == 0 else ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job_id = await bench.add(rows(30), FOUR)
            job = await bench.run(job_id)
            assert (job.state, job.counters.dead) == (JobState.COMPLETED, 1)
            assert await bench.controller.retry(job_id, Selection(frozenset({OutcomeClass.TIMEOUT}))) == 0
            assert await bench.controller.retry(job_id, Selection()) == 1
            job = await bench.run(job_id)
            assert (job.counters.dead, job.counters.done) == (0, 30)

    virtually(main())


def test_quota_pauses_with_the_providers_words_and_costs_no_attempt(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.1, failed(OutcomeClass.QUOTA, "You exceeded your current quota", 429)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job = await bench.run(await bench.add(rows(500), FOUR))
            assert (job.state, job.reason, job.message) == (
                JobState.PAUSED,
                PauseReason.QUOTA,
                "You exceeded your current quota",
            )
            assert job.counters.pending == 500
            assert len(bench.executor.sent) <= 4
            page = await bench.store.items.page(job.id, limit=10)
            assert {row.attempts for row in page} == {0}

    virtually(main())


def test_refused_rows_that_are_tried_again_pause_no_job_that_works(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        number = int(prompt.split()[-1])
        return 0.1, (failed(OutcomeClass.REFUSED, "I cannot", 200) if number % 2 else ok())

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job = await bench.run(await bench.add(rows(60), FOUR))
            assert (job.state, job.counters.done, job.counters.dead) == (JobState.COMPLETED, 30, 30)
            assert await bench.controller.retry(job.id, Selection()) == 30
            job = await bench.run(job.id)
            assert (job.state, job.reason, job.counters.dead) == (JobState.COMPLETED, None, 30)

    virtually(main())


def test_a_wrong_request_does_not_bury_thousands_of_rows(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.1, failed(OutcomeClass.BAD_REQUEST, "unknown parameter", 400)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job = await bench.run(await bench.add(rows(3000), FOUR))
            assert (job.state, job.reason) == (JobState.PAUSED, PauseReason.ERROR_RATE)
            assert job.counters.dead <= 24
            assert "unknown parameter" in job.message

    virtually(main())


def test_a_refused_key_drops_one_endpoint_when_others_serve_the_model(tmp_path: Path, virtually: Any) -> None:
    two = Endpoint("two", Api.OPENAI, "http://two.test/v1")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:

            def script(prompt: str, before: int) -> tuple[float, Outcome]:
                here = bench.executor.sent[-1][1]
                return 0.1, failed(OutcomeClass.AUTH, "bad key", 401) if here == "one" else ok()

            bench.executor.script = script
            job = await bench.run(
                await bench.add(rows(50), FOUR, endpoints=(ENDPOINT, two), models=(ModelRef("m", ("one", "two")),))
            )
            assert (job.state, job.counters.done) == (JobState.COMPLETED, 50)
            assert sum(endpoint == "one" for _, endpoint, _ in bench.executor.sent) <= 4

    virtually(main())


def test_each_model_answers_every_row(tmp_path: Path, virtually: Any) -> None:
    models = (ModelRef("small", ("one",)), ModelRef("large", ("one",)))

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job = await bench.run(await bench.add(rows(3), FOUR, models=models, mode=Mode.EACH))
            exported = [row async for page in bench.store.items.export(job.id) for row in page]
            assert [(row.seq, row.model) for row in exported] == [
                (seq, model) for seq in range(3) for model in ("small", "large")
            ]

    virtually(main())


def test_a_row_that_cannot_be_rendered_is_dead_with_the_reason(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            data = [{"prompt": "fine"}, {"other": "no prompt here"}]
            job = await bench.run(await bench.add(data, FOUR))
            assert (job.counters.done, job.counters.dead, job.counters.requests) == (1, 1, 1)
            (dead,) = [row for row in await bench.store.items.page(job.id, limit=5) if row.state is ItemState.DEAD]
            assert "prompt" in (await bench.store.items.detail(dead.id)).message

    virtually(main())


def test_two_jobs_of_equal_priority_share_and_a_higher_one_goes_first(tmp_path: Path, virtually: Any) -> None:
    one = Endpoint("one", Api.OPENAI, "http://one.test/v1", max_in_flight=2)

    async def run_all(bench: Bench, *ids: int) -> None:
        await asyncio.gather(*[await bench.controller.start(job_id) for job_id in ids])

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            a = await bench.add([f"a {n}" for n in range(40)], FOUR, endpoints=(one,))
            b = await bench.add([f"b {n}" for n in range(40)], FOUR, endpoints=(one,))
            await run_all(bench, a, b)
            first = [prompt[0] for prompt in bench.executor.prompts[:40]]
            assert 16 <= first.count("a") <= 24
            bench.executor.sent.clear()
            urgent = [{"prompt": f"low {n}", "priority": 20} for n in range(30)]  # among its own job's rows only
            low = await bench.add(urgent, FOUR, endpoints=(one,))
            high = await bench.add([f"high {n}" for n in range(30)], Knobs(concurrency=4, priority=5), endpoints=(one,))
            await run_all(bench, low, high)
            assert sum(prompt.startswith("high") for prompt in bench.executor.prompts[:34]) >= 30

    virtually(main())


def test_a_job_waiting_for_its_limit_does_not_block_another_deployment(tmp_path: Path, virtually: Any) -> None:
    slow = Endpoint("slow", Api.OPENAI, "http://slow.test/v1", rpm=1)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (0.1, ok())) as bench:
            waiting = await bench.add(
                [f"slow {n}" for n in range(3)],
                Knobs(concurrency=4, priority=9),
                endpoints=(slow,),
                models=(ModelRef("m", ("slow",)),),
            )
            quick = await bench.add(rows(100), FOUR)
            held = await bench.controller.start(waiting)
            job = await bench.run(quick)
            assert job.counters.done == 100
            assert asyncio.get_running_loop().time() < 10.0
            assert not held.done()
            snapshot = next(job for job in bench.engine.snapshot().jobs if job.id == waiting)
            assert snapshot.hold is not None
            assert snapshot.hold.what == "RPM"

    virtually(main())
