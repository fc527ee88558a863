"""A cap is never passed: 256 in flight, random answers, retries, unknown costs, and the process killed again and again.

Run: python -m bench.budget [--runs 10] [--kills 2]; ends with 1 when any run passes its cap.
A child process runs the jobs against a provider in memory, which notes every bill in a file as soon as it takes a
request: what it bills and the program never hears of counts too. Half of the runs have one job with a cap of its own,
half have two jobs, in a process each, under one cap for the day. What is compared is the sum of the provider's bills.
A part of the rows asks for what costs more than its text: pictures by address, a dearer service tier, sound, several
answers, a prediction, a prompt that is kept for an hour. It is billed at the most that the provider's rules allow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.item import NewRow
from tui_batch.domain.job import NANO, CacheMode, InputSource, JobSpec, Knobs, ModelRef
from tui_batch.engine.workplace import open_workplace
from tui_batch.money.prices import OwnPrice, UnitPrices
from tui_batch.providers.base import FailureKind, HttpRequest, HttpResponse, TransportFailure
from tui_batch.settings import Settings
from tui_batch.store.store import open_store

ROWS = 3_000
MAX_TOKENS = 200
PRICES = replace(
    UnitPrices.per_mtok(10, 40, cache_write_usd="12.5", tiers={"priority": "1.75"}),
    sound=Fraction(40_000),
    speech=Fraction(80_000),
)
"""Nano-dollars a token: 10,000 in, 40,000 out."""
MODEL = "gpt-4o"
CAP = NANO * 8
"""Far less than what all rows cost."""
PICTURE = {"type": "image_url", "image_url": {"url": "https://pictures.test/a.png", "detail": "high"}}
PICTURE_TOKENS = 85 + 8 * 170
KEPT = {"type": "text", "text": "a long story " * 20, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
SHAPES: tuple[dict[str, Any], ...] = (
    *({} for _ in range(4)),
    {"service_tier": "priority"},
    {"n": 3},
    {"modalities": ["text", "audio"], "audio": {"voice": "ash", "format": "wav"}},
    {"prediction": {"type": "content", "content": "no " * 50}},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, PICTURE, PICTURE]}]},
    {"messages": [{"role": "user", "content": [KEPT]}], "service_tier": "priority"},
)
"""What rows ask for; they take turns."""


@dataclass
class Till:
    """A provider that bills at once and answers later, or fails, or loses the answer."""

    bills: int
    rng: random.Random

    async def send(self, request: HttpRequest) -> HttpResponse:
        """One request; a bill is on its way to the disk before anything else happens."""
        if request.method == "GET":  # it does not say what it serves
            return HttpResponse(404, {}, b"")
        asked, chance = orjson.loads(request.body or b"{}"), self.rng.random()
        if chance < 0.05:
            return HttpResponse(500, {}, b'{"error": {"message": "no"}}')
        usage, cost = bill(asked, self.rng)
        os.write(self.bills, f"{cost}\n".encode())
        await asyncio.sleep(self.rng.expovariate(1 / 0.2))
        if chance < 0.10:
            raise TransportFailure(FailureKind.READ, "the connection broke before the answer was whole")
        choice = {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
        told = {"model": MODEL, "choices": [choice], "usage": usage, "service_tier": asked.get("service_tier")}
        return HttpResponse(200, {}, json.dumps(told).encode())

    async def aclose(self) -> None:
        """Nothing to close."""


def bill(asked: dict[str, Any], rng: random.Random) -> tuple[dict[str, Any], int]:
    """What the provider counts for a request, and what it bills for that in nano-dollars, by its own reckoning."""
    content = asked["messages"][-1]["content"]
    parts = [] if isinstance(content, str) else content
    words = content if isinstance(content, str) else "".join(part.get("text", "") for part in parts)
    given = max(1, len(words) // rng.randint(2, 5)) + PICTURE_TOKENS * parts.count(PICTURE)
    written = given if KEPT in parts else 0
    made = sum(rng.randint(1, MAX_TOKENS) for _ in range(asked.get("n", 1)))
    made += len(asked.get("prediction", {}).get("content", "")) // 3
    spoken = made if "audio" in asked.get("modalities", ()) else 0
    usage = {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cache_write_tokens": written},
        "completion_tokens_details": {"audio_tokens": spoken},
    }
    factor = Fraction(7, 4) if asked.get("service_tier") == "priority" else 1
    dollars = (given - written) * 10 + written * 20 + (made - spoken) * 40 + spoken * 80
    return usage, round(dollars * 1_000 * factor)


async def child(db: Path, job_id: int, day_cap: int | None) -> None:
    """The process that runs a job."""
    bills = os.open(db.with_suffix(".bills"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    own = (OwnPrice(MODEL, PRICES),)
    till = Till(bills, random.Random(os.getpid()))
    async with open_workplace(db, till, Settings(prices=own, day_budget_nano=day_cap)) as place:
        await (await place.controller.start(job_id))


def row(n: int) -> dict[str, Any]:
    """A ready request body."""
    plain = {"messages": [{"role": "user", "content": f"row {n}" * (1 + n % 9)}], "max_tokens": MAX_TOKENS}
    return {**plain, **SHAPES[n % len(SHAPES)]}


async def make(db: Path, knobs: Knobs) -> int:
    """A job."""
    spec = JobSpec(
        "budget",
        InputSource("rows", "bodies"),
        (ModelRef(MODEL, ("till",)),),
        (Endpoint("till", Api.OPENAI, "http://till.test/v1"),),
        cache=CacheMode.OFF,
        params={"max_tokens": MAX_TOKENS},
    )
    async with open_store(db) as store:
        job_id = await store.jobs.create(spec, knobs, now=time.time())
        async with store.importing(job_id) as importer:
            await importer.add([NewRow(n + 1, None, 0, orjson.dumps(row(n))) for n in range(ROWS)])
    return job_id


async def ended(db: Path, job_id: int, day_cap: int | None, kills: int, rng: random.Random) -> None:
    """Runs a job; its process is killed so many times at random moments, then it may come to an end or to the cap."""
    for left in range(kills, -1, -1):
        words = (sys.executable, "-m", "bench.budget", "--child", str(db), str(job_id), str(day_cap or 0))
        process = await asyncio.create_subprocess_exec(*words)
        if left:
            await asyncio.sleep(rng.uniform(0.6, 2.0))
            if process.returncode is None:
                process.kill()
        await process.wait()


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to, in nano-dollars."""

    kind: str
    cap: int
    billed: int
    states: str


