"""The verbs, given here and from another process, on jobs that run, wait or have ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_bench import ENDPOINT, failed, ok, open_bench, rows, until
from virtual_time import START

from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import Job, JobState, Knobs, Mode, ModelRef, Owner, PauseReason
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.engine.control import Controller
from tui_batch.errors import UserError
from tui_batch.store.store import open_store

FOUR = Knobs(concurrency=4)


@asynccontextmanager
async def other_process(path: Path) -> AsyncIterator[Controller]:
    """A controller with connections of its own and no engine, as a second process has."""
    async with open_store(path, clock=lambda: START) as store:
        yield Controller(store, None, clock=lambda: START + asyncio.get_running_loop().time(), alive=lambda _: True)


def test_pause_keeps_what_is_in_flight_and_resume_goes_on(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(40), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 8)
            await bench.controller.pause(job_id)
            job: Job = await end
            assert (job.state, job.reason) == (JobState.PAUSED, PauseReason.USER)
            assert job.counters.done == 8
            assert job.owner is None
            job = await bench.run(job_id)
            assert (job.state, job.counters.done, job.counters.requests) == (JobState.COMPLETED, 40, 40)

    virtually(main())


def test_resume_while_the_last_requests_are_still_in_flight(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", lambda p, n: (30.0, ok())) as bench:
            job_id = await bench.add(rows(12), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            await bench.controller.pause(job_id)
            await asyncio.sleep(1.0)
            assert (await bench.store.jobs.get(job_id)).state is JobState.PAUSED
            await bench.controller.resume(job_id)
            job = await end
            assert (job.state, job.counters.requests) == (JobState.COMPLETED, 12)

    virtually(main())


def test_cancel_keeps_answers_that_were_on_their_way(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(100), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 8)
            await bench.controller.cancel(job_id)
            job = await end
            assert job.state is JobState.CANCELLED
            assert (job.counters.done, job.counters.cancelled, job.counters.pending) == (8, 92, 0)

    virtually(main())


def test_turning_concurrency_takes_effect_at_once(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(60), Knobs(concurrency=1))
            end = await bench.controller.start(job_id)
            await until(bench, 2)
            await bench.controller.turn(job_id, {"concurrency": 16})
            await asyncio.sleep(0.5)
            assert bench.executor.in_flight == 16
            assert (await end).knobs.concurrency == 16

    virtually(main())


def test_verbs_from_another_process_reach_the_owner_in_time(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench, other_process(tmp_path / "jobs.db") as other:
            loop = asyncio.get_running_loop()
            job_id = await bench.add(rows(400), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            for order in (other.turn(job_id, {"concurrency": 2}), other.pause(job_id)):
                before = loop.time()
                await order
                assert loop.time() - before <= 0.25
            job = await end
            assert (job.state, job.knobs.concurrency) == (JobState.PAUSED, 2)

    virtually(main())


def test_another_process_may_not_start_what_runs_here(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path) as bench, open_bench(path, token="there") as second:
            job_id = await bench.add(rows(50), FOUR)
            end = await bench.controller.start(job_id)
            with pytest.raises(UserError, match="run by another process"):
                await second.controller.start(job_id)
            assert (await end).counters.requests == 50
            assert second.executor.sent == []

    virtually(main())


def test_a_process_that_lost_its_lease_stops_and_leaves_the_job_alone(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path) as bench:
            job_id = await bench.add(rows(400), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 8)
            async with open_store(path, clock=lambda: START) as thief:
                taken = await thief.jobs.acquire(
                    job_id, Owner("elsewhere", 2, "thief"), now=START + 1e6, expiry_s=15.0, alive=lambda _: True
                )
                assert taken
                await end
                assert len(bench.executor.sent) < 40
                job = await thief.jobs.get(job_id)
                assert (job.state, job.owner) == (JobState.RUNNING, Owner("elsewhere", 2, "thief"))

    virtually(main())


def test_a_dead_owners_job_is_paused_and_can_be_resumed(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path) as bench:
            job_id = await bench.add(rows(20), FOUR)
            ghost = Owner("elsewhere", 2, "ghost")
            await bench.store.jobs.acquire(job_id, ghost, now=START, expiry_s=15.0, alive=lambda _: True)
            await bench.store.jobs.set_state(job_id, JobState.RUNNING, now=START)
            await asyncio.sleep(25.0)
            job = await bench.store.jobs.get(job_id)
            assert (job.state, job.reason) == (JobState.PAUSED, PauseReason.OWNER_LOST)
            assert (await bench.run(job_id)).counters.done == 20

    virtually(main())


def test_a_verb_that_a_hung_process_did_not_answer_is_not_obeyed_later(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id, jobs = await bench.add(rows(8), FOUR), bench.store.jobs
            hung = Owner("elsewhere", 1, "hung")
            assert await jobs.acquire(job_id, hung, now=START, expiry_s=60.0, alive=lambda _: True)
            async with open_store(tmp_path / "jobs.db", clock=lambda: START) as there:
                # By its clock the lease holds, however long the answer is waited for.
                controller = Controller(there, None, clock=lambda: START, alive=lambda _: True)
                with pytest.raises(UserError, match="did not answer within 10 s"):
                    await controller.pause(job_id)
            await jobs.release(job_id, hung)
            job = await bench.run(job_id)
            assert (job.state, job.counters.done) == (JobState.COMPLETED, 8)

    virtually(main())


def test_stop_returns_what_is_in_flight_to_the_queue(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        path = tmp_path / "jobs.db"
        async with open_bench(path, lambda p, n: (1000.0, ok())) as bench:
            job_id = await bench.add(rows(10), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 4)
            await bench.engine.stop()
            job = await end
            assert (job.state, job.counters.pending, job.counters.requests) == (JobState.PAUSED, 10, 0)
            assert asyncio.get_running_loop().time() < 10.0

    virtually(main())


def test_retry_of_dead_items_while_the_job_runs(tmp_path: Path, virtually: Any) -> None:
    def script(prompt: str, before: int) -> tuple[float, Outcome]:
        return 1.0, failed(OutcomeClass.BAD_REQUEST) if prompt == "row 2" and before == 0 else ok()

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db", script) as bench:
            job_id = await bench.add(rows(60), FOUR)
            end = await bench.controller.start(job_id)
            await until(bench, 20)
            assert await bench.controller.retry(job_id, Selection()) == 1
            job = await end
            assert (job.counters.done, job.counters.dead, job.counters.requests) == (60, 0, 61)

    virtually(main())


def test_a_clone_has_the_same_rows_and_none_of_the_answers(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job = await bench.run(await bench.add(rows(5), FOUR))
            spec = replace(job.spec, name="again", prompt="Say {{ prompt }}")
            copy = await bench.store.jobs.get(await bench.controller.clone(job.id, spec, job.knobs))
            assert (copy.state, copy.spec) == (JobState.DRAFT, spec)
            assert (copy.counters.pending, copy.counters.done, copy.counters.cost_nano) == (5, 0, 0)

    virtually(main())


def test_a_clone_keeps_a_row_that_was_edited_for_one_model(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            models = (ModelRef("m", ("one",)), ModelRef("other", ("one",)))
            job_id = await bench.add(rows(2), FOUR, models=models, mode=Mode.EACH)
            items = await bench.store.items.pending_page(job_id, limit=9)
            edited = next(item for item in items if (item.seq, item.variant) == (1, 1))
            await bench.controller.edit(edited.id, {"prompt": "better"})
            job = await bench.store.jobs.get(job_id)
            copy = await bench.controller.clone(job_id, job.spec, job.knobs)
            texts = {(i.seq, i.variant): i.data for i in await bench.store.items.pending_page(copy, limit=9)}
            assert texts[1, 1] == b'{"prompt": "better"}'
            assert b"better" not in texts[1, 0] + texts[0, 1]

    virtually(main())


def test_a_job_that_runs_cannot_be_deleted_and_one_that_ended_can(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(20), FOUR)
            end = await bench.controller.start(job_id)
            with pytest.raises(UserError, match="running"):
                await bench.controller.delete(job_id)
            await end
            await bench.controller.delete(job_id)
            assert await bench.store.jobs.list() == []

    virtually(main())


def test_a_name_that_means_another_server_is_never_mixed_up(tmp_path: Path, virtually: Any) -> None:
    moved = replace(ENDPOINT, base_url="http://elsewhere.test/v1")

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            first = await bench.add(rows(40), FOUR)
            second = await bench.add(rows(2), FOUR, endpoints=(moved,))
            end = await bench.controller.start(first)
            with pytest.raises(UserError, match=f"elsewhere.test/v1 here and .*one.test/v1 in job {first}"):
                await bench.controller.start(second)
            assert (await bench.store.jobs.get(second)).owner is None
            await end
            assert (await bench.run(second)).counters.done == 2

    virtually(main())


def test_a_job_that_only_lacks_its_last_word_is_completed_under_its_lease(tmp_path: Path, virtually: Any) -> None:
    """Its process was killed between the last answer and the job's end, and another one may be on its way to it."""

    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(1))
            await bench.run(job_id)
            await bench.store.jobs.set_state(job_id, JobState.RUNNING, now=START)
            other = Owner("host", 2, "other")
            assert await bench.store.jobs.acquire(job_id, other, now=START, alive=lambda _: True)
            with pytest.raises(UserError, match="run by another process"):
                await bench.controller.conclude(job_id)
            assert (await bench.store.jobs.get(job_id)).state is JobState.RUNNING
            await bench.store.jobs.release(job_id, other)
            job = await bench.controller.conclude(job_id)
            assert (job.state, job.owner) == (JobState.COMPLETED, None)

    virtually(main())


def test_a_job_with_pending_items_is_not_concluded(tmp_path: Path, virtually: Any) -> None:
    async def main() -> None:
        async with open_bench(tmp_path / "jobs.db") as bench:
            job_id = await bench.add(rows(1))
            before = (await bench.store.jobs.get(job_id)).state
            assert (await bench.controller.conclude(job_id)).state is before

    virtually(main())
