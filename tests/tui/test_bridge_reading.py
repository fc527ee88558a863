"""What the bridge reads: the newest jobs first, all of them next, and nothing anew while nothing changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from app_bench import add_job, open_test_desk
from item_yard import mixed_job

from tui_batch.domain.job import NANO, Knobs
from tui_batch.tui.bridge import FIRST_JOBS, Bridge


async def test_the_newest_jobs_stand_at_once_and_the_rest_follow(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        spec = (await desk.store.jobs.get(await add_job(desk, ["one"]))).spec
        for n in range(FIRST_JOBS + 4):
            last = await desk.store.jobs.create(spec, Knobs(), now=float(n))
        bridge = Bridge(desk)
        first, second = await bridge.tick(), await bridge.tick()
        assert [job.id for job in first.jobs] == list(range(last, last - FIRST_JOBS, -1))
        assert [job.id for job in second.jobs] == list(range(last, 0, -1))


async def test_while_nothing_changes_the_views_are_the_same_objects(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        job_id = await add_job(desk, ["one", "two"])
        bridge = Bridge(desk)
        before = await bridge.tick()
        assert (await bridge.tick()).jobs is before.jobs
        await desk.store.jobs.set_knobs(job_id, Knobs(priority=7))
        changed = await bridge.tick()
        assert changed.jobs is not before.jobs
        assert changed.jobs[0].knobs.priority == 7


async def test_pending_items_are_counted_by_job(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        two, one = await add_job(desk, ["a", "b"]), await add_job(desk, ["c"])
        assert await desk.store.jobs.pending() == {two: 2, one: 1}


async def test_what_did_not_change_is_the_same_object_while_another_job_does(tmp_path: Path) -> None:
    async with open_test_desk(tmp_path) as desk:
        still, changed = await add_job(desk, ["a"]), await add_job(desk, ["b"])
        bridge = Bridge(desk)
        await bridge.tick()  # its specs are known from here on
        before = await bridge.tick()
        await desk.store.jobs.set_knobs(changed, Knobs(priority=7))
        first = {job.id: job for job in (await bridge.tick()).jobs}
        await desk.store.jobs.set_knobs(changed, Knobs(priority=8))
        second = {job.id: job for job in (await bridge.tick()).jobs}
        assert second[still] is first[still]
        assert [job.knobs.priority for job in (before.job, first[changed], second[changed]) if job] == [0, 7, 8]


async def test_what_was_spent_today_is_nothing_on_the_next_day(tmp_path: Path) -> None:
    """Though nothing in the database changed since then."""
    async with open_test_desk(tmp_path) as desk:
        await mixed_job(desk.store)
        (day,) = min(await desk.store.ledger.sums(("day",)))
        noon = datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()
        times = iter((noon, noon + 60, noon + 10 * 86_400))
        capped = replace(desk, clock=lambda: next(times), settings=replace(desk.settings, day_budget_nano=5 * NANO))
        bridge = Bridge(capped)
        days = [(await bridge.tick()).day for _ in range(3)]
        spent = await desk.store.ledger.spent_on(str(day))
        assert spent > 0
        assert [one.spent for one in days if one is not None] == [spent, spent, 0]
