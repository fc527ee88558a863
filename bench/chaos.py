"""Twenty requests in a hundred go wrong, the program is killed again and again, and at the end everything must add up.

Run: python -m bench.chaos [--rows 3000] [--kills 12] [--in-flight 24]; ends with 1 when something does not add up.
A simulator in this process serves over loopback with every fault it knows. The program runs as a child that is ended
by SIGKILL and resumed until the kills are used up; then it may finish. The checks read the database by SQL and the
server's own score, and share nothing with the program but the file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.item import ItemFlag, NewRow
from tui_batch.domain.job import CacheMode, InputSource, JobSpec, Knobs, ModelRef
from tui_batch.domain.request import Timeouts
from tui_batch.engine.workplace import open_workplace
from tui_batch.money.prices import OwnPrice, UnitPrices
from tui_batch.providers.base import HttpRequest
from tui_batch.providers.http import TransportOptions, open_transport
from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.faults import parse_faults
from tui_batch.simulator.latency import Latency
from tui_batch.simulator.score import Score
from tui_batch.simulator.server import serve
from tui_batch.simulator.transport import SimulatorTransport
from tui_batch.store.store import open_store

FAULTS = (
    "429=0.03,500=0.02,503=0.02,529=0.02,reset=0.02,hang=0.01,malformed=0.02,empty=0.01,html=0.02,slow=0.01,"
    "truncation=0.01,filter=0.01"
)
"""A fifth of all requests."""

MODEL = "gpt-4o-mini"
PRICE_IN, PRICE_OUT = 150, 600
"""Nano-dollars a token."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of it."""

    rows: int
    kills: int
    in_flight: int
    seed: int


async def child(db: Path, job_id: int) -> None:
    """The process that runs the job, over real sockets."""
    prices = (OwnPrice(MODEL, UnitPrices(input=Fraction(PRICE_IN), output=Fraction(PRICE_OUT))),)
    async with open_workplace(db, open_transport(TransportOptions()), prices=prices) as place:
        await (await place.controller.start(job_id))


async def make(db: Path, url: str, scale: Scale) -> int:
    """The job; a hanging request is given up after two seconds."""
    endpoint = Endpoint("chaos", Api.OPENAI, url)
    spec = JobSpec(
        "chaos",
        InputSource("rows", "txt"),
        (ModelRef(MODEL, ("chaos",)),),
        (endpoint,),
        cache=CacheMode.OFF,
        timeout_base_s=2.0,
        timeout_per_1k_tokens_s=0.0,
    )
    async with open_store(db) as store:
        job_id = await store.jobs.create(spec, Knobs(concurrency=scale.in_flight), now=time.time())
        async with store.importing(job_id) as importer:
            rows = [NewRow(n + 1, None, 0, orjson.dumps({"prompt": prompt(n)})) for n in range(scale.rows)]
            await importer.add(rows)
    return job_id


def prompt(number: int) -> str:
    """The prompt of a row, unlike any other's."""
    return f"What do you know about the number {number}?"


