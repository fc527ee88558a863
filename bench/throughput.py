"""Whole-engine throughput against bare HTTP loops: same requests, same server, same core, one run.

Run: python -m bench.throughput [--requests 60000] [--rounds 3]
The server runs on the last core, each client on the first, one after another, in turns, so that a machine that
drifts drifts for all. `engine` is everything on: input file, SQLite with fsync, cache, retries, limits, statistics.
`priced` is the same with a model that has a price: what each request can cost at most, and did, is reckoned as well.
Time and CPU (of all threads) are those of the requests alone, without the imports and the reading-in before them.
The requests are so many that the first second weighs little, in which the engine starts and sends few to a server
that it does not know; --requests 6000 shows what that costs a short job.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_batch.settings import Settings

LATENCY_S = 0.05
ARMS = ("aiohttp", "httpx", "engine", "priced")
HTTPX_REQUESTS = 2_000
"""A bare httpx loop is so slow that more would take minutes, and its rate is the same from the first second on."""


def body(n: int) -> bytes:
    """A small chat request, different for every n, so that nothing is answered from a cache."""
    return json.dumps(
        {"model": "bench", "messages": [{"role": "user", "content": f"Say something about number {n}."}]}
    ).encode()


@dataclass(frozen=True, slots=True)
class Moment:
    """A time on two clocks, in seconds: the wall's, and what all threads of this process have worked."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Moment:
        """This one."""
        return cls(time.perf_counter(), time.process_time())

    def since(self) -> Moment:
        """What has passed since then."""
        now = Moment.now()
        return Moment(now.wall - self.wall, now.cpu - self.cpu)


async def pool(requests: int, in_flight: int, send: Callable[[int], Awaitable[object]]) -> Moment:
    """Sends all requests with a fixed number in flight; returns what it took."""
    numbers = iter(range(requests))

    async def worker() -> None:
        for number in numbers:
            await send(number)

    start = Moment.now()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return start.since()


async def run_aiohttp(base_url: str, requests: int, in_flight: int) -> Moment:
    """A bare aiohttp loop: the yardstick."""
    import aiohttp

    headers = {"content-type": "application/json", "authorization": "Bearer none"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def send(number: int) -> object:
            async with session.post(f"{base_url}/chat/completions", data=body(number), headers=headers) as response:
                return json.loads(await response.read())

        return await pool(requests, in_flight, send)


async def run_httpx(base_url: str, requests: int, in_flight: int) -> Moment:
    """A bare httpx.AsyncClient loop."""
    import httpx

    headers = {"content-type": "application/json", "authorization": "Bearer none"}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:

        async def send(number: int) -> object:
            response = await client.post(f"{base_url}/chat/completions", content=body(number), headers=headers)
            return response.json()

        return await pool(requests, in_flight, send)


async def run_engine(base_url: str, requests: int, in_flight: int) -> Moment:
    """The whole program's engine, from a started job to its last committed answer."""
    from tui_batch.settings import Settings

    return await run_job(base_url, requests, in_flight, Settings())


async def run_priced(base_url: str, requests: int, in_flight: int) -> Moment:
    """The same with prices such as hosted models have."""
    from tui_batch.money.prices import OwnPrice, UnitPrices
    from tui_batch.settings import Settings

    prices = UnitPrices.per_mtok("0.15", "0.60", cached_usd="0.075")
    return await run_job(base_url, requests, in_flight, Settings(prices=(OwnPrice("bench", prices),)))


async def run_job(base_url: str, requests: int, in_flight: int, settings: Settings) -> Moment:
    """A job from its start to its last committed answer."""
    from tui_batch.domain.job import JobState
    from tui_batch.engine.workplace import open_workplace
    from tui_batch.providers.http import open_transport

    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        transport = open_transport()
        async with open_workplace(Path(folder) / "bench.db", transport, settings) as place:
            job_id = await import_numbers(place.store, Path(folder), base_url, requests, in_flight)
            start = Moment.now()
            job = await (await place.controller.start(job_id))
            took = start.since()
            assert job.state is JobState.COMPLETED, job
            assert job.counters.done == requests, job.counters
        await transport.aclose()
        return took


async def import_numbers(store: object, folder: Path, base_url: str, requests: int, in_flight: int) -> int:
    """A job over a file of numbers."""
    from tui_batch.domain.endpoint import Api, Endpoint
    from tui_batch.domain.job import InputSource, JobSpec, Knobs, ModelRef
    from tui_batch.engine.importing import ImportPlan, create_job
    from tui_batch.store.store import Store

    assert isinstance(store, Store)
    path = folder / "numbers.jsonl"
    path.write_text("".join(f'{{"n": {n}}}\n' for n in range(requests)), encoding="utf-8")
    spec = JobSpec(
        name="bench",
        source=InputSource(str(path), "jsonl"),
        models=(ModelRef("bench", ("lean",)),),
        endpoints=(Endpoint("lean", Api.OPENAI, base_url),),
        prompt="Say something about number {{ n }}.",
    )
    plan = ImportPlan(spec, Knobs(concurrency=in_flight), folder / "rejects.jsonl")
    return (await create_job(store, plan, now=time.time())).job_id


RUNNERS = {"aiohttp": run_aiohttp, "httpx": run_httpx, "engine": run_engine, "priced": run_priced}


def run_arm(arm: str, base_url: str, requests: int, in_flight: int) -> None:
    """One client in its own process: prints its figures as JSON."""
    coroutine = RUNNERS[arm](base_url, requests, in_flight)
    took = run_on_best_loop(coroutine) if arm in ("engine", "priced") else asyncio.run(coroutine)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"per_s": requests / took.wall, "cpu_ms": took.cpu / requests * 1e3, "peak_mb": peak_mb}))


