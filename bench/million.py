"""A million rows: import rate and memory, memory over the first answers, time until a resumed job sends again.

Run: python -m bench.million [--rows 1000000] [--answers 100000] [--whole]
With `--whole` the job then runs to its end: goals are a peak below 300 MB, and a last tenth as fast as the first
within 10 %.
Every step is a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.throughput import free_port, pinned, wait_for

PROMPT = "Classify this message in one word: {{ text }}"


def write_rows(path: Path, rows: int) -> None:
    """About 200 bytes a row, all different."""
    filler = "the card has not arrived and nobody answers my letters, what am I to do about it now? " * 2
    with path.open("w", encoding="utf-8") as file:
        for n in range(rows):
            file.write(json.dumps({"n": n, "text": f"{n}: {filler}"}) + "\n")


async def import_rows(folder: Path, url: str) -> dict[str, float]:
    """Reads the file into a job."""
    from tui_batch.domain.endpoint import Api, Endpoint
    from tui_batch.domain.job import InputSource, JobSpec, Knobs, ModelRef
    from tui_batch.engine.importing import ImportPlan, create_job
    from tui_batch.store.store import open_store

    spec = JobSpec(
        name="million",
        source=InputSource(str(folder / "rows.jsonl"), "jsonl"),
        models=(ModelRef("bench", ("lean",)),),
        endpoints=(Endpoint("lean", Api.OPENAI, url),),
        prompt=PROMPT,
    )
    start = time.perf_counter()
    async with open_store(folder / "jobs.db") as store:
        imported = await create_job(
            store, ImportPlan(spec, Knobs(concurrency=256), folder / "rejects.jsonl"), now=time.time()
        )
    took = time.perf_counter() - start
    return {"seconds": took, "rows_per_s": imported.rows / took}


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[object, int]]:
    """The job, started; gives the engine and how many items are done already."""
    from tui_batch.engine.workplace import open_workplace
    from tui_batch.providers.http import open_transport

    transport = open_transport()
    async with open_workplace(folder / "jobs.db", transport) as place:
        done = (await place.store.jobs.get(1)).counters.done
        await place.controller.start(1)
        yield place.engine, done
    await transport.aclose()


async def answer(folder: Path, wanted: int) -> dict[str, float]:
    """Runs the job until `wanted` more items are done, and stops it."""
    start = time.perf_counter()
    async with running(folder) as (engine, done):
        while (now := counters(engine)) < done + wanted:
            await asyncio.sleep(0.02)
        took = time.perf_counter() - start
    return {"seconds": took, "items_per_s": (now - done) / took}


async def resume(folder: Path) -> dict[str, float]:
    """From a new process to the first new answer."""
    start = time.perf_counter()
    async with running(folder) as (engine, done):
        while counters(engine) <= done:
            await asyncio.sleep(0.001)
        took = time.perf_counter() - start
    return {"seconds_to_first_answer": took}


async def whole(folder: Path) -> dict[str, float]:
    """The job to its end: how fast the first and the last tenth of what was left went."""
    from tui_batch.engine.workplace import open_workplace
    from tui_batch.providers.http import open_transport

    transport = open_transport()
    async with open_workplace(folder / "jobs.db", transport) as place:
        before = (await place.store.jobs.get(1)).counters
        marks = [(time.perf_counter(), before.done)]
        end = await place.controller.start(1)
        while not end.done():
            await asyncio.sleep(0.1)
            marks.append((time.perf_counter(), max(marks[-1][1], counters(place.engine))))
        after = (await end).counters
    await transport.aclose()
    marks.append((time.perf_counter(), after.done))
    tenth = (after.total - before.done) // 10
    return {
        "done": after.done,
        "seconds": marks[-1][0] - marks[0][0],
        "first_tenth_per_s": pace(marks, before.done, before.done + tenth),
        "last_tenth_per_s": pace(marks, after.total - tenth, after.total),
    }


def pace(marks: list[tuple[float, int]], start: int, stop: int) -> float:
    """Items per second between two counts."""
    first = next(at for at, done in marks if done >= start)
    last = next(at for at, done in marks if done >= stop)
    return (stop - start) / max(1e-9, last - first)


def counters(engine: object) -> int:
    """Items done so far, by the engine's own snapshot."""
    from tui_batch.engine.engine import Engine

    assert isinstance(engine, Engine)
    snapshot = engine.snapshot()
    return snapshot.jobs[0].counters.done if snapshot.jobs else 0


def child(step: str, folder: Path, url: str, wanted: int) -> None:
    """One step in its own process: prints its figures as JSON."""
    from tui_batch.engine.loop import run

    steps = {
        "import": lambda: import_rows(folder, url),
        "answers": lambda: answer(folder, wanted),
        "resume": lambda: resume(folder),
        "whole": lambda: whole(folder),
    }
    figures = run(steps[step]())
    print(json.dumps({**figures, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def main() -> None:
    """Parses the command line; with --step it is the child process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--whole", action="store_true", help="run the job to its end as well")
    parser.add_argument("--step")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--url", default="")
    args = parser.parse_args()
    if args.step:
        child(args.step, args.folder, args.url, args.answers)
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        steps = ("import", "answers", "resume", *(["whole"] if args.whole else []))
        measure(Path(name), args.rows, args.answers, steps)


def measure(folder: Path, rows: int, answers: int, steps: Sequence[str]) -> None:
    """Runs the steps one after another and prints what each says."""
    write_rows(folder / "rows.jsonl", rows)
    port = free_port()
    server = subprocess.Popen(
        [*pinned((os.cpu_count() or 1) - 1), sys.executable, "-m", "bench.lean_server", str(port), "0.01"]
    )
    try:
        wait_for(port)
        for step in steps:
            command = [sys.executable, "-m", "bench.million", "--step", step, "--folder", str(folder)]
            command += ["--url", f"http://127.0.0.1:{port}/v1", "--answers", str(answers)]
            done = subprocess.run(pinned(0) + command, check=True, capture_output=True, text=True)
            figures = json.loads(done.stdout.splitlines()[-1])
            print(f"{step:8}", "  ".join(f"{key} {value:,.2f}" for key, value in figures.items()), flush=True)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
