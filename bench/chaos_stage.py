"""What a round of the campaign happens on: servers, a disk, a clock, processes, and everything that goes wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from bench.chaos_child import ORDERS
from bench.rogue_server import RogueServer
from tui_batch.domain.endpoint import Api
from tui_batch.simulator.server import Server, serve

LEASE_S = 1.2
PATIENCE_S = 130.0
"""Longer than this nothing may take."""
UNTRUE_S = 3_600.0
"""How far the clock is set."""
MOST_A_COMMIT = 30
"""Answers that each place in flight may bring before a commit is called slow: nothing is sent once one has taken a
second, and an answer takes 40 ms. With it what is in flight, and some room."""
MIDST_S = 1.2
"""How long a disturbance has lasted when the other one comes: all of them last longer."""
SLOW_COMMIT_S = 1.6
"""What a commit takes on a slow disk: longer than the second after which it is called trouble."""


class Hung(Exception):
    """Something did not come to an end."""


@dataclass
class Host:
    """A server that can go down and come back, with everything it knew."""

    simulator: RogueServer
    server: Server | None = None
    port: int = 0
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def up(self) -> None:
        """Listens, on the port it had before."""
        self.server = await self._open.enter_async_context(serve(simulator=self.simulator, port=self.port))
        self.port = self.server.port

    async def down(self) -> None:
        """Cuts every connection and refuses new ones."""
        await self._open.aclose()


@dataclass
class Stage:
    """A database, the processes that work on it, and what was done to them."""

    folder: Path
    disk: Path
    """Where the database is; a small disk of its own where this user may mount one."""
    is_small_disk: bool
    api: Api
    hosts: list[Host]
    in_flight: int
    log: IO[bytes]
    job_id: int = 0
    running: list[asyncio.subprocess.Process] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)
    """Exit codes of the processes that ended."""
    excused: int = 0
    """Requests of which the database need not know, for their process was killed."""
    expected: Counter[str] = field(default_factory=Counter)
    """Words that the log must have, each at least so often."""
    unheard: frozenset[int] = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT})
    """Exit codes of a process that a signal met before or after it listened."""
    slept: bool = False
    """Whether a process was stopped beyond its lease while another went on."""
    back: float | None = None
    """When the only server came back, and few requests have reached it since; on the monotonic clock."""
    seen_then: int = 0
    """Requests that it had seen by then."""
    longest_back: float = 0.0
    """Seconds from a server's return to its tenth request, while one process was at work all along."""
    most_rss: int = 0
    """Bytes of the largest process seen."""

    @property
    def db(self) -> Path:
        return self.disk / "jobs.db"

    @property
    def orders(self) -> Path:
        return self.folder / "orders"

    def order(self, *, clock: float = 0.0, commit: float | None = None) -> None:
        """Sets the clock of all processes by so many seconds more, and how long a commit takes on their disk."""
        off, slow = ORDERS.unpack(self.orders.read_bytes())
        with self.orders.open("r+b") as file:
            file.write(ORDERS.pack(off + clock, slow if commit is None else commit))

    @property
    def seen(self) -> int:
        """Requests that any server saw."""
        return sum(host.simulator.score.seen for host in self.hosts)

    def words(self, *words: str) -> list[str]:
        """A command line of the program, on this stage."""
        wrapped = ("-m", "bench.chaos_child", str(self.orders), str(LEASE_S))
        return [sys.executable, *wrapped, "--db", str(self.db), "--settings", str(self.folder / "s.yaml"), *words]

    async def start(self) -> asyncio.subprocess.Process:
        """A process that goes on with the job."""
        words = self.words("resume", str(self.job_id), "-o", str(self.folder / "out.jsonl"))
        where = {"XDG_STATE_HOME": str(self.folder), "LLMBATCH_STATE": str(self.folder)}
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=self.log, stderr=self.log, env={**os.environ, **where}
        )
        self.running.append(process)
        return process

    async def ended(self, process: asyncio.subprocess.Process) -> int:
        """A process's exit code. Raises Hung when it does not end."""
        try:
            code = await asyncio.wait_for(process.wait(), PATIENCE_S)
        except TimeoutError:
            raise Hung(f"process {process.pid} did not end in {PATIENCE_S:.0f} s") from None
        self.running.remove(process)
        self.codes[code] += 1
        return code

    def measure(self) -> None:
        """Notes how large the processes are."""
        for process in self.running:
            with suppress(psutil.Error):
                self.most_rss = max(self.most_rss, psutil.Process(process.pid).memory_info().rss)
        self._time_return()

    def excuse(self) -> None:
        """A process is gone that may have known more than the disk: what was in flight, and what awaited a commit.

        That is as much as is missing now, and what the servers read after its end; nothing that is lost later.
        """
        missing = self.seen + self.in_flight - self.row()["requests"]
        most = self.excused + MOST_A_COMMIT * self.in_flight
        self.excused = max(self.excused + 2 * self.in_flight, min(missing, most))

    def _time_return(self) -> None:
        """Notes how long it took until the server that came back was at work again."""
        if self.back is not None and self.seen >= self.seen_then + 10:
            self.longest_back = max(self.longest_back, time.monotonic() - self.back)
            self.back = None

    def row(self) -> dict[str, Any]:
        """The job as the database has it."""
        with closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True, timeout=10)) as conn:
            conn.row_factory = sqlite3.Row
            return dict(conn.execute("SELECT * FROM job WHERE id = ?", (self.job_id,)).fetchone())

    def is_run_by(self, process: asyncio.subprocess.Process) -> bool:
        """Whether a process has come to running the job: one that has just been started may not have."""
        job = self.row()
        return (job["state"], job["owner_pid"]) == ("running", process.pid)

    @property
    def is_over(self) -> bool:
        """Whether the job says that nothing is left."""
        return self.row()["state"] in ("completed", "failed")