async def one(number: int, kills: int) -> Run:
    """One run on a database of its own."""
    rng = random.Random(number)
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "jobs.db"
        if number % 2:
            kind, day_cap, ids = (
                "a day's cap, two processes",
                CAP,
                [await make(db, Knobs(concurrency=256)) for _ in "ab"],
            )
        else:
            kind, day_cap = "a job's cap", None
            ids = [await make(db, Knobs(concurrency=256, budget_nano=CAP))]
        await asyncio.gather(*(ended(db, job_id, day_cap, kills, rng) for job_id in ids))
        billed = sum(map(int, db.with_suffix(".bills").read_text().split()))
        async with open_store(db) as store:
            jobs = [await store.jobs.get(job_id) for job_id in ids]
    states = ", ".join(f"{job.state} {job.reason or ''}".strip() for job in jobs)
    return Run(kind, CAP, billed, states)


async def main_async(runs: int, kills: int) -> bool:
    """All runs, one after the other; whether every cap held."""
    over = 0
    for number in range(runs):
        found = await one(number, kills)
        over += found.billed > found.cap
        used = f"{found.billed / NANO:.4f} of {found.cap / NANO:.2f} dollars billed ({found.billed / found.cap:.1%})"
        print(f"{number + 1:3}  {found.kind:28} {used}  {found.states}", flush=True)
    print(f"{over} of {runs} runs passed their cap (goal: 0)")
    return not over


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--child", nargs=3, metavar=("DB", "JOB", "DAY_CAP"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        db, job_id, day_cap = args.child
        asyncio.run(child(Path(db), int(job_id), int(day_cap) or None))
        return
    sys.exit(0 if asyncio.run(main_async(args.runs, args.kills)) else 1)


if __name__ == "__main__":
    main()
