"""A report of 100,000 items: seconds, bytes, memory. An export of a million rows: rows a second, memory.

Run: python -m bench.report [--rows 1000000] [--report-rows 100000] [--format jsonl --format csv --format parquet]
Goals: the report in about a second, memory that does not grow with the rows.
Every step is a process of its own, so that its peak memory is its own. Answers are written by SQL, not asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

ANSWER = (
    '{"sentiment": "negative", "category": "card_arrival", "reason": "the card has not arrived, letters unanswered"}'
)
SETTLE = f"""UPDATE item SET state = CASE WHEN seq % 50 = 7 THEN 'dead' ELSE 'done' END,
    outcome = CASE WHEN seq % 50 = 7 THEN 'bad_request' ELSE 'ok' END, attempts = 1, requests = 1 + (seq % 20 = 3),
    endpoint = 'lean', model = CASE WHEN seq % 3 = 0 THEN 'small' ELSE 'large' END, tokens_in = 60 + seq % 40,
    tokens_out = 20 + seq % 30, cost_nano = 30000 + seq % 9000, latency_ms = 300 + (seq * 7919) % 4000,
    started_at = 1000 + seq * 0.002, finished_at = 1000.5 + seq * 0.002, score = (seq % 100) / 100.0;
  INSERT INTO result(item_id, text, finish_reason, request_id, message)
    SELECT id, CASE WHEN state = 'done' THEN '{ANSWER}' END, 'stop', 'req-' || id,
      CASE WHEN state = 'dead' THEN 'HTTP 400: field ' || seq || ' is too long' END FROM item;
  INSERT INTO attempt(item_id, number, at, endpoint, model, class, status, message, latency_ms)
    SELECT id, 1, started_at, endpoint, model, CASE WHEN state = 'dead' THEN 'bad_request' ELSE 'server_error' END,
      500, 'no', 90 FROM item WHERE state = 'dead' OR requests > 1;
  UPDATE job SET state = 'completed', started_at = 1000, finished_at = 1000 + total * 0.002, pending = 0,
    done = (SELECT count(*) FROM item WHERE state = 'done'), dead = (SELECT count(*) FROM item WHERE state = 'dead'),
    tokens_in = total * 80, tokens_out = total * 35, cost_nano = total * 34500"""


async def make(db: Path, rows: int) -> None:
    """A finished job of so many rows, about 200 bytes each."""
    from tui_batch.domain.endpoint import Api, Endpoint
    from tui_batch.domain.item import NewRow
    from tui_batch.domain.job import InputSource, JobSpec, Knobs, ModelRef
    from tui_batch.store.store import open_store

    filler = "the card has not arrived and nobody answers my letters, what am I to do about it now? " * 2
    spec = JobSpec(
        name="bench",
        source=InputSource("rows.jsonl", "jsonl"),
        models=(ModelRef("small", ("lean",)), ModelRef("large", ("lean",))),
        endpoints=(Endpoint("lean", Api.OPENAI, "http://127.0.0.1:1/v1"),),
    )
    async with open_store(db) as store:
        job_id = await store.jobs.create(spec, Knobs(), now=900.0)
        async with store.importing(job_id) as importer:
            for start in range(0, rows, 5_000):
                numbers = range(start, min(start + 5_000, rows))
                lines = ((n, json.dumps({"n": n, "text": f"{n}: {filler}"}).encode()) for n in numbers)
                await importer.add([NewRow(n + 1, f"r{n}", 0, data) for n, data in lines])
    with closing(sqlite3.connect(db)) as conn:
        conn.executescript(SETTLE)


async def report(db: Path, target: str) -> dict[str, float]:
    """Writes a report."""
    from tui_batch.report.write import write_report
    from tui_batch.store.store import open_store

    async with open_store(db) as store:
        begun = time.perf_counter()
        await write_report(store, 1, Path(target))
        return {"seconds": time.perf_counter() - begun}


async def export(db: Path, target: str) -> dict[str, float]:
    """Writes all results."""
    from tui_batch.report.export import export_results
    from tui_batch.report.targets import parse_target
    from tui_batch.store.store import open_store

    async with open_store(db) as store:
        job = await store.jobs.get(1)
        begun = time.perf_counter()
        done = await export_results(store, job, parse_target(target))
        took = time.perf_counter() - begun
        return {"seconds": took, "rows_per_s": done.rows / took}


STEPS: dict[str, Callable[[Path, str], Coroutine[Any, Any, dict[str, float]]]] = {"report": report, "export": export}


def step(name: str, db: Path, target: Path) -> dict[str, float]:
    """Runs a step in a process of its own; adds its peak memory in MB."""
    command = [sys.executable, "-m", "bench.report", "--step", name, "--db", str(db), "--target", str(target)]
    found = dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return {**found, "bytes": target.stat().st_size}


def child(name: str, db: Path, target: str) -> None:
    """The process of a step: prints its figures."""
    found = asyncio.run(STEPS[name](db, target))
    scale = 1_000_000 if sys.platform == "darwin" else 1_000
    print(json.dumps({**found, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale}))


def show(what: str, found: dict[str, float]) -> None:
    """One line of figures."""
    rate = f"{found['rows_per_s']:>10,.0f} rows/s" if "rows_per_s" in found else " " * 17
    size = f"{found['bytes'] / 1e6:8.2f} MB"
    print(f"{what:28} {found['seconds']:7.2f} s {rate} {size}  peak {found['peak_mb']:5.0f} MB", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the exports; 0: none")
    parser.add_argument("--report-rows", type=int, default=100_000)
    parser.add_argument("--format", action="append", help="of the exports")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--db", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--target", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.step:
        child(given.step, given.db, given.target)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = folder / "report.db"
        asyncio.run(make(db, given.report_rows))
        for ending in ("html", "md", "json"):
            show(f"report, {given.report_rows:,} items, {ending}", step("report", db, folder / f"report.{ending}"))
        if not given.rows:
            return
        db = folder / "export.db"
        asyncio.run(make(db, given.rows))
        for ending in given.format or ("jsonl", "csv", "parquet"):
            show(f"export, {given.rows:,} rows, {ending}", step("export", db, folder / f"results.{ending}"))


if __name__ == "__main__":
    main()
