"""A campaign of everything that can go wrong, alone and together; at the end of each round all must add up.

Run: python -m bench.chaos [--minutes 10 | --rounds 1] [--rows 600] [--seed 1]; ends with 1 when something does not.
A round draws, by its seed, a wire format, one or two servers, faults for a fifth of all requests, answers that no wire
format promises, perhaps a budget, and disturbances: signals, kill -9, a process that sleeps beyond its lease, a second
process, a locked database, a full and a slow disk, each by itself and with a signal in it, a clock that jumps, a server
that goes down. `--seed S --rounds 1` replays the round of seed S.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.chaos_checks import PRICE_IN, PRICE_OUT, prompt, read, violations
from bench.chaos_stage import DISTURBANCES, Hung, Stage, staged, torment
from bench.rogue_server import RogueServer
from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.item import NewRow
from tui_batch.domain.job import NANO, CacheMode, InputSource, JobSpec, Knobs, Mode, ModelRef
from tui_batch.domain.request import Timeouts
from tui_batch.providers.base import HttpRequest
from tui_batch.simulator.config import Pieces, SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.faults import Fault, FaultPlan
from tui_batch.simulator.latency import Latency
from tui_batch.simulator.transport import SimulatorTransport
from tui_batch.store.store import open_store

MODELS = {Api.OPENAI: "gpt-4o-mini", Api.ANTHROPIC: "claude-haiku-4-5", Api.OLLAMA: "llama3.2:3b"}
PATHS = {Api.OPENAI: "/v1/chat/completions", Api.ANTHROPIC: "/v1/messages", Api.OLLAMA: "/api/chat"}
LONGEST = 4_096
"""Tokens of an answer: a budget needs a bound, and no answer comes near it."""
FINAL = (Fault.QUOTA, Fault.AUTH)
"""Faults that stop a job for a person to look at: no part of this."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one round does; the seed decides all of it."""

    seed: int
    rows: int
    api: Api
    servers: int
    stream: bool
    in_flight: int
    faults: FaultPlan
    rogue: float
    disturbances: tuple[str, ...]
    marks: tuple[int, ...]
    budget_nano: int | None
    """Never reached, but reckoned with before each request."""

    def __str__(self) -> str:
        """In words."""
        way = (
            f"{self.api.value}{' streamed' if self.stream else ''}, {self.servers} servers, {self.in_flight} in flight"
        )
        money = "" if self.budget_nano is None else "; within a budget"
        return f"seed {self.seed}: {way}; {self.faults}; strange {self.rogue:.0%}; {' '.join(self.disturbances)}{money}"


