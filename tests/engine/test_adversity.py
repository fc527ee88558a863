"""Verbs at the worst moment, databases that refuse for a while, leases that are lost: nothing hangs, nothing lies."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_bench import ENDPOINT, echo, failed, ok, open_bench, rows, until
from refusing import refusing
from thief import THIEF, steal
from virtual_time import START

from tui_batch.domain.job import JobState, Knobs, PauseReason
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.engine.control import Controller, Verb
from tui_batch.engine.endings import LOST, gravity
from tui_batch.engine.engine import PATIENCE_S
from tui_batch.engine.lane import Halt
from tui_batch.engine.lease import LEASE_S
from tui_batch.errors import UserError
from tui_batch.money.prices import UnitPrices
from tui_batch.store.store import open_store

FOUR = Knobs(concurrency=4)


async def test_reasons_to_stop_have_an_order() -> None:
    pause, end = Halt(JobState.PAUSED, PauseReason.USER), Halt(JobState.CANCELLED)
    assert gravity(pause) < gravity(Halt(JobState.FAILED)) < gravity(end) < gravity(LOST)


def test_a_job_that_is_cancelled_while_it_pauses_is_cancelled(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (30.0, ok())) as bench:
            job_id = await bench.add(rows(12), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            await bench.controller.pause(job_id)
            await bench.controller.cancel(job_id)
            await asyncio.sleep(1.0)
            seen = await bench.store.jobs.get(job_id)
            assert (seen.state, seen.counters.cancelled) == (JobState.CANCELLED, 12)
            with pytest.raises(UserError, match="cancelled"):
                await bench.controller.resume(job_id)
            job = await end
            assert (job.state, job.counters.done, job.counters.cancelled) == (JobState.CANCELLED, 4, 8)

    virtually(main())


def test_who_lost_a_job_while_pausing_it_leaves_the_new_owners_state_alone(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path, lambda p, n: (30.0, ok())) as bench:
            job_id = await bench.add(rows(12), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            await bench.controller.pause(job_id)
            await asyncio.sleep(0.1)
            await steal(path, job_id)
            job = await end
            assert (job.state, job.owner) == (JobState.RUNNING, THIEF)
            assert len(bench.executor.sent) == 4

    virtually(main())


def test_a_job_that_was_deleted_under_a_lost_owner_ends_with_an_error(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path) as bench:
            job_id = await bench.add(rows(40), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            async with open_store(path, clock=lambda: START + 1e6) as other:
                await other.jobs.delete(job_id, alive=lambda _: True, expiry_s=15.0)
            with pytest.raises(UserError, match="no job"):
                await asyncio.wait_for(end, 30.0)

    virtually(main())


def test_stopping_in_the_moment_of_dispatch_leaves_nothing_behind(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (1000.0, ok())) as bench:
            job_id = await bench.add(rows(50), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            bench.engine.turn(job_id, Knobs(concurrency=20))  # the next turn of the loop sends sixteen more
            before = loop.time()
            await bench.engine.stop()
            job = await end
            assert loop.time() - before < 1.0
            assert (job.state, job.counters.pending, job.owner) == (JobState.PAUSED, 50, None)
            bench.executor.script = echo
            assert (await bench.run(job_id)).counters.done == 50

    virtually(main())


def test_a_job_is_not_started_twice_in_one_process(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(20), FOUR)
            answers = await asyncio.gather(*(bench.controller.start(job_id) for _ in range(3)), return_exceptions=True)
            ends = [answer for answer in answers if not isinstance(answer, BaseException)]
            refused = [answer.message for answer in answers if isinstance(answer, UserError)]
            assert refused == ["job 1 runs already"] * 2
            assert len(ends) == 1
            with pytest.raises(UserError, match="runs already"):
                await bench.controller.start(job_id)
            assert (await ends[0]).counters.requests == 20

    virtually(main())


def test_pause_and_resume_in_one_breath_leave_the_job_running(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(40), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            run = bench.engine.find(job_id)
            assert run is not None
            resuming = asyncio.ensure_future(bench.controller.apply(job_id, Verb.RESUME, {}))
            bench.engine.halt(run, Halt(JobState.PAUSED, PauseReason.ERROR_RATE, "just now"))
            await resuming
            await asyncio.sleep(0.2)
            assert (await bench.store.jobs.get(job_id)).state is JobState.RUNNING
            assert (await end).counters.done == 40

    virtually(main())


@pytest.mark.parametrize("verb", ["set_state", "release", "get"])
def test_trouble_while_a_job_ends_is_over_when_it_is_over(tmp_path: Path, virtually: Any, verb: str) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            first, second = await bench.add(rows(4), FOUR), await bench.add(rows(4), FOUR)
            end = await bench.controller.start(first)
            await until(bench, 4)
            wrap, refusals = refusing(3)
            setattr(bench.store.jobs, verb, wrap(getattr(bench.store.jobs, verb)))
            assert (await end).state is JobState.COMPLETED
            assert len(refusals) == 3
            assert bench.engine.snapshot().trouble == ""
            assert (await bench.run(second)).state is JobState.COMPLETED

    virtually(main())


def test_stopping_does_not_wait_for_ever_for_a_disk_that_refuses(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(40), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            wrap, _ = refusing(float("inf"))
            bench.store.jobs.set_state = wrap(None)  # type: ignore[method-assign]
            before = loop.time()
            await bench.engine.stop()
            with pytest.raises(UserError, match="given up: the disk is full"):
                await end
            assert loop.time() - before < PATIENCE_S + 1.0

    virtually(main())


def test_items_that_come_back_in_the_last_moment_are_not_called_completed(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 0.1, failed(OutcomeClass.BAD_REQUEST) if prompt == "row 3" and before == 0 else ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job_id = await bench.add(rows(8), FOUR)
            count = bench.store.items.count_pending

            async def counted(number: int) -> int:
                pending = await count(number)
                await bench.store.jobs.retry(number)
                return pending

            bench.store.items.count_pending = counted  # type: ignore[method-assign]
            job = await bench.run(job_id)
            assert (job.state, job.counters.pending) == (JobState.PAUSED, 1)
            bench.store.items.count_pending = count  # type: ignore[method-assign]
            assert (await bench.run(job_id)).counters.done == 8

    virtually(main())


def test_a_verb_for_an_owner_that_has_just_gone_is_done_here(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(4), FOUR)
            await bench.store.jobs.acquire(job_id, THIEF, now=START, expiry_s=15.0, alive=lambda _: True)
            await bench.store.jobs.set_state(job_id, JobState.RUNNING, now=START)
            order = asyncio.ensure_future(bench.controller.pause(job_id))
            await asyncio.sleep(0.2)
            await bench.store.jobs.release(job_id, THIEF)
            await order
            assert loop.time() < 1.5
            assert (await bench.store.jobs.get(job_id)).state is JobState.PAUSED

    virtually(main())


def test_nothing_is_sent_once_the_lease_may_be_anothers(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(400), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            renew = bench.store.jobs.heartbeat
            wrap, _ = refusing(float("inf"))
            bench.store.jobs.heartbeat = wrap(renew)  # type: ignore[method-assign]
            await asyncio.sleep(60.0)
            last = max(at for at, _, _ in bench.executor.sent)
            assert LEASE_S - 2.0 <= last <= LEASE_S + 1.0
            bench.store.jobs.heartbeat = renew  # type: ignore[method-assign]
            assert (await end).counters.done == 400

    virtually(main())


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"concurrency": "many"}, "concurrency"),
    ({"concurrency": 0}, "concurrency"),
    ({"rpm": -1}, "rpm"),
    ({"tpm": 1.5}, "tpm"),
    ({"budget_nano": True}, "budget_nano"),
    ({"priority": None}, "priority"),
    ({"tags": {"a": 1}}, "tags"),
    ({"speed": 1}, "unknown knob: speed"),
]


def test_a_knob_takes_no_nonsense_from_anyone(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path) as bench, open_store(path, clock=lambda: START) as store:
            other = Controller(store, None, clock=lambda: START, alive=lambda _: True)
            job_id = await bench.add(rows(40), FOUR)
            end = await bench.controller.start(job_id)
            for changes, named in NONSENSE:
                with pytest.raises(UserError, match=named):
                    await other.turn(job_id, changes)
            assert not end.done(), "it was running when it was asked"
            job = await end
            assert (job.knobs, job.counters.done) == (FOUR, 40)

    virtually(main())


def test_a_defect_behind_the_executor_ends_the_job_with_words(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        if prompt == "row 5":
            raise RuntimeError("a defect")
        return 1.0, ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job = await bench.run(await bench.add(rows(40), FOUR))
            assert (job.state, job.message) == (JobState.FAILED, "RuntimeError: a defect")
            assert job.counters.pending + job.counters.done == 40

    virtually(main())


def test_a_defect_in_dispatching_ends_the_jobs_with_words(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(40), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            run = bench.engine.find(job_id)
            assert run is not None
            run.knobs = replace(run.knobs, priority=None)  # type: ignore[arg-type]
            job = await asyncio.wait_for(end, 30.0)
            assert (job.state, job.counters.done) == (JobState.FAILED, 4)
            assert job.message.startswith("TypeError")

    virtually(main())


def without_price(*_: Any) -> int:
    """A defect in the midst of landing."""
    raise AttributeError("no price")


def test_a_defect_in_taking_an_answer_in_ends_the_job_with_words(
    tmp_path: Path, virtually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(40), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 6)
            monkeypatch.setattr("tui_batch.engine.landing.price_of", without_price)
            job = await asyncio.wait_for(end, 30.0)
            assert (job.state, job.message) == (JobState.FAILED, "AttributeError: no price")

    virtually(main())


def test_a_defect_in_one_job_lets_the_rows_of_another_go_on_that_wait_for_its_request(
    tmp_path: Path, virtually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            first, second = await bench.add(["same"], FOUR), await bench.add(["same"], FOUR)
            end, other = [await bench.controller.start(job_id) for job_id in (first, second)]
            await until(bench, 1)
            await asyncio.sleep(0.5)
            with monkeypatch.context() as patch:
                patch.setattr("tui_batch.engine.landing.price_of", without_price)
                assert (await asyncio.wait_for(end, 30.0)).state is JobState.FAILED
            assert (await asyncio.wait_for(other, 30.0)).counters.done == 1

    virtually(main())


def test_a_database_that_breaks_while_money_is_set_aside_ends_the_job_with_words(
    tmp_path: Path, virtually: Any
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", prices=UnitPrices.per_mtok("10", "40")) as bench:
            job_id = await bench.add(rows(4), replace(FOUR, budget_nano=10**12), params={"max_tokens": 10})
            bench.store.ledger.secure = broken  # type: ignore[method-assign]
            job = await asyncio.wait_for(await bench.controller.start(job_id), 30.0)
            assert (job.state, job.message) == (JobState.FAILED, "DatabaseError: database disk image is malformed")
            assert bench.executor.sent == []

    virtually(main())


def test_a_job_whose_end_cannot_be_written_ends_for_who_waits_for_it(tmp_path: Path, virtually: Any) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(4), FOUR, endpoints=(replace(ENDPOINT, rpm=1),))
            end = await bench.controller.start(job_id)
            await until(bench, 1)
            await asyncio.sleep(5.0)  # nothing is in flight: the next may go in a minute
            bench.store.jobs.set_state = broken  # type: ignore[method-assign]
            run = bench.engine.find(job_id)
            assert run is not None
            assert run.in_flight == 0
            bench.engine.halt(run, Halt(JobState.PAUSED, PauseReason.USER))
            with pytest.raises(sqlite3.DatabaseError):
                await asyncio.wait_for(end, 30.0)

    virtually(main())


def test_a_keeper_that_breaks_ends_the_jobs_with_words(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(400), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)

            async def broken(*_: Any) -> set[int]:
                raise sqlite3.DatabaseError("database disk image is malformed")

            bench.store.jobs.heartbeat = broken  # type: ignore[method-assign]
            job = await end
            assert (job.state, job.message) == (
                JobState.FAILED,
                "DatabaseError: database disk image is malformed",
            )

    virtually(main())


def test_answers_with_figures_that_no_database_holds_are_not_asked_for_without_end(
    tmp_path: Path, virtually: Any
) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 1.0, ok(tokens_in=10**15, tokens_out=10**15)

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script, prices=UnitPrices.per_mtok("10", "40")) as bench:
            job = await bench.run(await bench.add(rows(3), FOUR))
            assert (job.state, job.counters.dead) == (JobState.COMPLETED, 3)
            assert len(bench.executor.sent) == 3

    virtually(main())
