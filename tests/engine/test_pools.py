"""Several servers with the same model as one pool, and models that stand in for one another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine_bench import Bench, failed, ok, open_bench

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.job import Job, JobState, Knobs, Mode, ModelRef, PauseReason
from tui_batch.domain.outcome import Outcome, OutcomeClass

NAMES = ("one", "two", "three")
POOL = tuple(Endpoint(name, Api.OPENAI, f"http://{name}.test/v1") for name in NAMES)
SAME_MODEL = (ModelRef("m", NAMES),)
IN_TURN = (ModelRef("first", ("one",)), ModelRef("second", ("two",)))
DEAD = 0.01, failed(OutcomeClass.CONNECTION, "connection refused")
GONE = 0.05, failed(OutcomeClass.NOT_FOUND, "model m not found, try pulling it first", 404)

Behaviour = Callable[[str, float], tuple[float, Outcome]]
"""(endpoint, seconds since the start) -> seconds it takes, and what comes of it."""


async def run_pool(bench: Bench, rows: int, behave: Behaviour, knobs: Knobs, **spec: Any) -> Job:
    """Runs a job on the pool, each server behaving as it is told."""
    start = asyncio.get_running_loop().time()

    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        at, endpoint, _ = bench.executor.sent[-1]
        return behave(endpoint, at - start)

    bench.executor.script = script
    changes = {"endpoints": POOL, "models": SAME_MODEL, **spec}
    return await bench.run(await bench.add([f"row {n}" for n in range(rows)], knobs, **changes))


def shares(bench: Bench) -> Counter[str]:
    """Requests by endpoint."""
    return Counter(endpoint for _, endpoint, _ in bench.executor.sent)


def test_equal_servers_share_alike(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job = await run_pool(bench, 300, lambda name, at: (1.0, ok()), Knobs(concurrency=12))
            assert job.counters.done == 300
            assert all(90 <= count <= 110 for count in shares(bench).values())

    virtually(main())


def test_a_slow_server_gets_less_and_holds_nothing_up(tmp_path: Path, virtually: Any) -> None:
    def behave(name: str, at: float) -> tuple[float, Outcome]:
        return (8.0 if name == "three" else 1.0), ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            start = asyncio.get_running_loop().time()
            await run_pool(bench, 600, behave, Knobs(concurrency=12))
            found = shares(bench)
            assert 5 <= found["three"] <= 60
            assert abs(found["one"] - found["two"]) <= 60
            assert asyncio.get_running_loop().time() - start < 75.0

    virtually(main())


def test_a_server_that_was_slow_only_at_first_gets_its_share_back(tmp_path: Path, virtually: Any) -> None:
    """A first answer takes as long as loading the model does."""

    def behave(name: str, at: float) -> tuple[float, Outcome]:
        return (40.0 if name == "two" and at < 1.0 else 1.0), ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            await run_pool(bench, 1200, behave, Knobs(concurrency=6), models=(ModelRef("m", ("one", "two")),))
            late = Counter(endpoint for _, endpoint, _ in bench.executor.sent[-300:])
            assert late["two"] >= 100

    virtually(main())


def test_a_server_without_the_model_leaves_the_pool_and_the_job_goes_on(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job = await run_pool(
                bench, 200, lambda name, at: GONE if name == "two" else (1.0, ok()), Knobs(concurrency=6)
            )
            assert (job.state, job.counters.done, job.counters.dead) == (JobState.COMPLETED, 200, 0)
            assert shares(bench)["two"] <= 6
            lane = next(lane for lane in bench.engine.snapshot().lanes if lane.endpoint == "two")
            assert "try pulling it first" in lane.closed
            attempts = [row.attempts async for page in bench.store.items.export(job.id) for row in page]
            assert set(attempts) == {1}

    virtually(main())


def test_the_job_pauses_only_when_no_server_has_the_model(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job = await run_pool(bench, 50, lambda name, at: GONE, Knobs(concurrency=6))
            assert (job.state, job.reason, job.counters.pending) == (JobState.PAUSED, PauseReason.NOT_FOUND, 50)
            assert "try pulling it first" in job.message
            assert set(shares(bench)) == set(NAMES)
            bench.executor.script = lambda prompt, before: (1.0, ok())
            again = await bench.run(job.id)
            assert (again.state, again.counters.done) == (JobState.COMPLETED, 50)

    virtually(main())


def test_a_dead_server_is_left_alone_and_comes_back_when_it_answers(tmp_path: Path, virtually: Any) -> None:
    def behave(name: str, at: float) -> tuple[float, Outcome]:
        return DEAD if name == "two" and at < 40.0 else (1.0, ok())

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            start = asyncio.get_running_loop().time()
            job = await run_pool(bench, 600, behave, Knobs(concurrency=6))
            assert (job.state, job.counters.done, job.counters.dead) == (JobState.COMPLETED, 600, 0)
            while_dead = [at for at, name, _ in bench.executor.sent if name == "two" and at - start < 40.0]
            assert len(while_dead) <= 20
            late = Counter(name for at, name, _ in bench.executor.sent if at - start > 80.0)
            assert late["two"] >= 0.25 * sum(late.values()) > 0

    virtually(main())


def test_a_server_that_fails_fast_does_not_draw_the_work_to_itself(tmp_path: Path, virtually: Any) -> None:
    """Every third request fails at once: too few for the breaker."""
    calls = Counter[str]()

    def behave(name: str, at: float) -> tuple[float, Outcome]:
        calls[name] += 1
        if name == "three" and calls[name] % 3 == 0:
            return 0.01, failed(OutcomeClass.SERVER_ERROR, "out of memory")
        return 1.0, ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job = await run_pool(bench, 600, behave, Knobs(concurrency=12))
            assert (job.counters.done, job.counters.dead) == (600, 0)
            assert shares(bench)["three"] < shares(bench)["one"]

    virtually(main())


def test_a_model_that_fails_hands_its_rows_to_the_next_when_its_attempts_are_spent(
    tmp_path: Path, virtually: Any
) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            calls = Counter[str]()

            def script(prompt: str, before: int) -> tuple[float, Outcome]:
                name = bench.executor.sent[-1][1]
                calls[prompt] += name == "one"
                bad = name == "one" and prompt == "row 7"
                return 0.1, failed(OutcomeClass.SERVER_ERROR, "it broke") if bad else ok()

            bench.executor.script = script
            rows = [f"row {n}" for n in range(30)]
            spec = {"endpoints": POOL, "models": IN_TURN, "mode": Mode.FALLBACK, "max_attempts": 2}
            job = await bench.run(await bench.add(rows, Knobs(concurrency=4), **spec))
            assert (job.counters.done, job.counters.dead) == (30, 0)
            assert calls["row 7"] == 2
            exported = [row async for page in bench.store.items.export(job.id) for row in page]
            assert [row.seq for row in exported if row.model == "second"] == [7]

    virtually(main())


def test_a_row_that_every_model_fails_is_dead_after_the_attempts_of_all(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:

            def behave(name: str, at: float) -> tuple[float, Outcome]:
                return 0.1, failed(OutcomeClass.MALFORMED, "not JSON", 200)

            job = await run_pool(
                bench, 1, behave, Knobs(concurrency=4), models=IN_TURN, mode=Mode.FALLBACK, max_malformed=2
            )
            assert job.counters.dead == 1
            assert [name for _, name, _ in bench.executor.sent] == ["one", "one", "two", "two"]

    virtually(main())


def test_a_busy_first_model_is_waited_for_and_an_unwell_one_is_not(tmp_path: Path, virtually: Any) -> None:
    busy = (Endpoint("one", Api.OPENAI, "http://one.test/v1", rpm=30, max_in_flight=2), *POOL[1:])

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            models = {"endpoints": busy, "models": IN_TURN, "mode": Mode.FALLBACK}
            await run_pool(bench, 60, lambda name, at: (1.0, ok()), Knobs(concurrency=8), **models)
            assert shares(bench) == {"one": 60}
            bench.executor.sent.clear()
            down: Behaviour = lambda name, at: DEAD if name == "one" else (1.0, ok())  # noqa: E731
            job = await run_pool(bench, 61, down, Knobs(concurrency=8), **{**models, "endpoints": POOL})
            assert (job.counters.done, job.counters.dead) == (61, 0)
            assert shares(bench)["two"] >= 1

    virtually(main())
