"""A process that runs one job against a simulator of its own: `running_child.py '{"db": ..., "job": 1, ...}'`.

Waits for a line on standard input, then starts the job. Every request is a line `pid unix_time prompt` in the file
`log`. Its clock is as many seconds ahead as the file `ahead` has bytes. Standard output gets `ready`, then `started`
or `refused: words`, then `ended: state`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui_batch.engine.lease import LeaseTimes
from tui_batch.engine.workplace import Workplace, open_workplace
from tui_batch.errors import UserError
from tui_batch.providers.base import HttpRequest, HttpResponse
from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.latency import Latency
from tui_batch.simulator.transport import SimulatorTransport


@dataclass
class Noting:
    """A transport that notes every request before it goes out."""

    inner: SimulatorTransport
    log: int

    async def send(self, request: HttpRequest) -> HttpResponse:
        prompt = json.loads(request.body or b"")["messages"][-1]["content"]
        os.write(self.log, f"{os.getpid()} {time.time()} {' '.join(prompt.split())}\n".encode())
        return await self.inner.send(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def set_clock(ahead: str) -> None:
    """Makes the time of day one that a test can set, also while this process is stopped."""
    real = time.time
    time.time = lambda: real() + os.stat(ahead).st_size


async def start(place: Workplace, orders: dict[str, Any]) -> asyncio.Future[Any]:
    """Starts the job."""
    try:
        return await place.controller.start(orders["job"])
    except UserError as error:
        print(f"refused: {error.message}", flush=True)
        raise SystemExit(0) from None


async def main(orders: dict[str, Any]) -> None:
    if "ahead" in orders:
        set_clock(orders["ahead"])
    log = os.open(orders["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    simulator = Simulator(SimulatorConfig(latency=Latency(orders.get("latency_s", 0.0)), rpm=orders.get("rpm")))
    lease = LeaseTimes(orders.get("lease_s", 15.0), orders.get("beat_s", 1.0), 5.0)
    async with open_workplace(Path(orders["db"]), Noting(SimulatorTransport(simulator), log), lease=lease) as place:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        ending = await start(place, orders)
        print("started", flush=True)
        job = await ending
        print(f"ended: {job.state}", flush=True)


asyncio.run(main(json.loads(sys.argv[1])))