def draw(seed: int, rows: int, wanted: tuple[str, ...] = ()) -> Plan:
    """The plan of a seed. `wanted`: these disturbances in place of drawn ones."""
    rng = random.Random(seed)
    api = rng.choice(list(Api))
    kinds = [fault for fault in Fault if fault not in FINAL and not (api is Api.OLLAMA and fault is Fault.FILTER)]
    chosen = rng.sample(kinds, rng.randint(3, len(kinds)))
    shares = [rng.random() + 0.1 for _ in chosen]
    rogue = rng.choice((0.0, 0.03, 0.08))
    rates = tuple(
        (fault, round((0.2 - rogue) * part / sum(shares), 4)) for fault, part in zip(chosen, shares, strict=True)
    )
    disturbances = wanted or tuple(rng.choices(sorted(DISTURBANCES), k=rng.randint(2, 6)))
    return Plan(
        seed=seed,
        rows=rows,
        api=api,
        servers=rng.choice((1, 1, 2)),
        stream=rng.random() < 0.4,
        in_flight=rng.choice((4, 12, 32)),
        faults=FaultPlan(rates),
        rogue=rogue,
        disturbances=disturbances,
        marks=tuple(sorted(rng.randint(1, max(1, rows * 3 // 4)) for _ in disturbances)),
        budget_nano=rng.choice((None, 1_000 * NANO)),
    )


def simulator_of(plan: Plan) -> RogueServer:
    """The servers of a round answer equally."""
    config = SimulatorConfig(
        seed=plan.seed,
        latency=Latency(0.04, 0.0, 0.001, 0.3),
        faults=plan.faults,
        hang_s=3.0,
        slow_body_s=0.4,
        fault_retry_after_s=0.2,
        pieces=Pieces.PACED if plan.seed % 2 else Pieces.AT_ONCE,
    )
    return RogueServer(config, plan.rogue)


async def make(stage: Stage, plan: Plan) -> int:
    """The job, and the settings with its prices; a hanging request is given up after two seconds."""
    model = MODELS[plan.api]
    urls = [
        host.server.openai_url if plan.api is Api.OPENAI else host.server.base_url
        for host in stage.hosts
        if host.server
    ]
    endpoints = tuple(Endpoint(f"server{number}", plan.api, url) for number, url in enumerate(urls))
    spec = JobSpec(
        "chaos",
        InputSource("rows", "txt"),
        (ModelRef(model, tuple(endpoint.name for endpoint in endpoints)),),
        endpoints,
        mode=Mode.SINGLE,
        cache=CacheMode.OFF,
        max_attempts=8,
        timeout_base_s=2.0,
        timeout_per_1k_tokens_s=0.0,
        stream=plan.stream,
        params={} if plan.budget_nano is None else {"max_tokens": LONGEST},
        first_byte_s=1.5,
        stall_s=1.0,
    )
    settings = f"prices:\n  - model: '{model}'\n    input: {PRICE_IN / 1e3}\n    output: {PRICE_OUT / 1e3}\n"
    (stage.folder / "s.yaml").write_text(settings)
    async with open_store(stage.db) as store:
        job_id = await store.jobs.create(
            spec, Knobs(concurrency=plan.in_flight, budget_nano=plan.budget_nano), now=time.time()
        )
        async with store.importing(job_id) as importer:
            rows = [NewRow(n + 1, None, 0, orjson.dumps({"prompt": prompt(n)})) for n in range(plan.rows)]
            await importer.add(rows)
    return job_id


async def expected(plan: Plan) -> list[str]:
    """What servers without faults answer to each row."""
    transport = SimulatorTransport(Simulator(SimulatorConfig(seed=plan.seed)))
    answers = []
    for number in range(plan.rows):
        messages = [{"role": "user", "content": prompt(number)}]
        body = {"model": MODELS[plan.api], "messages": messages, "stream": False}
        body |= {"max_tokens": LONGEST} if plan.api is Api.ANTHROPIC else {}
        headers = (("content-type", "application/json"), ("anthropic-version", "2023-06-01"))
        url = f"http://sim.test{PATHS[plan.api]}"
        sent = HttpRequest("POST", url, headers, orjson.dumps(body), Timeouts())
        answer = orjson.loads((await transport.send(sent)).body)
        match plan.api:
            case Api.OPENAI:
                answers.append(answer["choices"][0]["message"]["content"])
            case Api.ANTHROPIC:
                answers.append(answer["content"][0]["text"])
            case Api.OLLAMA:
                answers.append(answer["message"]["content"])
    return answers


async def one_round(plan: Plan) -> int:
    """Runs a round and prints what was found; the number of violations."""
    print(plan, flush=True)
    started, found = time.monotonic(), []
    with tempfile.TemporaryDirectory() as name:
        simulators = [simulator_of(plan) for _ in range(plan.servers)]
        async with staged(Path(name), plan.api, simulators, plan.in_flight) as stage:
            stage.job_id = await make(stage, plan)
            try:
                await torment(stage, list(plan.disturbances), list(plan.marks))
            except Hung as error:
                found.append(f"hung: {error}")
            right = await expected(plan)
            found += await asyncio.to_thread(lambda: list(violations(stage, right)) if not found else [])
            report(stage, plan, time.monotonic() - started)
            if found:
                print((stage.folder / "said.log").read_text(errors="replace")[-3_000:])
    for words in found[:12]:
        print(f"  WRONG: {words}")
    print(f"  violations: {len(found)}", flush=True)
    return len(found)


def report(stage: Stage, plan: Plan, took: float) -> None:
    """What happened, in figures."""
    job = stage.row()
    faults = sum((host.simulator.score.faults.total() for host in stage.hosts), 0)
    spoiled = sum(host.simulator.spoiled.total() for host in stage.hosts)
    codes = ", ".join(f"{code}: {number}" for code, number in sorted(stage.codes.items()))
    classes = read(stage.db, "SELECT class, count(*) AS number FROM attempt GROUP BY class ORDER BY number DESC")
    kinds = ", ".join(f"{row['class']} {row['number']}" for row in classes)
    print(f"  {took:.0f} s: {job['done']:,} done, {job['dead']:,} dead of {job['total']:,} rows; {kinds}")
    print(
        f"  the servers saw {stage.seen:,} requests and failed {faults:,} ({faults / max(1, stage.seen):.0%}), "
        f"{spoiled:,} answers were strange; the database knows of {job['requests']:,}; "
        f"exit codes {codes}; at most {stage.most_rss / 1e6:.0f} MB"
        + (f"; {stage.longest_back:.1f} s from a server's return to its tenth request" if stage.longest_back else "")
    )


async def campaign(rounds: int, minutes: float, seed: int, rows: int, wanted: tuple[str, ...]) -> int:
    """Rounds with one seed after the other; the number of violations in all."""
    end = time.monotonic() + 60 * minutes
    total = number = 0
    while number < rounds or time.monotonic() < end:
        total += await one_round(draw(seed + number, rows, wanted))
        number += 1
    print(f"{number} rounds, violations: {total}")
    return total


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--rounds", type=int, default=1, help="At least so many, whatever the minutes.")
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1, help="The first round's; each further round's is one more.")
    parser.add_argument("--only", nargs="*", default=(), choices=sorted(DISTURBANCES), help="In place of drawn ones.")
    args = parser.parse_args()
    # A shell starts what runs in the background with Ctrl-C ignored, and that would be handed on to the processes here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(1 if asyncio.run(campaign(args.rounds, args.minutes, args.seed, args.rows, tuple(args.only))) else 0)


if __name__ == "__main__":
    main()
