"""How long a verb takes that one process gives and another, at full speed, obeys.

Run: python -m bench.steering [--rounds 20] [--rows 300000] [--in-flight 256]
A child runs a job against a canned server that answers in 20 ms, as fast as it can. This process gives every
verb in turn and waits for the owner's answer, which comes once the verb has been obeyed; Python's start is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import orjson

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.item import NewRow
from tui_batch.domain.item_scope import Selection
from tui_batch.domain.job import CacheMode, InputSource, JobSpec, JobState, Knobs, ModelRef
from tui_batch.engine.control import Controller
from tui_batch.engine.loop import run
from tui_batch.engine.owners import is_alive
from tui_batch.engine.workplace import open_workplace
from tui_batch.providers.base import HttpRequest, HttpResponse
from tui_batch.store.store import Store, open_store

GOAL_S = 0.25
CHUNK = 5_000
ANSWER = orjson.dumps(
    {
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }
)


class Canned:
    """A server that costs nothing: the same answer after 20 ms."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Waits and answers."""
        await asyncio.sleep(0.02)
        return HttpResponse(200, {"content-type": "application/json"}, ANSWER)

    async def aclose(self) -> None:
        """Nothing is open."""


async def child(db: Path, job_id: int) -> None:
    """The process that runs the job; starts it again when a pause has emptied it."""
    async with open_workplace(db, Canned()) as place:
        job = await (await place.controller.start(job_id))
        while job.state is JobState.PAUSED:
            job = await (await place.controller.start(job_id))


async def make(store: Store, rows: int, in_flight: int) -> int:
    """The job."""
    endpoint = Endpoint("sim", Api.OPENAI, "http://sim.test/v1")
    spec = JobSpec("steered", InputSource("rows", "txt"), (ModelRef("m", ("sim",)),), (endpoint,), cache=CacheMode.OFF)
    job_id = await store.jobs.create(spec, Knobs(concurrency=in_flight), now=time.time())
    async with store.importing(job_id) as importer:
        for start in range(0, rows, CHUNK):
            numbers = range(start, min(start + CHUNK, rows))
            await importer.add([NewRow(n + 1, None, 0, orjson.dumps({"prompt": f"row {n}"})) for n in numbers])
    return job_id


async def steer(store: Store, job_id: int, rounds: int, in_flight: int) -> dict[str, list[float]]:
    """Gives the verbs; returns the seconds that each took."""
    control = Controller(store, None, clock=time.time, alive=is_alive)
    took: dict[str, list[float]] = defaultdict(list)

    async def timed(name: str, verb: Callable[[], Awaitable[object]]) -> None:
        before = time.perf_counter()
        await verb()
        took[name].append(time.perf_counter() - before)

    for turn in range(rounds):
        width = in_flight - turn % 2
        await timed("concurrency", partial(control.turn, job_id, {"concurrency": width}))
        await timed("rpm, tpm, priority", lambda: control.turn(job_id, {"rpm": 10**7, "tpm": None, "priority": 1}))
        await timed("retry (nothing dead)", lambda: control.retry(job_id, Selection()))
        await timed("pause", lambda: control.pause(job_id))
        while (await store.jobs.get(job_id)).state is JobState.PAUSED:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)  # so that not every verb meets the owner at the same point of its poll
    await timed(f"cancel ({(await store.jobs.counters(job_id)).pending:,} items)", lambda: control.cancel(job_id))
    return took


async def campaign(rounds: int, rows: int, in_flight: int) -> None:
    """Runs everything and prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "jobs.db"
        async with open_store(db) as store:
            job_id = await make(store, rows, in_flight)
            owner = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bench.steering", "--child", str(db), str(job_id)
            )
            while (await store.jobs.counters(job_id)).done < 1_000:
                await asyncio.sleep(0.02)
            before, start = (await store.jobs.counters(job_id)).done, time.perf_counter()
            took = await steer(store, job_id, rounds, in_flight)
            speed = ((await store.jobs.counters(job_id)).done - before) / (time.perf_counter() - start)
            await owner.wait()
    print(f"{in_flight} in flight, {speed:,.0f} items/s meanwhile; milliseconds until the owner has obeyed:")
    for name, seconds in took.items():
        ordered = sorted(seconds)
        verdict = "" if ordered[-1] <= GOAL_S else f"  above {GOAL_S * 1e3:.0f}"
        print(
            f"  {name:32} n {len(ordered):3}  median {statistics.median(ordered) * 1e3:6.1f}  "
            f"most {ordered[-1] * 1e3:6.1f}{verdict}"
        )


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--child", nargs=2, metavar=("DB", "JOB"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        run(child(Path(args.child[0]), int(args.child[1])))  # as the program itself runs
    else:
        asyncio.run(campaign(args.rounds, args.rows, args.in_flight))


if __name__ == "__main__":
    main()