async def torment(db: Path, job_id: int, scale: Scale, score: Score) -> int:
    """Runs the job, killing its process until the kills are used up; returns how many were."""
    rng, killed = random.Random(scale.seed), 0
    while True:
        words = (sys.executable, "-m", "bench.chaos", "--child", str(db), str(job_id))
        process = await asyncio.create_subprocess_exec(*words)
        if killed < scale.kills:
            mark = score.seen + rng.randint(1, max(1, scale.rows // (2 * scale.kills)))
            while process.returncode is None and score.seen < mark:
                await asyncio.sleep(0.01)
            await asyncio.sleep(rng.uniform(0.0, 0.2))
            if process.returncode is None:
                process.kill()
                killed += 1
        if await process.wait() >= 0 or ended(db, job_id):
            return killed


def ended(db: Path, job_id: int) -> bool:
    """Whether the job says that it is over."""
    return bool(read(db, "SELECT state FROM job WHERE id = ?", job_id)[0]["state"] in ("completed", "failed", "paused"))


def read(db: Path, sql: str, *values: object) -> list[dict[str, Any]]:
    """Rows of a query."""
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as conn:
        conn.row_factory = sqlite3.Row
        return [dict(row) for row in conn.execute(sql, values).fetchall()]


async def expected(rows: int, seed: int) -> list[str]:
    """What a server without faults answers to each row."""
    transport = SimulatorTransport(Simulator(SimulatorConfig(seed=seed)))
    answers = []
    for number in range(rows):
        body = orjson.dumps({"model": MODEL, "messages": [{"role": "user", "content": prompt(number)}]})
        url = "http://sim.test/v1/chat/completions"
        response = await transport.send(
            HttpRequest("POST", url, (("content-type", "application/json"),), body, Timeouts())
        )
        answers.append(json.loads(response.body)["choices"][0]["message"]["content"])
    return answers


COUNTED = (
    "total",
    "done",
    "dead",
    "pending",
    "cancelled",
    "requests",
    "tokens_in",
    "tokens_out",
    "cost_nano",
    "unpriced",
)


def violations(db: Path, job_id: int, score: Score, scale: Scale, killed: int, right: list[str]) -> Iterator[str]:
    """Everything that does not add up."""
    (job,) = read(db, "SELECT * FROM job WHERE id = ?", job_id)
    items = read(
        db,
        """SELECT item.*, result.text, (SELECT count(*) FROM attempt WHERE item_id = item.id) AS failures,
        (SELECT count(DISTINCT number) FROM attempt WHERE item_id = item.id) AS numbers
        FROM item LEFT JOIN result ON result.item_id = item.id WHERE job_id = ? ORDER BY seq""",
        job_id,
    )
    if (job["state"], job["owner_token"]) != ("completed", None):
        yield f"the job is {job['state']} ({job['reason']}: {job['message']}), owned by {job['owner_token']}"
    if [item["seq"] for item in items] != list(range(scale.rows)):
        yield "rows are missing or doubled"
    yield from wrong_items(items, right)
    yield from wrong_sums(job, items)
    # A kill loses sight of what is in flight, and of what was answered while the last commit was on its way.
    unseen, excuse = score.seen - job["requests"], 2 * scale.in_flight * killed
    if not 0 <= unseen <= excuse:
        yield f"the server saw {score.seen} requests, the database knows of {job['requests']}, excused are {excuse}"
    twice = score.as_json()["answered_twice"]
    if twice > excuse:
        yield f"{twice} rows were answered twice, excused are {excuse}"
    if read(db, "PRAGMA integrity_check") != [{"integrity_check": "ok"}]:
        yield "the database is damaged"


def wrong_items(items: list[dict[str, Any]], right: list[str]) -> Iterator[str]:
    """Rows without a final state, with another row's answer, or whose attempts do not add up."""
    for item in items:
        name, text = f"row {item['seq']}", item["text"] or ""
        if item["state"] not in ("done", "dead"):
            yield f"{name} is {item['state']}"
        cut = item["flags"] & ItemFlag.TRUNCATED.value
        matches = right[item["seq"]].startswith(text) if cut else text == right[item["seq"]]
        if item["state"] == "done" and not (matches and text):
            yield f"{name} has a wrong answer: {text[:80]!r}"
        if item["failures"] != item["requests"] - (item["state"] == "done"):
            yield f"{name}: {item['requests']} requests, {item['failures']} failed attempts kept, {item['state']}"
        if item["numbers"] != item["failures"]:
            yield f"{name}: attempts share a number"


def wrong_sums(job: dict[str, Any], items: list[dict[str, Any]]) -> Iterator[str]:
    """Counters that differ from the items, and money that differs from the tokens."""
    states = [item["state"] for item in items]
    sums = {name: sum(item[name] or 0 for item in items) for name in COUNTED[5:]}
    sums |= {name: states.count(name) for name in COUNTED[1:5]} | {"total": len(items)}
    for name in COUNTED:
        if job[name] != sums[name]:
            yield f"the counter {name} says {job[name]}, the items say {sums[name]}"
    cost = job["tokens_in"] * PRICE_IN + job["tokens_out"] * PRICE_OUT
    if job["cost_nano"] != cost:
        yield f"the cost is {job['cost_nano']}, the tokens cost {cost}"


async def campaign(scale: Scale) -> int:
    """Runs everything and prints what was found; the number of violations."""
    config = SimulatorConfig(
        seed=scale.seed,
        latency=Latency(0.05, 0.0, 0.002, 0.3),
        faults=parse_faults(FAULTS),
        hang_s=3.0,
        slow_body_s=0.5,
        fault_retry_after_s=0.2,
    )
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "jobs.db"
        async with serve(config) as server:
            started = time.monotonic()
            job_id = await make(db, server.openai_url, scale)
            killed = await torment(db, job_id, scale, server.simulator.score)
            took = time.monotonic() - started
        score = server.simulator.score
        found = list(violations(db, job_id, score, scale, killed, await expected(scale.rows, scale.seed)))
        report(db, job_id, score, killed, took)
    for words in found[:20]:
        print(f"  WRONG: {words}")
    print(f"violations: {len(found)}")
    return len(found)


def report(db: Path, job_id: int, score: Score, killed: int, took: float) -> None:
    """What happened, in figures."""
    (job,) = read(db, "SELECT * FROM job WHERE id = ?", job_id)
    classes = read(db, "SELECT class, count(*) AS number FROM attempt GROUP BY class ORDER BY number DESC")
    told = score.as_json()
    print(f"{job['total']:,} rows, {killed} kills, {took:.0f} s: {job['done']:,} done, {job['dead']:,} dead")
    print(f"requests: the server saw {score.seen:,}, the database knows of {job['requests']:,} (the rest died unseen)")
    print(f"faults injected: {sum(told['faults'].values()):,} ({sum(told['faults'].values()) / score.seen:.0%})")
    kinds = ", ".join(f"{row['class']} {row['number']}" for row in classes)
    print(f"failed attempts kept: {kinds}")
    print(f"answered twice, because of a kill: {told['answered_twice']}; cost ${job['cost_nano'] / 1e9:.6f}")


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--in-flight", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", nargs=2, metavar=("DB", "JOB"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        asyncio.run(child(Path(args.child[0]), int(args.child[1])))
    else:
        sys.exit(1 if asyncio.run(campaign(Scale(args.rows, args.kills, args.in_flight, args.seed))) else 0)


if __name__ == "__main__":
    main()
