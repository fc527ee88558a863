"""What the benches of limits, concurrency and pools share: servers in processes of their own, and jobs run on them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.strict_server import Record, Rules
from bench.throughput import free_port, wait_for
from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.job import InputSource, Job, JobSpec, Knobs, ModelRef
from tui_batch.engine.importing import ImportPlan, create_job
from tui_batch.engine.workplace import Workplace, open_workplace
from tui_batch.providers.http import open_transport


@dataclass(frozen=True, slots=True)
class Site:
    """A server that runs."""

    url: str

    def record(self) -> Record:
        """What it saw so far. Blocks for a moment."""
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/record", timeout=30) as response:
            told: dict[str, Any] = json.load(response)
        accepted = [(float(at), str(word), int(tokens)) for at, word, tokens in told["accepted"]]
        return Record(accepted, [(float(at), int(status)) for at, status in told["refused"]], told["answered"])


@contextmanager
def site(rules: Rules) -> Iterator[Site]:
    """A strict server in a process of its own."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "bench.strict_server", str(port), json.dumps(asdict(rules))])
    try:
        wait_for(port)
        yield Site(f"http://127.0.0.1:{port}/v1")
    finally:
        server.kill()
        server.wait()


@dataclass(frozen=True, slots=True)
class Work:
    """A job to run."""

    endpoints: tuple[Endpoint, ...]
    rows: int
    word: str = "row"
    """First word of every prompt; the server keeps it."""
    knobs: Knobs = field(default_factory=lambda: Knobs(concurrency=64))
    filler: int = 0
    """Further characters in every prompt."""


def endpoint(url: str, name: str = "site", **fields: Any) -> Endpoint:
    """An endpoint without a key."""
    return Endpoint(name, Api.OPENAI, url, **fields)


@asynccontextmanager
async def office(db: Path | None = None) -> AsyncIterator[Workplace]:
    """The program's own engine on a database, a new one unless one is named."""
    with tempfile.TemporaryDirectory() as folder:
        transport = open_transport()
        async with open_workplace(db or Path(folder) / "bench.db", transport) as place:
            yield place
        await transport.aclose()


async def add(place: Workplace, work: Work) -> int:
    """Imports a job's rows; returns its id."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("".join(f'{{"n": {n}}}\n' for n in range(work.rows)), encoding="utf-8")
        spec = JobSpec(
            name=work.word,
            source=InputSource(str(path), "jsonl"),
            models=(ModelRef("bench", tuple(one.name for one in work.endpoints)),),
            endpoints=work.endpoints,
            prompt=f"{work.word} {{{{ n }}}} " + "x" * work.filler,
        )
        plan = ImportPlan(spec, work.knobs, Path(folder) / "rejects.jsonl")
        return (await create_job(place.store, plan, now=time.time())).job_id


async def run(place: Workplace, *works: Work) -> list[Job]:
    """Runs jobs together to their ends."""
    ids = [await add(place, work) for work in works]
    ends = [await place.controller.start(job_id) for job_id in ids]
    return list(await asyncio.gather(*ends))


async def run_for(place: Workplace, seconds: float, *works: Work) -> None:
    """Runs jobs together for a time, and stops them where they are."""
    for job_id in [await add(place, work) for work in works]:
        await place.controller.start(job_id)
    await asyncio.sleep(seconds)


def most_in(entries: Sequence[tuple[float, int]], span_s: float = 60.0) -> int:
    """The largest sum of amounts in any span; `entries` are (time, amount) in order."""
    most = total = first = 0
    for at, amount in entries:
        total += amount
        while entries[first][0] <= at - span_s:
            total -= entries[first][1]
            first += 1
        most = max(most, total)
    return most


def table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Prints rows under their headings, which are the first row."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(f"\n{title}")
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip(), flush=True)


def verdict(good: bool) -> str:
    """A goal met or missed, in a word."""
    return "met" if good else "MISSED"


def with_limits(one: Endpoint, rpm: int | None, tpm: int | None) -> Endpoint:
    """The endpoint as a person who knows its limits would set it."""
    return replace(one, rpm=rpm, tpm=tpm)
