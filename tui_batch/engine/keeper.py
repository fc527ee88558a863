"""Keeps this process's leases alive, obeys verbs from other processes, and pauses jobs whose owner died."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from tui_batch.domain.job import Owner
from tui_batch.domain.stored import Command, CommandResult
from tui_batch.engine.control import Controller, Verb
from tui_batch.engine.engine import Engine
from tui_batch.engine.lease import USUAL, LeaseTimes
from tui_batch.engine.owners import is_alive
from tui_batch.errors import UserError
from tui_batch.store.connection import StoreTrouble
from tui_batch.store.doorbell import Doorbell
from tui_batch.store.store import Store

POLL_S = 0.025
"""How often the database is asked for commands of running jobs: one indexed look, which takes no lock."""
IDLE_POLL_S = 0.05
"""The same while nothing is in flight: waiting for a limit should cost next to nothing. Then it is first looked at
whether anyone wrote at all,"""
NO_JOB_POLL_S = 0.1
"""The same while no job runs here: no verb is meant for this process, but one may be as soon as a job is started."""
SURE_EVERY = 4
"""and after so many looks that found nothing the database is asked all the same."""
VERB_S = 0.05
"""So long the outcomes' next commit waits for a verb to be obeyed and answered, which takes three small commits."""


class Keeper:
    """Two small loops beside the engine: `async with Keeper(...)` runs them."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        controller: Controller,
        *,
        clock: Callable[[], float],
        alive: Callable[[Owner], bool] = is_alive,
        lease: LeaseTimes = USUAL,
    ) -> None:
        self._store = store
        self._engine = engine
        self._controller = controller
        self._clock = clock
        self._alive = alive
        self._lease = lease
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Keeper:
        self._tasks = [
            asyncio.create_task(self._obey(), name="obey commands"),
            asyncio.create_task(self._beat(), name="keep leases"),
        ]
        for task in self._tasks:
            task.add_done_callback(self._ended)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Neither loop ends by itself: without them the jobs would stand still and nobody would know why."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._engine.fail_all(error)

    async def _obey(self) -> None:
        bell, quiet = Doorbell(self._store.path), 0
        while True:
            if not self._engine.job_ids:
                quiet = SURE_EVERY - 1  # the first look at a job is a sure one
                await asyncio.sleep(NO_JOB_POLL_S)
                continue
            busy = self._is_busy()
            quiet = 0 if busy or bell.rang() else (quiet + 1) % SURE_EVERY
            if not quiet:
                with suppress(StoreTrouble):  # the writer says so on the screen; commands wait in the database
                    await self._take()
            await asyncio.sleep(POLL_S if busy else IDLE_POLL_S)

    def _is_busy(self) -> bool:
        runs = map(self._engine.find, self._engine.job_ids)
        return any(run is not None and run.in_flight for run in runs)

    async def _take(self) -> None:
        commands = self._store.commands
        if not await commands.are_waiting(self._engine.job_ids):
            return
        self._store.writer.give_way(VERB_S)
        for command in await commands.take(self._engine.job_ids):
            if command.job_id is None:  # the job was deleted meanwhile
                continue
            result = await self._do(command, command.job_id)
            await commands.finish(command.id, ok=result.ok, message=result.message)

    async def _do(self, command: Command, job_id: int) -> CommandResult:
        try:
            result = await self._controller.apply(job_id, Verb(command.verb), command.args)
        except StoreTrouble as error:
            return CommandResult(False, f"not done: {error.message}")
        except (UserError, ValueError, TypeError) as error:  # the last two: a newer or a foreign program's words
            return CommandResult(False, str(error))
        return CommandResult(True, "" if result is None else str(result))

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        swept_at = loop.time() - self._lease.sweep_s
        while True:
            with suppress(StoreTrouble):  # without a beat nothing is sent once the lease is over
                await self._renew()
                if loop.time() - swept_at >= self._lease.sweep_s:
                    swept_at = loop.time()
                    await self._sweep()
                self._engine.journal.observe(self._engine.snapshot())
                await self._engine.journal.flush()
                await self._engine.vigil.flush()
            await asyncio.sleep(self._lease.beat_s)

    async def _sweep(self) -> None:
        """Pauses the jobs of processes that are gone, and of this one those that it does not run after all."""
        await self._store.jobs.expire(
            now=self._clock(),
            expiry_s=self._lease.expiry_s,
            alive=self._alive,
            by=self._engine.owner,
            held=self._engine.held_ids,
        )

    async def _renew(self) -> None:
        if not (own := self._engine.held_ids):
            return
        late = True
        while late:  # a beat that waited for the disk may be too old by now to say that anyone lives
            now = self._clock()
            kept = await self._store.jobs.heartbeat(self._engine.owner, own, now)
            late = self._clock() - now > self._lease.expiry_s / 2
        self._engine.lost(set(own) - kept)
        self._engine.beaten(now)