def run_on_best_loop(coroutine: Coroutine[None, None, Moment]) -> Moment:
    """As the program itself runs: on uvloop where there is one."""
    from tui_batch.engine.loop import run

    return run(coroutine)


def pinned(core: int) -> list[str]:
    """A command prefix that keeps a process on one core; empty where the platform has none."""
    return ["taskset", "-c", str(core)] if sys.platform == "linux" else []


def measure(arm: str, base_url: str, requests: int, in_flight: int) -> dict[str, float]:
    """Runs one arm in a fresh process on the first core."""
    command = [sys.executable, "-m", "bench.throughput", "--arm", arm, "--url", base_url]
    command += ["--requests", str(requests), "--in-flight", str(in_flight)]
    done = subprocess.run(pinned(0) + command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def compare(base_url: str, requests: int, in_flight: int, rounds: int) -> None:
    """Prints one table: the median of each arm, and its ratio to aiohttp round by round."""
    rows: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for number in range(rounds):
        for arm in ARMS:
            if arm == "httpx" and number:  # nothing hangs on its last digit
                rows[arm].append(rows[arm][0])
            else:
                few = min(requests, HTTPX_REQUESTS) if arm == "httpx" else requests
                rows[arm].append(measure(arm, base_url, few, in_flight))
    print(f"\n{in_flight} in flight, {requests} requests, {LATENCY_S * 1e3:.0f} ms latency, median of {rounds}")
    print(f"{'':10}{'items/s':>10}{'CPU ms':>10}{'peak MB':>10}{'/ aiohttp':>12}")
    for arm in ARMS:
        ratio = statistics.median(a["per_s"] / b["per_s"] for a, b in zip(rows[arm], rows["aiohttp"], strict=True))
        per_s, cpu, peak = (
            statistics.median(row[name] for row in rows[arm]) for name in ("per_s", "cpu_ms", "peak_mb")
        )
        print(f"{arm:10}{per_s:10.0f}{cpu:10.3f}{peak:10.0f}{ratio:12.2f}")


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Parses the command line; with --arm it is the child process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-flight", type=int, action="append")
    parser.add_argument("--arm", choices=ARMS)
    parser.add_argument("--url", default="")
    args = parser.parse_args()
    if args.arm:
        run_arm(args.arm, args.url, args.requests, args.in_flight[0])
        return
    port = free_port()
    core = (os.cpu_count() or 1) - 1
    server = subprocess.Popen([*pinned(core), sys.executable, "-m", "bench.lean_server", str(port), str(LATENCY_S)])
    try:
        wait_for(port)
        for in_flight in args.in_flight or (64, 256):
            compare(f"http://127.0.0.1:{port}/v1", args.requests, in_flight, args.rounds)
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int, timeout_s: float = 10.0) -> None:
    """Returns when something listens on the port."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


if __name__ == "__main__":
    main()