@asynccontextmanager
async def staged(folder: Path, api: Api, simulators: list[RogueServer], in_flight: int) -> AsyncIterator[Stage]:
    """A stage whose servers listen. At the end nothing of it is left."""
    (folder / "orders").write_bytes(ORDERS.pack(0.0, 0.0))
    with small_disk(folder / "disk") as is_small, (folder / "said.log").open("ab") as log:
        hosts = [Host(simulator) for simulator in simulators]
        stage = Stage(folder, folder / "disk", is_small, api, hosts, in_flight, log)
        for host in hosts:
            await host.up()
        try:
            yield stage
        finally:
            for process in stage.running:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            for host in hosts:
                await host.down()


@contextmanager
def small_disk(place: Path) -> Iterator[bool]:
    """A folder, on 48 megabytes of its own where this user may mount them; says whether it is."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)]
    is_root = sys.platform.startswith("linux") and os.getuid() == 0
    mounted = is_root and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


Disturbance = Callable[[Stage, asyncio.subprocess.Process], Awaitable[None]]


async def kill(stage: Stage, process: asyncio.subprocess.Process) -> None:
    """SIGKILL."""
    ran = stage.is_run_by(process)
    with suppress(ProcessLookupError):
        process.kill()
    if await stage.ended(process) < 0 and not stage.is_over:
        stage.excuse()
        stage.expected["owner_lost"] += ran and stage.row()["state"] == "running"


def asked_to_end(number: signal.Signals) -> Disturbance:
    """A signal after which the process finishes what is in flight."""

    async def ask(stage: Stage, process: asyncio.subprocess.Process) -> None:
        ran = stage.is_run_by(process)
        with suppress(ProcessLookupError):
            process.send_signal(number)
        if await stage.ended(process) == 130 and ran and (job := stage.row())["state"] == "paused":
            if job["reason"] == "user":
                stage.expected["paused (user): interrupted"] += 1
            else:  # the job was pausing already, for what a server said, or its owner was gone: the log tells of that
                stage.expected[f"paused ({job['reason']})"] |= 1

    return ask


async def interrupt_twice(stage: Stage, process: asyncio.subprocess.Process) -> None:
    """Ctrl-C twice: what is in flight is cancelled."""
    for _ in range(2):
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        await asyncio.sleep(0.1)
    await stage.ended(process)
    stage.excuse()


async def sleep_past_the_lease(stage: Stage, process: asyncio.subprocess.Process) -> None:
    """SIGSTOP; another process takes over; SIGCONT."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGSTOP)
    stage.slept = True
    await asyncio.sleep(2 * LEASE_S)
    other = await stage.start()
    await asyncio.sleep(LEASE_S)
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
    await stage.ended(process)
    stage.excuse()
    if other.returncode is not None:
        await stage.ended(other)


async def twin(stage: Stage, process: asyncio.subprocess.Process) -> None:
    """A second process that would do the same."""
    await stage.ended(await stage.start())


