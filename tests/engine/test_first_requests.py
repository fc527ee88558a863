"""The first requests to a server: a few until it has said something, unless its limits are known."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_bench import ENDPOINT, ok, open_bench

from tui_batch.domain.job import JobState, Knobs
from tui_batch.domain.outcome import Outcome, OutcomeClass, RateHeaders, Window
from tui_batch.engine.scheduler import Scheduler

MANY = Knobs(concurrency=64)


def rows(count: int) -> list[str]:
    return [f"row {n}" for n in range(count)]


def test_a_limit_in_the_first_answers_is_known_before_it_is_passed(tmp_path: Path, virtually: Any) -> None:
    stated = replace(ok(), limits=RateHeaders(Window(20, 12, 60.0)))

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (0.3, stated)) as bench:
            job = await bench.run(await bench.add(rows(60), MANY))
            assert job.state is JobState.COMPLETED
            first_minute = [at for at, _, _ in bench.executor.sent if at < 60.0]
            assert len(first_minute) <= 20

    virtually(main())


def test_a_slow_first_answer_holds_up_the_rest_for_a_second_only(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (20.0, ok())) as bench:
            await bench.run(await bench.add(rows(64), MANY))
            times = [at for at, _, _ in bench.executor.sent]
            assert times[-1] - times[0] <= 1.5

    virtually(main())


def test_where_a_limit_is_known_its_share_of_a_second_goes_at_once_and_the_rest_within_half_a_second(
    tmp_path: Path, virtually: Any
) -> None:
    known = replace(ENDPOINT, rpm=1_200)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (20.0, ok())) as bench:
            await bench.run(await bench.add(rows(64), MANY, endpoints=(known,)))
            times = [at for at, _, _ in bench.executor.sent]
            assert sum(at <= times[0] + 0.05 for at in times) == 20
            assert times[-1] - times[0] <= 0.5

    virtually(main())


def test_a_server_that_counts_a_known_limit_by_the_second_refuses_few(tmp_path: Path, virtually: Any) -> None:
    known = replace(ENDPOINT, rpm=600)

    async def main() -> None:
        taken: list[float] = []

        def script(prompt: str, before: int) -> tuple[float, Outcome]:
            now = asyncio.get_running_loop().time()
            if sum(at > now - 1.0 for at in taken[-10:]) >= 10:
                return 0.01, Outcome(OutcomeClass.RATE_LIMITED, status=429, message="slower", retry_after_s=1.0)
            taken.append(now)
            return 0.3, ok()

        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job = await bench.run(await bench.add(rows(300), MANY, endpoints=(known,)))
            assert job.counters.done == 300
            assert len(bench.executor.sent) <= 312

    virtually(main())


def test_refusals_by_chance_do_not_cut_what_may_be_in_flight(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        if before == 0 and hash_of(prompt) % 20 == 0:
            return 0.02, Outcome(OutcomeClass.RATE_LIMITED, status=429, message="no reason")
        return 0.15 + 0.3 * (hash_of(prompt) % 97) / 97, ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job = await bench.run(await bench.add(rows(1500)))
            assert job.counters.done == 1500
            times = [at for at, _, _ in bench.executor.sent]
            lately = sum(at > times[-1] - 10.0 for at in times)
            assert lately / 10.0 >= 0.6 * 8 / 0.3

    virtually(main())


def hash_of(prompt: str) -> int:
    """A number that scatters neighbouring rows."""
    return int(prompt.split()[-1]) * 7919 % 1009


def test_looking_for_what_may_go_costs_less_the_faster_the_server_is(
    tmp_path: Path, virtually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    dispatch = Scheduler._dispatch

    def counted(self: Scheduler, now: float) -> list[float | None]:
        looks.append(now)
        return dispatch(self, now)

    monkeypatch.setattr(Scheduler, "_dispatch", counted)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (0.05, ok())) as bench:
            job = await bench.run(await bench.add(rows(900), Knobs(concurrency=256)))
            assert job.counters.done == 900

    virtually(main())

    assert len(looks) < 600
