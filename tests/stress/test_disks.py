"""A disk that is full, a database that another program holds: paid answers wait in memory, nothing more is bought."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from stress_yard import SmallDisk, add_job, until, wait_until

from tui_batch.domain.item import ItemState
from tui_batch.domain.job import Job, JobState, Knobs
from tui_batch.engine.workplace import Workplace, open_workplace
from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.latency import Latency
from tui_batch.simulator.transport import SimulatorTransport

ROWS = 1_200
EIGHT = Knobs(concurrency=8)

HOLDER = """
import sqlite3, sys
conn = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=100)
conn.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
conn.execute("ROLLBACK")
"""


async def suffer(db: Path, begin: Callable[[Workplace], object], end: Callable[[Workplace], object], words: str) -> Job:
    """Runs a job through a time in which its database refuses. Returns the job at its end."""
    simulator = Simulator(SimulatorConfig(latency=Latency(0.01)))
    async with open_workplace(db, SimulatorTransport(simulator)) as place:
        engine, score = place.engine, simulator.score
        job_id = await add_job(place.store, ROWS, EIGHT)
        ending = await place.controller.start(job_id)
        await until(lambda: score.answered > 100)
        begin(place)
        await until(lambda: words in engine.snapshot().trouble and not engine.snapshot().jobs[0].in_flight)
        bought, waiting = score.seen, place.store.writer.backlog
        assert waiting > 0
        await asyncio.sleep(0.3)
        assert (score.seen, place.store.writer.backlog) == (bought, waiting)
        assert bought < ROWS
        assert not ending.done()
        end(place)
        job = await ending
        assert engine.snapshot().trouble == ""
        assert score.seen == score.answered == ROWS
        states = [row.state async for page in place.store.items.export(job_id) for row in page]
        assert states == [ItemState.DONE] * ROWS
        return job


def completed(job: Job) -> bool:
    counters = job.counters
    return (job.state, counters.done, counters.requests, counters.pending) == (JobState.COMPLETED, ROWS, ROWS, 0)


async def test_a_full_disk_stops_buying_and_loses_nothing(tmp_path: Path, disk: SmallDisk | None) -> None:
    if disk is None:  # the twin: SQLite itself is told that the file may not grow
        await test_a_database_that_may_not_grow_stops_buying_and_loses_nothing(tmp_path)
        return
    job = await suffer(disk.folder / "jobs.db", lambda _: disk.fill(), lambda _: disk.free(), "disk")
    assert completed(job)


async def test_a_database_that_may_not_grow_stops_buying_and_loses_nothing(tmp_path: Path) -> None:
    def limit(pages: str) -> Callable[[Workplace], object]:
        def pragma(conn: sqlite3.Connection) -> None:
            (size,) = conn.execute("PRAGMA page_count").fetchone()
            conn.execute(f"PRAGMA max_page_count = {pages.format(size=size)}")

        return lambda place: asyncio.ensure_future(place.store._write.run(pragma))

    assert completed(await suffer(tmp_path / "jobs.db", limit("{size}"), limit("1000000"), "the disk is full"))


async def test_a_database_that_another_program_holds_stops_buying_and_loses_nothing(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    free: list[Callable[[], object]] = []

    def begin(_: Workplace) -> None:
        free.append(hold(db))

    job = await suffer(db, begin, lambda _: free[0](), "another program holds the database")
    assert completed(job)


async def test_a_slow_database_stops_buying_before_it_is_called_locked(tmp_path: Path) -> None:
    """A disk that takes long is seen after a second, long before anything fails."""
    free = threading.Event()
    try:
        job = await suffer(
            tmp_path / "jobs.db",
            lambda place: asyncio.ensure_future(place.store._write.run(lambda _: free.wait(30))),
            lambda _: free.set(),
            "slow",
        )
    finally:
        free.set()
    assert completed(job)


def test_a_person_is_told_on_the_screen(tmp_path: Path, disk: SmallDisk | None) -> None:
    (tmp_path / "rows.txt").write_text("".join(f"row {n}\n" for n in range(240)))
    db = (tmp_path if disk is None else disk.folder) / "jobs.db"
    program = [sys.executable, "-m", "tui_batch"]
    # So slow that it is not over before the disk is full, on any machine.
    command = [*program, "run", "rows.txt", "--simulate", "-c", "2", "--no-cache", "--db", str(db)]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, text=True, stderr=subprocess.PIPE, cwd=tmp_path, env=environment) as process:
        try:
            assert process.stderr is not None
            wait_until(lambda: db.exists() and done(db) > 3)
            free = disk.free if disk is not None else hold(db)
            if disk is not None:
                disk.fill()
            while "not dispatching: " not in (said := process.stderr.readline()):
                assert said
            free()
            subprocess.run([*program, "set", "1", "concurrency=100", "--db", str(db)], check=True, env=environment)
            rest = process.stderr.read()
            assert process.wait() == 0, rest
            assert "240 of 240 done" in rest
        finally:
            process.kill()


def hold(db: Path) -> Callable[[], object]:
    """Another program takes the database; returns what makes it let go."""
    command = [sys.executable, "-c", HOLDER, str(db)]
    holder = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return lambda: holder.communicate("\n")


def done(db: Path) -> int:
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as conn:
        try:
            return int(conn.execute("SELECT coalesce(sum(done), 0) FROM job").fetchone()[0])
        except sqlite3.OperationalError:
            return 0
