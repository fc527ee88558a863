"""Job rows, states, leases and the verbs over all items."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tui_batch.domain.item import ItemState
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import Counters, JobState, Knobs, Owner, PauseReason
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.errors import UserError
from tui_batch.store import Store, may_be_alive, open_store

ME = Owner("here", 1, "me")
OTHER = Owner("there", 2, "other")


def yes(owner: Owner) -> bool:
    return True


def no(owner: Owner) -> bool:
    return False


async def test_a_new_job_is_a_draft_that_is_not_imported(store: Store, make) -> None:
    job_id = await store.jobs.create(make.spec("tickets"), Knobs(rpm=60, tags={"team": "a"}), now=5.0)
    job = await store.jobs.get(job_id)
    assert (job.spec, job.knobs) == (make.spec("tickets"), Knobs(rpm=60, tags={"team": "a"}))
    assert (job.state, job.imported, job.created_at, job.owner) == (JobState.DRAFT, False, 5.0, None)
    assert job.counters == Counters()


async def test_an_import_that_is_cut_off_leaves_its_mark(store: Store, make) -> None:
    job_id = await store.jobs.create(make.spec(), Knobs(), now=0.0)
    with contextlib.suppress(RuntimeError):
        async with store.importing(job_id) as importer:
            await importer.add(make.rows(2))
            raise RuntimeError
    job = await store.jobs.get(job_id)
    assert (job.imported, job.counters.total) == (False, 2)


async def test_a_job_that_is_given_up_while_the_database_is_held_leaves_nothing_behind(
    store: Store, make, db: Path
) -> None:
    async def draft() -> None:
        async with store.jobs.drafting(make.spec(), Knobs(), now=0.0):
            raise AssertionError("it was cancelled before")

    with contextlib.closing(sqlite3.connect(db, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        drafting = asyncio.create_task(draft())
        await asyncio.sleep(0.02)  # it waits for the lock by then; where it does not yet, there is less to undo
        drafting.cancel()
        await asyncio.sleep(0.02)
        other.execute("ROLLBACK")
    with pytest.raises(asyncio.CancelledError):
        await drafting
    assert await store.jobs.list() == []


@pytest.mark.parametrize("ref", ["2", "#2", "second"])
async def test_a_job_is_found_by_number_and_by_name(store: Store, make, ref: str) -> None:
    for name in ("first", "second"):
        await store.jobs.create(make.spec(name), Knobs(), now=0.0)
    assert (await store.jobs.find(ref)).id == 2


async def test_a_name_of_several_jobs_is_refused_with_their_numbers(store: Store, make) -> None:
    for _ in range(2):
        await store.jobs.create(make.spec("twin"), Knobs(), now=0.0)
    with pytest.raises(UserError, match="1, 2"):
        await store.jobs.find("twin")


@pytest.mark.parametrize("ref", ["99", "#x", "", "²", "9" * 30])
async def test_a_missing_job_is_answered_with_how_to_list(store: Store, ref: str) -> None:
    with pytest.raises(UserError, match="llmbatch-tui ls"):
        await store.jobs.find(ref)


async def test_states_change_only_from_what_is_expected_and_keep_their_times(store: Store, make) -> None:
    jobs, job_id = store.jobs, await make.job(store, 1)
    assert await jobs.set_state(job_id, JobState.RUNNING, now=10.0, expect={JobState.DRAFT})
    assert not await jobs.set_state(job_id, JobState.COMPLETED, now=11.0, expect={JobState.PAUSED})
    assert not await jobs.set_state(job_id, JobState.COMPLETED, now=11.0, expect=())
    assert await jobs.set_state(job_id, JobState.PAUSED, reason=PauseReason.QUOTA, message="no money", now=12.0)
    paused = await jobs.get(job_id)
    assert (paused.reason, paused.message, paused.started_at) == (PauseReason.QUOTA, "no money", 10.0)
    await jobs.set_state(job_id, JobState.RUNNING, now=20.0)
    assert not await jobs.set_state(job_id, JobState.COMPLETED, now=25.0), "an item is pending"
    await make.settle(store, make.ok(job_id, 1))
    assert await jobs.set_state(job_id, JobState.COMPLETED, now=30.0)
    done = await jobs.get(job_id)
    assert (done.state, done.reason, done.message) == (JobState.COMPLETED, None, "")
    assert (done.started_at, done.finished_at) == (10.0, 30.0)


async def test_a_lease_has_one_holder(store: Store, make) -> None:
    jobs, job_id = store.jobs, await make.job(store)
    assert await jobs.acquire(job_id, ME, now=0.0, expiry_s=10, alive=yes)
    assert await jobs.acquire(job_id, ME, now=1.0, expiry_s=10, alive=yes)
    assert not await jobs.acquire(job_id, OTHER, now=2.0, expiry_s=10, alive=yes)
    assert await jobs.heartbeat(ME, [job_id, 99], 9.0) == {job_id}
    assert not await jobs.acquire(job_id, OTHER, now=18.0, expiry_s=10, alive=yes)
    assert await jobs.acquire(job_id, OTHER, now=19.5, expiry_s=10, alive=yes)
    assert await jobs.heartbeat(ME, [job_id], 20.0) == set()
    await jobs.release(job_id, ME)
    assert (await jobs.get(job_id)).owner == OTHER
    await jobs.release(job_id, OTHER)
    assert (await jobs.get(job_id)).owner is None


async def test_a_dead_owners_lease_is_free_at_once(store: Store, make) -> None:
    job_id = await make.job(store)
    assert await store.jobs.acquire(job_id, ME, now=0.0, expiry_s=10, alive=yes)
    assert await store.jobs.acquire(job_id, OTHER, now=0.1, expiry_s=10, alive=no)
    assert "taken over (owner_lost): process" in (await store.events.tail())[-1].text


async def test_two_processes_that_race_for_a_lease_have_one_winner(db: Path, make) -> None:
    async with open_store(db) as one, open_store(db) as two:
        for _ in range(10):
            job_id = await make.job(one)
            won = await asyncio.gather(
                one.jobs.acquire(job_id, ME, now=0.0, expiry_s=10, alive=yes),
                two.jobs.acquire(job_id, OTHER, now=0.0, expiry_s=10, alive=yes),
            )
            assert sorted(won) == [False, True]


async def test_jobs_of_lost_owners_are_paused(store: Store, make) -> None:
    jobs = store.jobs
    lost, alive, waiting, orphan, ended = [await make.job(store) for _ in range(5)]
    for job_id, state, beat in (
        *((lost, JobState.RUNNING, 0.0), (alive, JobState.RUNNING, 95.0)),
        *((waiting, JobState.QUEUED, None), (orphan, JobState.RUNNING, None), (ended, JobState.COMPLETED, 0.0)),
    ):
        await jobs.set_state(job_id, state, now=0.0)
        if beat is not None:
            await jobs.acquire(job_id, ME, now=beat, expiry_s=10, alive=yes)
    assert await jobs.expire(now=100.0, expiry_s=10, alive=yes) == [lost, orphan]
    job = await jobs.get(lost)
    assert (job.state, job.reason, job.owner) == (JobState.PAUSED, PauseReason.OWNER_LOST, None)
    assert await jobs.expire(now=100.0, expiry_s=10, alive=no) == [alive]


async def test_a_process_that_slept_does_not_take_its_own_jobs_for_lost(store: Store, make) -> None:
    """It may wake just before it looks for the jobs of others, and has not told yet that it lives."""
    mine, theirs, given_up = [await make.job(store) for _ in range(3)]
    for job_id, owner in ((mine, ME), (theirs, OTHER), (given_up, ME)):
        await store.jobs.set_state(job_id, JobState.RUNNING, now=0.0)
        await store.jobs.acquire(job_id, owner, now=0.0, expiry_s=10, alive=yes)
    held = {mine, theirs}  # the second was another's before it woke
    assert await store.jobs.expire(now=100.0, expiry_s=10, alive=yes, by=ME, held=held) == [theirs, given_up]
    assert await store.jobs.heartbeat(ME, [mine], 100.0) == {mine}
    assert await store.jobs.expire(now=200.0, expiry_s=10, alive=yes, by=OTHER, held=held) == [mine]


def test_only_a_gone_process_of_this_machine_is_known_to_be_dead() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = socket.gethostname()
    assert not may_be_alive(Owner(here, gone.pid, "t"))
    assert may_be_alive(Owner(here, os.getpid(), "t"))
    assert may_be_alive(Owner(here + "-elsewhere", gone.pid, "t"))


async def dead_job(store: Store, make) -> int:
    """Six items: three dead (two server errors, one bad request), one done, two pending; the job was given up."""
    job_id = await make.job(store, 6)
    records = [make.failed(job_id, 1), make.failed(job_id, 2), make.failed(job_id, 3, cls=OutcomeClass.BAD_REQUEST)]
    await make.settle(store, *records, make.ok(job_id, 4))
    await store.jobs.set_state(job_id, JobState.FAILED, now=50.0)
    return job_id


@pytest.mark.parametrize(
    ("which", "ids"),
    [
        ({}, [1, 2, 3]),
        ({"classes": frozenset({OutcomeClass.BAD_REQUEST})}, [3]),
        ({"item_ids": (2, 4, 5, 99)}, [2]),
        ({"custom_ids": ("r0", "r3")}, [1]),
        ({"classes": frozenset({OutcomeClass.SERVER_ERROR}), "item_ids": (2, 3)}, [2]),
        ({"classes": frozenset({OutcomeClass.REFUSED})}, []),
        ({"item_ids": tuple(range(1, 100_000))}, [1, 2, 3]),
    ],
)
async def test_retry_takes_the_dead_items_that_meet_every_condition(store, make, db, which, ids) -> None:
    job_id = await dead_job(store, make)
    assert (await store.jobs.retry(job_id, Selection(**which), chunk=2)).items == len(ids)
    again = [item for item in await make.pending(store, job_id) if item.id < 5]
    assert [item.id for item in again] == ids
    assert all((item.attempts, item.malformed, item.available_at, item.requests) == (0, 0, 0, 1) for item in again)
    job = await store.jobs.get(job_id)
    assert job.counters == make.counted(db, job_id)
    assert job.counters.cost_nano == 121
    expected = (JobState.PAUSED, PauseReason.USER, None) if ids else (JobState.FAILED, None, 50.0)
    assert (job.state, job.reason, job.finished_at) == expected


async def test_a_retry_forgets_the_old_result_and_keeps_the_history(store: Store, make) -> None:
    job_id = await dead_job(store, make)
    assert (await store.items.detail(1)).message == "boom"
    await store.jobs.retry(job_id)
    detail = await store.items.detail(1)
    assert (detail.message, detail.row.state, len(detail.attempts)) == ("", ItemState.PENDING, 1)


async def test_cancel_takes_what_is_pending(store: Store, make, db: Path) -> None:
    job_id = await dead_job(store, make)
    assert await store.jobs.cancel(job_id, chunk=1) == 2
    counters = await store.jobs.counters(job_id)
    assert (counters.pending, counters.cancelled, counters.done) == (0, 2, 1)
    assert counters == make.counted(db, job_id)
    assert await make.pending(store, job_id) == []


async def test_delete_removes_all_that_is_the_jobs_and_nothing_else(store: Store, make, db: Path) -> None:
    job_id, other = await dead_job(store, make), await make.job(store, 3)
    await store.events.log(job_id, "info", "gone with it")
    steps: list[int] = []
    await store.jobs.delete(job_id, chunk=4, progress=steps.append)
    assert steps == [4, 6]
    with pytest.raises(UserError):
        await store.jobs.get(job_id)
    counts = [make.query(db, f"SELECT count(*) FROM {table}")[0][0] for table in ("item", "payload", "result")]
    assert counts == [3, 3, 0]
    assert make.query(db, "SELECT count(*) FROM attempt") == make.query(db, "SELECT count(*) FROM event") == [(0,)]
    assert len(await make.pending(store, other)) == 3


async def test_a_deletion_that_is_cut_off_is_consistent_and_can_be_repeated(store: Store, make, db: Path) -> None:
    job_id = await dead_job(store, make)

    def stop(gone: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await store.jobs.delete(job_id, chunk=2, progress=stop)
    job = await store.jobs.get(job_id)
    assert (job.imported, job.counters.total, job.counters) == (False, 4, make.counted(db, job_id))
    await store.jobs.delete(job_id)
    assert await store.jobs.list() == []


async def test_a_job_that_another_process_runs_is_not_deleted(store: Store, make, clock) -> None:
    job_id = await make.job(store, 1)
    await store.jobs.acquire(job_id, OTHER, now=clock.now, expiry_s=10, alive=yes)
    with pytest.raises(UserError, match="another process"):
        await store.jobs.delete(job_id, alive=yes)
    assert (await store.jobs.get(job_id)).imported
    await store.jobs.delete(job_id, owner=OTHER, alive=yes)
    assert await store.jobs.list() == []


async def test_ids_of_deleted_jobs_are_not_given_again(store: Store, make) -> None:
    first = await make.job(store, 1)
    await store.jobs.delete(first)
    assert await make.job(store, 1) > first


async def test_a_clone_has_the_rows_and_not_the_past(store: Store, make, db: Path) -> None:
    source = await dead_job(store, make)
    target = await store.jobs.create(make.spec("copy"), Knobs(), now=0.0)
    assert await store.jobs.clone_rows(source, target, origins=(0, 0), chunk=4) == 12
    items = await make.pending(store, target)
    assert [(item.seq, item.variant) for item in items] == [(seq, n) for seq in range(6) for n in (0, 1)]
    assert {(item.attempts, item.requests) for item in items} == {(0, 0)}
    assert [item.custom_id for item in items[::2]] == [f"r{n}" for n in range(6)]
    assert (await store.jobs.counters(target)) == make.counted(db, target) == Counters(total=12, pending=12)


async def test_a_damaged_job_is_named_and_its_remedy_told(store: Store, make) -> None:
    job_id = await make.job(store, 1)
    await store._write.run(lambda conn: conn.execute("UPDATE job SET knobs = '[]'"))
    with pytest.raises(UserError, match=f"job {job_id}: its stored knobs cannot be read") as raised:
        await store.jobs.get(job_id)
    assert "--db" in raised.value.remedy


@pytest.mark.parametrize("damage", ["spec = 'x'", "knobs = '[]'", "state = 'odd'", "reason = 'odd'"])
async def test_a_damaged_job_is_listed_beside_the_others_and_can_be_deleted(store: Store, make, damage: str) -> None:
    bad, good = await make.job(store, 2), await make.job(store, 1)
    known = {job.id: job for job in await store.jobs.overview({})}
    await store._write.run(lambda conn: conn.execute(f"UPDATE job SET {damage} WHERE id = {bad}"))
    for jobs in (await store.jobs.list(), (await store.jobs.overview({}))[::-1]):
        assert [(job.id, job.counters.total, bool(job.trouble)) for job in jobs] == [(bad, 2, True), (good, 1, False)]
        assert (jobs[0].state, jobs[0].spec.name) == (JobState.FAILED, jobs[1].spec.name)
        assert f"job {bad}: its stored" in jobs[0].message
    with pytest.raises(UserError, match=f"job {bad}: its stored"):
        await store.jobs.find(str(bad))
    assert (await store.jobs.find_listed(str(bad))).trouble
    assert known[bad].trouble == ""
    await store.jobs.delete(bad)
    assert [job.id for job in await store.jobs.list()] == [good]


async def test_a_damaged_job_that_is_mended_is_a_job_again(store: Store, make) -> None:
    job_id = await make.job(store, 1)
    (whole,) = await store.jobs.overview({})
    spec = await store._write.run(lambda conn: conn.execute("SELECT spec FROM job").fetchone()[0])
    await store._write.run(lambda conn: conn.execute("UPDATE job SET spec = '{}'"))
    (damaged,) = await store.jobs.overview({})
    assert damaged.trouble
    await store._write.run(lambda conn: conn.execute("UPDATE job SET spec = ?", (spec,)))
    assert await store.jobs.overview({job_id: damaged}) == (whole,)


async def test_a_clone_takes_each_variants_own_rows(store: Store, make) -> None:
    source = await make.job(store, 3, variants=2)
    await store.jobs.edit_row(next(item.id for item in await make.pending(store, source) if item.variant), b'{"a": 1}')
    target = await store.jobs.create(make.spec("copy"), Knobs(), now=0.0)
    await store.jobs.clone_rows(source, target, origins=(1, 0, 1), chunk=1)
    rows = {(item.seq, item.variant): item.data for item in await make.pending(store, target)}
    assert [rows[0, n] for n in range(3)] == [b'{"a": 1}', make.rows(1)[0].data, b'{"a": 1}']
    assert len(rows) == 9


async def test_a_clone_outlives_its_source(store: Store, make, db: Path) -> None:
    source = await make.job(store, 3)
    target = await store.jobs.create(make.spec("copy"), Knobs(), now=0.0)
    await store.jobs.clone_rows(source, target)
    await store.jobs.delete(source)
    assert [item.data for item in await make.pending(store, target)] == [row.data for row in make.rows(3)]
    await store.jobs.delete(target)
    assert make.query(db, "SELECT count(*) FROM payload") == [(0,)]