async def hold(stage: Stage, process: asyncio.subprocess.Process) -> None:
    """Another program takes the database for itself for longer than anyone waits for a lock."""
    with closing(sqlite3.connect(stage.db, isolation_level=None, timeout=10)) as conn:
        conn.execute("BEGIN EXCLUSIVE")
        before = stage.seen
        await asyncio.sleep(3.5)
        busy = stage.seen > before and process.returncode is None
        conn.execute("ROLLBACK")
    if busy and await _beats(stage, process):
        stage.expected["not dispatching"] += 1


async def _beats(stage: Stage, process: asyncio.subprocess.Process) -> bool:
    """Waits until a process that goes on has had time to write its log."""
    await asyncio.sleep(LEASE_S)
    return process.returncode is None


async def fill_the_disk(stage: Stage, process: asyncio.subprocess.Process) -> None:
    """No room is left for a while."""
    if not stage.is_small_disk:
        return
    ballast = stage.disk / "ballast"
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while file.write(bytes(65_536)):
            pass
    await asyncio.sleep(2.0)
    ballast.unlink()


async def slow_disk(stage: Stage, process: asyncio.subprocess.Process) -> None:
    """Every commit takes long for a while."""
    stage.order(commit=SLOW_COMMIT_S)
    before = stage.seen
    await asyncio.sleep(3 * SLOW_COMMIT_S)
    busy = stage.seen > before and process.returncode is None
    stage.order(commit=0.0)
    if busy and await _beats(stage, process):
        stage.expected["not dispatching"] += 1


def clock_set(seconds: float) -> Disturbance:
    """The wall clock jumps, and stays so."""

    async def jump(stage: Stage, process: asyncio.subprocess.Process) -> None:
        stage.order(clock=seconds)

    return jump


async def server_gone(stage: Stage, process: asyncio.subprocess.Process) -> None:
    """A server goes down and comes back."""
    host = stage.hosts[-1]
    await host.down()
    await asyncio.sleep(1.5)
    await host.up()
    if len(stage.hosts) == 1 and process.returncode is None:
        stage.back, stage.seen_then = time.monotonic(), stage.seen


def amid(lasting: Disturbance, sudden: Disturbance) -> Disturbance:
    """The one, and the other while it lasts."""

    async def both(stage: Stage, process: asyncio.subprocess.Process) -> None:
        going = asyncio.ensure_future(lasting(stage, process))
        try:
            await asyncio.sleep(MIDST_S)
            await sudden(stage, process)
        finally:
            await going

    return both


DISTURBANCES: dict[str, Disturbance] = {
    "kill": kill,
    "term": asked_to_end(signal.SIGTERM),
    "int": asked_to_end(signal.SIGINT),
    "hup": asked_to_end(signal.SIGHUP),
    "int-int": interrupt_twice,
    "stop-cont": sleep_past_the_lease,
    "twin": twin,
    "lock": hold,
    "disk": fill_the_disk,
    "slow": slow_disk,
    "clock+": clock_set(UNTRUE_S),
    "clock-": clock_set(-UNTRUE_S),
    "server": server_gone,
    "lock/kill": amid(hold, kill),
    "lock/term": amid(hold, asked_to_end(signal.SIGTERM)),
    "disk/kill": amid(fill_the_disk, kill),
    "disk/hup": amid(fill_the_disk, asked_to_end(signal.SIGHUP)),
    "slow/int": amid(slow_disk, asked_to_end(signal.SIGINT)),
    "slow/int-int": amid(slow_disk, interrupt_twice),
    "server/term": amid(server_gone, asked_to_end(signal.SIGTERM)),
}
"""By the name that a plan uses. Each may end the process it is given; the next one gets another."""


async def torment(stage: Stage, plan: list[str], marks: list[int]) -> None:
    """Runs the job through all that is planned, each at its number of requests, and then to its end. Raises Hung."""
    end = time.monotonic() + 2 * PATIENCE_S + 5 * len(plan)
    process: asyncio.subprocess.Process | None = None
    waiting = list(zip(plan, marks, strict=True))
    while True:
        if process is None or process.returncode is not None:
            if process is not None and process in stage.running:
                await stage.ended(process)
            if stage.is_over and not stage.running:
                return
            stage.back = None
            process = stage.running[0] if stage.running else await stage.start()
        if waiting and stage.seen >= waiting[0][1]:
            stage.back = None
            await DISTURBANCES[waiting.pop(0)[0]](stage, process)
        await asyncio.sleep(0.02)
        stage.measure()
        if stage.codes[1]:
            raise Hung("a process ended with a fault of the program's own")
        if time.monotonic() > end:
            raise Hung(f"the job is not over: {stage.row()}")
