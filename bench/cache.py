"""The same rows a second time: items answered from the cache, per second.

Run: python -m bench.cache [--rows 100000]
The first run fills the cache from a server that answers at once; the second makes no request at all.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.arena import Work, add, endpoint, office, table, verdict
from bench.throughput import free_port, pinned, wait_for
from tui_batch.domain.job import JobState, Knobs

GOAL_PER_S = 10_000


async def measure(url: str, rows: int, db: Path) -> list[tuple[str, ...]]:
    """Both runs; returns a line for each."""
    lines: list[tuple[str, ...]] = []
    async with office(db) as here:
        for name in ("first", "again"):
            job_id = await add(here, Work((endpoint(url),), rows, knobs=Knobs(concurrency=256)))
            start, cpu = time.perf_counter(), time.process_time()
            job = await (await here.controller.start(job_id))
            took, cpu = time.perf_counter() - start, time.process_time() - cpu
            assert job.state is JobState.COMPLETED, job
            hits, per_s = job.counters.cached, rows / took
            goal = "" if name == "first" else verdict(hits == rows and per_s >= GOAL_PER_S)
            lines.append((name, str(hits), f"{per_s:,.0f}", f"{cpu / rows * 1e6:.0f}", goal))
            await asyncio.sleep(0.5)
    return lines


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=100_000)
    args = parser.parse_args()
    from tui_batch.engine.loop import run

    port = free_port()
    core = (os.cpu_count() or 1) - 1
    server = subprocess.Popen([*pinned(core), sys.executable, "-m", "bench.lean_server", str(port), "0.002"])
    try:
        wait_for(port)
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
            lines = run(measure(f"http://127.0.0.1:{port}/v1", args.rows, Path(folder) / "bench.db"))
    finally:
        server.terminate()
        server.wait()
    table(f"Cache hits, {args.rows:,} rows, goal {GOAL_PER_S:,}/s", [("run", "hits", "items/s", "CPU us", ""), *lines])


if __name__ == "__main__":
    main()
