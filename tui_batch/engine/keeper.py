"""Keeps this process's leases alive, obeys verbs from other processes, and pauses jobs whose owner died."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress

import psutil

from tui_batch.domain.job import Owner
from tui_batch.engine.control import LEASE_S, Controller, Verb
from tui_batch.engine.engine import Engine
from tui_batch.errors import UserError
from tui_batch.store.connection import StoreTrouble
from tui_batch.store.store import Store

POLL_S = 0.1
"""How often the database is asked whether another process wrote to it: one cheap pragma."""
HEARTBEAT_S = 1.0
EXPIRE_S = 5.0


def this_process() -> Owner:
    """A new owner token for this process. The pid is paired with the process's start time, as pids come again."""
    started = psutil.Process().create_time()
    return Owner(socket.gethostname(), os.getpid(), f"{started:.2f}-{secrets.token_hex(8)}")


def is_alive(owner: Owner) -> bool:
    """Whether the owner may still be running. Owners on other hosts count as alive until their lease expires."""
    if owner.host != socket.gethostname():
        return True
    try:
        process = psutil.Process(owner.pid)
        started = float(owner.token.partition("-")[0])
        return abs(process.create_time() - started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return False
    except psutil.AccessDenied:
        return True


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
    ) -> None:
        self._store = store
        self._engine = engine
        self._controller = controller
        self._clock = clock
        self._alive = alive
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Keeper:
        self._tasks = [
            asyncio.create_task(self._obey(), name="obey commands"),
            asyncio.create_task(self._beat(), name="keep leases"),
        ]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _obey(self) -> None:
        seen = -1
        while True:
            with suppress(StoreTrouble):  # the writer says so on the screen; commands wait in the database
                version = await self._store.data_version()
                if version != seen and self._engine.job_ids:
                    await self._take()
                    seen = version
            await asyncio.sleep(POLL_S)

    async def _take(self) -> None:
        for command in await self._store.commands.take(self._engine.job_ids):
            if command.job_id is None:  # the job was deleted meanwhile
                continue
            try:
                result = await self._controller.apply(command.job_id, Verb(command.verb), command.args)
                await self._store.commands.finish(command.id, ok=True, message="" if result is None else str(result))
            except (UserError, ValueError) as error:
                await self._store.commands.finish(command.id, ok=False, message=str(error))

    async def _beat(self) -> None:
        jobs, loop = self._store.jobs, asyncio.get_running_loop()
        expired_at = loop.time() - EXPIRE_S
        while True:
            with suppress(StoreTrouble):  # the lease outlives some missed beats
                own = self._engine.job_ids
                if own:
                    kept = await jobs.heartbeat(self._engine.owner, own, self._clock())
                    self._engine.lost(set(own) - kept)
                if loop.time() - expired_at >= EXPIRE_S:
                    expired_at = loop.time()
                    await jobs.expire(now=self._clock(), expiry_s=LEASE_S, alive=self._alive)
            await asyncio.sleep(HEARTBEAT_S)
