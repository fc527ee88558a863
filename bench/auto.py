"""`-c auto` against the best fixed number in flight, on servers of 1 to 256 slots, and on two that refuse.

Run: python -m bench.auto [--slots 1 4 16 64 256] [--latency 0.2 2] [--seconds 60]
For each server: the engine with `auto` for a time, then with fixed numbers around the slots; throughput is what the
server answered in the second half of the time, so `auto` must have found its level by then. The ideal: slots / latency.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass

from bench.arena import Site, Work, endpoint, office, run_for, site, table, verdict
from bench.strict_server import Rules
from tui_batch.domain.job import Knobs

GOAL = 0.9
FOUND_S = 30.0
ALONE_PER_S = 150.0
"""Servers quicker than this are measured one at a time, the others side by side."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one client reached."""

    per_s: float
    limit: int
    refused: float


async def measure(rules: Rules, in_flight: int | None, seconds: float, since: float) -> Run:
    """Answers per second from `since` to `seconds`, and the number in flight at the end."""
    rows = int(seconds * (rules.slots or 1) / rules.latency_s * 1.5) + 2_000
    with site(rules) as place:
        async with office() as here:
            job = Work((endpoint(place.url),), rows, knobs=Knobs(concurrency=in_flight))
            await run_for(here, since, job)
            first = await answered(place)
            await asyncio.sleep(seconds - since)
            record = await asyncio.to_thread(place.record)
            lane = here.engine.snapshot().lanes[0]
    per_s = (record.answered - first) / (seconds - since)
    return Run(per_s, in_flight or lane.limit or 0, len(record.refused) / max(1, len(record.accepted)))


async def answered(place: Site) -> int:
    """Requests answered so far."""
    return (await asyncio.to_thread(place.record)).answered


async def compare(rules: Rules, seconds: float) -> tuple[str, ...]:
    """One server: auto and the best fixed number."""
    slots = rules.slots or 1
    auto = await measure(rules, None, seconds, FOUND_S)
    fixed = [await measure(rules, n, 15.0, 5.0) for n in levels(slots)]
    best = max(fixed, key=lambda one: one.per_s)
    ideal = slots / rules.latency_s
    # A few seconds may begin and end with a batch of answers, which is more than the server can do in the long run.
    share = auto.per_s / min(best.per_s, ideal)
    return (
        f"{slots} slots of {rules.latency_s:g} s" + ("" if rules.queue > 1000 else f", queue of {rules.queue}"),
        f"{ideal:.1f}",
        f"{best.per_s:.1f} ({best.limit})",
        f"{auto.per_s:.1f} ({auto.limit})",
        f"{share:.2f}",
        f"{GOAL}",
        f"{auto.refused:.1%}",
        verdict(share >= GOAL),
    )


def levels(slots: int) -> list[int]:
    """Fixed numbers to compare with: half as many as there are slots, as many, a quarter more, twice as many."""
    return sorted({max(1, slots // 2), slots, slots + max(1, slots // 4), 2 * slots})


async def main_async(slots: list[int], latencies: list[float], seconds: float) -> None:
    """All servers: the slow ones side by side, the quick ones alone."""
    servers = [Rules(slots=n, latency_s=latency) for latency in latencies for n in slots]
    servers += [Rules(slots=16, latency_s=0.3, queue=0), Rules(slots=4, latency_s=0.5, queue=8)]
    slow = [rules for rules in servers if (rules.slots or 1) / rules.latency_s < ALONE_PER_S]
    rows = list(await asyncio.gather(*(compare(rules, seconds) for rules in slow)))
    for rules in servers:
        if rules not in slow:
            rows.append(await compare(rules, seconds))
    head = ("server", "ideal/s", "best fixed/s (N)", "auto/s (N)", "share", "goal", "refused", "")
    table(f"Automatic concurrency, {FOUND_S:.0f} to {seconds:.0f} s after the start", [head, *rows])


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--slots", type=int, nargs="*", default=[1, 4, 16, 64, 256])
    parser.add_argument("--latency", type=float, nargs="*", default=[0.2, 2.0])
    parser.add_argument("--seconds", type=float, default=60.0)
    args = parser.parse_args()
    from tui_batch.engine.loop import run

    run(main_async(args.slots, args.latency, args.seconds))


if __name__ == "__main__":
    main()
