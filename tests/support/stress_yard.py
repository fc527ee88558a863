"""Jobs on real disks, run by real processes. Everything waits for a state with a deadline, never for a time."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from engine_bench import make_spec

from tui_batch.domain.item import NewRow
from tui_batch.domain.job import CacheMode, Knobs
from tui_batch.store.store import Store, open_store

CHILD = Path(__file__).parent.with_name("stress") / "running_child.py"
DEADLINE_S = 150.0
"""Ends a test that waits for what never comes; nothing takes so long on any machine."""


def wait_until(what: Callable[[], Any]) -> Any:
    """The first true value; fails when none comes."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.01)
    pytest.fail("it did not come true in time")


async def until(what: Callable[[], Any]) -> None:
    """As wait_until, on the loop."""
    async with asyncio.timeout(DEADLINE_S):
        while not what():
            await asyncio.sleep(0.005)


async def add_job(store: Store, rows: int, knobs: Knobs, **spec: Any) -> int:
    """A job with the prompts `row 0`, `row 1`, ...; returns its id."""
    job_id = await store.jobs.create(make_spec(cache=CacheMode.OFF, **spec), knobs, now=time.time())
    async with store.importing(job_id) as importer:
        await importer.add([NewRow(n + 1, None, 0, orjson.dumps({"prompt": f"row {n}"})) for n in range(rows)])
    return job_id


@dataclass
class Child:
    """A process that runs, or tries to run, a job."""

    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self) -> str:
        """The next line it says; empty at its end."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        """Lets it start the job."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()


@dataclass
class Yard:
    """A database, the processes at it, and a list of all requests that any of them made."""

    folder: Path
    children: list[Child] = field(default_factory=list)

    @property
    def db(self) -> Path:
        return self.folder / "jobs.db"

    @property
    def ahead(self) -> Path:
        """As many bytes long as the clocks of the processes are seconds ahead."""
        return self.folder / "ahead"

    @property
    def log(self) -> Path:
        return self.folder / "requests.log"

    def job(self, rows: int, knobs: Knobs) -> int:
        """Makes a job from this process."""

        async def make() -> int:
            async with open_store(self.db) as store:
                return await add_job(store, rows, knobs)

        return asyncio.run(make())

    def child(self, job: int, **orders: Any) -> Child:
        """A process that is ready to start the job."""
        self.ahead.touch()
        places = {"db": str(self.db), "log": str(self.log), "ahead": str(self.ahead)}
        words = json.dumps({**places, "job": job, **orders})
        process = subprocess.Popen(
            [sys.executable, str(CHILD), words], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.children.append(Child(process))
        return self.children[-1]

    def requests(self) -> list[tuple[int, float, str]]:
        """(pid, Unix time, prompt) of every request so far."""
        if not self.log.exists():
            return []
        split = [line.split(" ", 2) for line in self.log.read_text().splitlines()]
        return [(int(pid), float(at), prompt) for pid, at, prompt in split]

    def prompts_of(self, child: Child) -> list[str]:
        """What a process has asked so far, in order."""
        return [prompt for pid, _, prompt in self.requests() if pid == child.pid]

    def set_clocks(self, ahead_s: int) -> None:
        """Sets the clock of every process here, running or stopped, so far ahead of the machine's."""
        os.truncate(self.ahead, ahead_s)

    def is_writable(self) -> bool:
        """Whether nobody holds the database's lock for writing."""
        with closing(sqlite3.connect(self.db, timeout=0.2, isolation_level=None)) as conn:
            try:
                conn.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            conn.execute("ROLLBACK")
            return True

    def done(self, job: int = 1) -> set[str]:
        """The prompts whose answers are on the disk."""
        with closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as conn:
            sql = "SELECT 'row ' || seq FROM item WHERE job_id = ? AND state = 'done'"
            return {prompt for (prompt,) in conn.execute(sql, (job,))}

    def row(self, job: int = 1) -> dict[str, Any]:
        """The job as the database has it."""
        with closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as conn:
            conn.row_factory = sqlite3.Row
            return dict(conn.execute("SELECT * FROM job WHERE id = ?", (job,)).fetchone())

    def taught(self) -> list[int | None]:
        """Requests a minute that servers' headers stated, as the next process will know them."""
        with closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as conn:
            return [rpm for (rpm,) in conn.execute("SELECT rpm FROM learned_limit")]

    def states(self, job: int = 1) -> dict[str, int]:
        """How many items are in each state, counted, and how many have a result."""
        with closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as conn:
            sql = "SELECT state, count(*) FROM item WHERE job_id = ? GROUP BY state"
            counts = dict(conn.execute(sql, (job,)).fetchall())
            sql = "SELECT count(*) FROM result JOIN item ON item.id = item_id WHERE job_id = ?"
            return {**counts, "results": conn.execute(sql, (job,)).fetchone()[0]}


@dataclass
class SmallDisk:
    """A file system of its own with room for 24 megabytes: the log file grows to four before it is copied back."""

    folder: Path

    def fill(self) -> None:
        """Takes all the room there is."""
        with open(self.folder / "ballast", "ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                while self._takes(file.write, size):
                    pass

    def _takes(self, write: Callable[[bytes], int], size: int) -> bool:
        try:
            return write(bytes(size)) == size
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return False

    def free(self) -> None:
        """Gives it back."""
        (self.folder / "ballast").unlink()


def mounted(folder: Path) -> bool:
    """Mounts a small tmpfs there, where this user and system can."""
    folder.mkdir()
    if not sys.platform.startswith("linux") or os.getuid() != 0:
        return False
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0
