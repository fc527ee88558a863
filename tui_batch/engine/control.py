"""Every verb a person has over a job, whoever runs it: this process, another one, or nobody.

The app, the command line and other processes all come through here. A job that another live process owns gets
the verb as a row in `command`, which its owner picks up; a job that nobody owns is changed in the store.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import ACTIVE, TERMINAL, Cap, Job, JobSpec, JobState, Knobs, Owner, PauseReason
from tui_batch.domain.request import Json
from tui_batch.engine.engine import Engine
from tui_batch.engine.lane import Halt
from tui_batch.engine.lease import LEASE_S
from tui_batch.engine.router import origins
from tui_batch.engine.snapshot import LaneLimits
from tui_batch.errors import UserError
from tui_batch.store.connection import StoreTrouble
from tui_batch.store.store import Store

REPLY_S = 10.0
"""How long to wait for the owner's answer to a verb."""
LOOK_S = 0.5
"""How often a process that waits for an answer looks whether there still is an owner."""


LEAST = {"concurrency": 1, "rpm": 1, "tpm": 1, "budget_nano": 0, "priority": -(2**31)}
"""The knobs that are numbers, with the smallest value each may have. All but the priority may be None."""


class Verb(StrEnum):
    """What can be asked of a job's owner."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    DISCARD = "discard"
    TURN = "turn"


def check_whole(job: Job) -> None:
    """Raises UserError for a job that has not all rows of its input: reading was cut off, or goes on elsewhere."""
    if not job.imported:
        raise UserError(
            f"the input of job {job.id} was not read to its end",
            remedy=f"Unless it is being read in just now, delete it and run it again: llmbatch-tui delete {job.id}",
        )


def check_startable(job: Job) -> None:
    """Raises UserError when a job has nothing to do, or is not whole."""
    check_whole(job)
    if job.counters.pending == 0:
        remedy = f"To try its dead items again: llmbatch-tui retry {job.id} --dead" if job.counters.dead else _what(job)
        raise UserError(f"job {job.id} has nothing left to do: it is {job.state}", remedy=remedy)


def _what(job: Job) -> str:
    """Said of a job with nothing left to do."""
    return f"What it has: llmbatch-tui export {job.id} -o results.jsonl"


class Controller:
    """The verbs. `engine` is None in a process that only gives orders."""

    def __init__(
        self,
        store: Store,
        engine: Engine | None,
        *,
        clock: Callable[[], float],
        alive: Callable[[Owner], bool],
        lease_s: float = LEASE_S,
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._alive = alive
        self._lease_s = lease_s
        self._starting: dict[int, asyncio.Future[None]] = {}
        """Jobs that are being started here, and what is done when that is over."""

    async def start(self, job_id: int, trial: tuple[int, ...] = ()) -> asyncio.Future[Job]:
        """Takes the job's lease and runs it here. Raises UserError when it runs elsewhere or cannot run.

        `trial`: asks these rows only, by their numbers from 0, then pauses the job.
        """
        engine = self._own_engine()
        if job_id in self._starting or engine.find(job_id) is not None:
            raise UserError(f"job {job_id} runs already", remedy=f"See how it is: llmbatch-tui show {job_id}")
        self._starting[job_id] = over = asyncio.get_running_loop().create_future()
        try:
            return await self._start(engine, job_id, trial)
        finally:
            del self._starting[job_id]
            over.set_result(None)

    async def _start(self, engine: Engine, job_id: int, trial: tuple[int, ...]) -> asyncio.Future[Job]:
        await engine.ended(job_id)
        job = await self._store.jobs.get(job_id)
        check_startable(job)
        await self._acquire(job, engine.owner)
        try:
            await self._store.jobs.set_state(job_id, JobState.RUNNING, now=self._clock())
            return await engine.start(await self._store.jobs.get(job_id), trial)
        except BaseException:
            await self._put_back(job, engine.owner)
            raise

    async def _put_back(self, job: Job, owner: Owner) -> None:
        """A job that could not be started is as it was. Where the disk refuses, why it could not is told all the same.

        Each step for itself: a lease that stays would keep the job from everybody until it is over.
        """
        jobs, state, now = self._store.jobs, job.state, self._clock()
        with suppress(StoreTrouble):
            await jobs.set_state(job.id, state, reason=job.reason, message=job.message, now=now, by=owner)
        with suppress(StoreTrouble):
            await jobs.release(job.id, owner)

    async def conclude(self, job_id: int) -> Job:
        """Completes a job of which nothing is pending: its last run was ended just before it said so. Returns the job.

        It takes the lease for that moment, as a run does: another process may be starting the job. Raises UserError
        when one runs it.
        """
        owner = self._own_engine().owner
        await self._acquire(await self._store.jobs.get(job_id), owner)
        try:
            job = await self._store.jobs.get(job_id)
            if job.state not in TERMINAL and job.imported:
                await self._store.jobs.set_state(job_id, JobState.COMPLETED, now=self._clock(), by=owner)
        finally:
            await self._store.jobs.release(job_id, owner)
        return await self._store.jobs.get(job_id)

    async def _acquire(self, job: Job, owner: Owner) -> None:
        """Takes a job's lease. Raises UserError when a live process has it."""
        if not await self._store.jobs.acquire(
            job.id, owner, now=self._clock(), expiry_s=self._lease_s, alive=self._alive
        ):
            raise UserError(
                f"job {job.id} is run by another process ({_where(job)})",
                remedy=f"Steer it from here: llmbatch-tui pause {job.id}",
            )

    async def pause(self, job_id: int) -> None:
        """Stops dispatching; what is in flight is finished and kept."""
        await self._give(job_id, Verb.PAUSE, {})

    async def resume(self, job_id: int) -> None:
        """Lets a paused job that some process still owns go on. For a job nobody owns, see `start`."""
        await self._give(job_id, Verb.RESUME, {})

    async def cancel(self, job_id: int) -> None:
        """Ends the job: pending items become cancelled, answers on their way are kept."""
        await self._give(job_id, Verb.CANCEL, {})

    async def turn(self, job_id: int, changes: Mapping[str, Json]) -> None:
        """Changes knobs, named as in domain.Knobs; takes effect at once on a running job."""
        await self._give(job_id, Verb.TURN, dict(changes))

    async def retry(self, job_id: int, selection: Selection) -> int:
        """Makes dead items pending again with fresh attempts; returns how many."""
        return int(await self._give(job_id, Verb.RETRY, selection.as_json()) or 0)

    async def discard(self, job_id: int, selection: Selection) -> int:
        """Makes dead items cancelled, which nothing brings back; returns how many."""
        return int(await self._give(job_id, Verb.DISCARD, selection.as_json()) or 0)

    async def count_dead(self, job_id: int, selection: Selection) -> int:
        """How many items `retry` and `discard` would take."""
        return await self._store.jobs.count_dead(job_id, selection)

    async def edit(self, item_id: int, row: Mapping[str, Json]) -> None:
        """Gives one item another row; a dead one is then sent by `retry`. Other items with the same row keep it.

        Raises UserError unless the item is dead, or pending in a job that nobody runs.
        """
        # No process holds a dead item, and the store refuses a pending one that some process may hold.
        await self._store.jobs.edit_row(item_id, json.dumps(row, ensure_ascii=False).encode("utf-8", "replace"))

    async def delete(self, job_id: int, *, progress: Callable[[int], None] | None = None) -> None:
        """Removes a job and everything it holds. Refuses while any process runs it."""
        await self._at_rest(job_id)
        if self._engine is not None and self._engine.find(job_id) is not None:
            raise UserError(f"job {job_id} is running", remedy=f"Stop it first: llmbatch-tui cancel {job_id}")
        await self._store.jobs.delete(job_id, alive=self._alive, expiry_s=self._lease_s, progress=progress)

    async def clone(self, job_id: int, spec: JobSpec, knobs: Knobs) -> int:
        """A new draft with the same rows and none of the answers; returns its id. Cancelling leaves none behind.

        In mode each, a row that was edited for one model is the edited one for that model. Raises UserError for a job
        that is not whole: its copy would lack rows, and nothing would tell.
        """
        source = await self._store.jobs.get(job_id)
        check_whole(source)
        async with self._store.jobs.drafting(spec, knobs, now=self._clock()) as copy:
            await self._store.jobs.clone_rows(job_id, copy, origins=origins(source.spec, spec))
            await self._store.jobs.mark_imported(copy)
            return copy

    def switch_off(self, endpoint: str) -> None:
        """Sends nothing to an endpoint any more: other deployments take over, jobs that have none wait.

        Holds for the jobs of this process, until it ends. Raises UserError in a process that runs no jobs.
        """
        self._own_engine().switch_off(endpoint)

    def switch_on(self, endpoint: str) -> None:
        """Sends to an endpoint again. Raises UserError in a process that runs no jobs."""
        self._own_engine().switch_on(endpoint)

    def set_limits(self, key: DeploymentKey, limits: LaneLimits) -> None:
        """Replaces what a person allows a deployment, from the next request on.

        Holds for the jobs of this process, until it ends. Raises UserError naming a limit that is no positive number,
        and in a process that runs no jobs.
        """
        self._own_engine().set_limits(key, limits)

    def _own_engine(self) -> Engine:
        if self._engine is None:
            raise UserError("this process runs no jobs")
        return self._engine

    async def owned_elsewhere(self, job: Job) -> bool:
        """Whether a live process other than this one runs the job."""
        if job.owner is None or (self._engine is not None and job.owner == self._engine.owner):
            return False
        beat = job.heartbeat_at or 0.0
        return self._alive(job.owner) and self._clock() - beat < self._lease_s

    async def _give(self, job_id: int, verb: Verb, args: dict[str, Json]) -> Json:
        job = await self._store.jobs.get(job_id)
        if await self.owned_elsewhere(job):
            return await self._send(job, verb, args)
        return await self.apply(job_id, verb, args)

    async def _send(self, job: Job, verb: Verb, args: dict[str, Json]) -> Json:
        commands = self._store.commands
        number = await commands.push(job.id, verb, args)
        for _ in range(round(REPLY_S / LOOK_S)):
            if (reply := await commands.wait(number, timeout=LOOK_S)) is not None:
                break
            if not await self.owned_elsewhere(await self._store.jobs.get(job.id)) and await commands.withdraw(number):
                return await self.apply(job.id, verb, args)
        else:
            await commands.withdraw(number)  # it is refused now: whoever runs the job later must not obey it
            raise UserError(
                f"the process that runs job {job.id} ({_where(job)}) did not answer within {REPLY_S:.0f} s",
                remedy="If it hangs, end it and use: llmbatch-tui resume " + str(job.id),
            )
        if not reply.ok:
            raise UserError(reply.message)
        return int(reply.message) if reply.message.isdigit() else None

    async def apply(self, job_id: int, verb: Verb, args: Mapping[str, Json]) -> Json:
        """Does what a verb says, here. The keeper calls this for verbs that came from other processes."""
        await self._at_rest(job_id)
        match verb:
            case Verb.PAUSE:
                return await self._pause(job_id)
            case Verb.RESUME:
                return await self._resume(job_id)
            case Verb.CANCEL:
                return await self._cancel(job_id)
            case Verb.RETRY:
                return await self._retry(job_id, Selection.from_json(args))
            case Verb.DISCARD:
                return await self._discard(job_id, Selection.from_json(args))
            case Verb.TURN:
                return await self._turn(job_id, args)

    async def _at_rest(self, job_id: int) -> None:
        """Returns when no start or end of the job is under way here: what is changed in its midst would be undone."""
        if (over := self._starting.get(job_id)) is not None:
            await asyncio.wait([over])
        if self._engine is not None:
            await self._engine.ended(job_id)

    def _run_here(self, job_id: int) -> Engine | None:
        engine = self._engine
        return engine if engine is not None and engine.find(job_id) is not None else None

    async def _pause(self, job_id: int) -> None:
        if (engine := self._run_here(job_id)) is not None:
            run = engine.find(job_id)
            assert run is not None
            engine.halt(run, Halt(JobState.PAUSED, PauseReason.USER))
            await engine.announced(job_id)
            return
        changed = await self._store.jobs.set_state(
            job_id, JobState.PAUSED, reason=PauseReason.USER, now=self._clock(), expect=ACTIVE
        )
        if not changed:
            job = await self._store.jobs.get(job_id)
            remedy = f"Let it go on: llmbatch-tui resume {job_id}" if job.counters.pending else _what(job)
            raise UserError(f"job {job_id} does not run: it is {job.state}", remedy=remedy)

    async def _resume(self, job_id: int) -> None:
        engine = self._run_here(job_id)
        if engine is None:
            await self.start(job_id)
            return
        engine.unhalt(job_id)
        await self._store.jobs.set_state(job_id, JobState.RUNNING, now=self._clock())

    async def _cancel(self, job_id: int) -> None:
        job = await self._store.jobs.get(job_id)
        if job.state in (JobState.COMPLETED, JobState.CANCELLED) and not job.counters.pending:
            raise UserError(f"job {job_id} is {job.state} already", remedy=_what(job))
        if (engine := self._run_here(job_id)) is not None:
            run = engine.find(job_id)
            assert run is not None
            engine.halt(run, Halt(JobState.CANCELLED))  # which cancels the items too, while the person goes on
            await engine.announced(job_id)
            return
        await self._store.jobs.set_state(job_id, JobState.CANCELLED, now=self._clock())
        await self._store.jobs.cancel(job_id)

    async def _retry(self, job_id: int, selection: Selection) -> int:
        undone = await self._store.jobs.retry(job_id, selection)
        if (engine := self._run_here(job_id)) is not None and undone.items:
            engine.rewind(job_id, undone)
        return undone.items

    async def _discard(self, job_id: int, selection: Selection) -> int:
        count = await self._store.jobs.discard(job_id, selection)
        if (engine := self._run_here(job_id)) is not None:
            engine.discarded(job_id, count)
        return count

    async def _turn(self, job_id: int, changes: Mapping[str, Json]) -> None:
        engine = self._run_here(job_id)
        run = engine.find(job_id) if engine is not None else None
        before = (await self._store.jobs.get(job_id)).knobs if run is None else run.knobs
        knobs = turned(before, changes)
        await self._store.jobs.set_knobs(job_id, knobs)
        if (engine := self._run_here(job_id)) is not None:
            engine.turn(job_id, knobs)


def turned(knobs: Knobs, changes: Mapping[str, Json]) -> Knobs:
    """The knobs with changes as they come from a person or another process. Raises UserError naming the bad one."""
    for name, value in changes.items():
        if name not in LEAST and name not in ("cap", "tags"):
            raise UserError(f"unknown knob: {name}", remedy=f"The knobs: {', '.join((*LEAST, 'cap', 'tags'))}")
        if name == "cap":
            good = value in frozenset(Cap)
        elif name == "tags":
            good = isinstance(value, Mapping) and all(isinstance(word, str) for pair in value.items() for word in pair)
        elif name == "priority":
            good = type(value) is int
        else:
            good = value is None or (type(value) is int and value >= LEAST[name])
        if not good:
            least = f"A whole number from {LEAST[name]} is." if name in LEAST else ""
            raise UserError(f"{name}: {value!r} is no value for it", remedy=least)
    named = {**changes, "cap": Cap(changes["cap"])} if "cap" in changes else changes
    return replace(knobs, **named)


def _where(job: Job) -> str:
    return f"process {job.owner.pid} on {job.owner.host}" if job.owner else "unknown"
